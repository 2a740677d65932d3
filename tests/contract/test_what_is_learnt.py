"""What a recipe finds: what was planted, nothing in noise; its baseline and its head are honest."""

from __future__ import annotations

import numpy as np
import pytest

from ml_pipeline.export import score
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.scoring import row_losses
from ml_pipeline.skill import Verdict, judge
from ml_pipeline.tasks import TASKS
from models.common.heads import make_head
from tests.contract.fits import (
    EACH_KIND,
    EACH_RECIPE,
    baseline,
    fitted,
    holdout,
    panel,
)
from tests.learning.planted import PLANTED, split_of


def verdict(recipe: Recipe, world: str) -> Verdict:
    """The honest bound: on rows that nothing was fitted on, against the baseline."""
    rows, task = holdout(recipe.kind, world), TASKS[recipe.kind]
    losses = [
        row_losses(task, one.head, score(one.onnx, rows), rows)
        for one in (fitted(recipe, world), baseline(recipe.kind, world))
    ]
    horizon = task.horizon_bars(rows.timeframe)
    return judge(rows.ts, rows.symbol, *losses, horizon, seed=0, draws=200)


@EACH_RECIPE
def test_a_planted_signal_is_found(recipe: Recipe) -> None:
    found, model = verdict(recipe, "planted"), fitted(recipe)
    # What is made for a month and takes every third bar of it learns less from a week.
    assert found.lower > (0.001 if recipe.train_days == 7 else 0)
    assert found.z > 3
    assert min(model.facts["weight"]) > 0.1
    assert max(model.importance, key=lambda name: model.importance[name]) == PLANTED


@EACH_RECIPE
def test_nothing_is_found_in_noise_nor_in_shuffled_labels(recipe: Recipe) -> None:
    worlds = ("noise", "other noise", "shuffled")
    found = [verdict(recipe, world) for world in worlds]
    # One draw of noise in ten earns volatility a weight above 0.35 (130 draws, mean 0.15), and
    # which draws do changes with the number of columns; three that do on average are one in 100.
    assert np.mean([max(fitted(recipe, world).facts["weight"]) for world in worlds]) < 0.35
    assert max(one.lower for one in found) <= 0
    assert min(one.skill for one in found) > -0.003
    assert np.mean([one.skill for one in found]) > -0.002


@EACH_KIND
def test_the_baseline_is_a_model_like_any_other(kind: str) -> None:
    naive = baseline(kind)
    assert naive.baseline
    assert naive.recipe == "baseline"
    assert not naive.importance
    assert not naive.spec
    assert naive.columns == TASKS[kind].columns("5m")
    assert len(naive.onnx) < 20_000


@pytest.mark.parametrize("recipe", RECIPES["price"], ids=lambda r: r.name)
def test_a_price_interval_covers_what_it_says(recipe: Recipe) -> None:
    rows, model = holdout("price", "noise"), fitted(recipe, "noise")
    raw = score(model.onnx, rows)
    half = model.head["interval_q"] * raw[:, 1]
    covered = np.mean(np.abs(rows.labels["price"] - raw[:, 0]) <= half)
    assert covered == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("recipe", RECIPES["risk"], ids=lambda r: r.name)
def test_risk_ranks_are_percentiles_of_the_training_rows(recipe: Recipe) -> None:
    rows, model = panel(), fitted(recipe)
    train = rows.rows(split_of(rows, "risk").mask(rows, "train"))
    scores = make_head("risk", model.head).decode(score(model.onnx, train), None)["risk"]
    assert np.mean(scores < 60) == pytest.approx(0.6, abs=0.02)
    event = train.labels["risk_excursion"] >= model.head["event_threshold"]
    assert event.mean() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("recipe", RECIPES["volatility"], ids=lambda r: r.name)
def test_forecast_variance_is_unbiased(recipe: Recipe) -> None:
    rows = holdout("volatility")
    for model in (fitted(recipe), baseline("volatility")):
        forecast = np.exp(score(model.onnx, rows))
        for k, name in enumerate(("rv_1h", "rv_4h")):
            assert np.mean(rows.labels[name] / forecast[:, k]) == pytest.approx(1.0, abs=0.15)
