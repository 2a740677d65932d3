"""Variants of a flagged recipe: what fits today wins, and in noise the plain refit stays."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from market.timeframes import DAY_MS
from ml_pipeline.fit import fit
from ml_pipeline.panel import Panel
from ml_pipeline.recipe import Recipe
from ml_pipeline.recipes import named
from ml_pipeline.splits import Block, TurnSplit
from ml_pipeline.tuning import Search
from ml_pipeline.variants import COLUMNS, LONGER, PLAIN, SHORTER, TUNED, refit_best, variants_of
from ml_pipeline.workplace import Workplace, here
from tests.learning.planted import START_MS, planted_panel, split_of

RECIPE = named("direction/logistic")


@cache
def turned(days: float, signal: float = 1.5) -> Panel:
    """A market whose signal had the other sign until so many days after the start."""
    panel = planted_panel(signal)
    before = panel.ts < START_MS + days * DAY_MS
    y = panel.labels["direction"]
    return replace(panel, labels={**panel.labels, "direction": np.where(before, 1 - y, y)})


def whole(panel: Panel) -> TurnSplit:
    return split_of(panel, "direction")


def bench(panel: Panel):
    def of(recipe: Recipe) -> Workplace:
        split = whole(panel)
        start = split.train.end_ms - int(recipe.train_days * split.shrunk * DAY_MS)
        train = Block(max(start, split.train.start_ms), split.train.end_ms)
        return here(panel, replace(split, train=train), 0)

    return of


def test_after_a_turn_of_the_market_the_shorter_window_wins() -> None:
    panel = turned(3.2)
    others = variants_of(RECIPE, whole(panel), whole(panel), tuned=False)
    assert [v.name for v in others] == [SHORTER, COLUMNS]
    fitted, facts = refit_best(RECIPE, others, bench(panel))
    assert fitted is not None
    assert facts["retrained"]["variant"] == SHORTER
    tried = {one["variant"]: one for one in facts["retrained"]["tried"]}
    assert tried[SHORTER]["skill"] > tried[PLAIN]["skill"] + 0.01
    assert tried[SHORTER]["z"] >= facts["retrained"]["z_asked"] >= 1
    assert fitted.facts["retrained"] == facts["retrained"]
    # What it was made of makes it again, byte for byte.
    recipe = Recipe.from_spec(fitted.spec)
    assert (recipe.name, recipe.tuned) == (RECIPE.name, True)
    assert recipe.train_days < RECIPE.train_days / 1.9
    assert bench(panel)(recipe)(fit, recipe).onnx == fitted.onnx


def test_in_noise_the_plain_refit_stays_though_another_looks_better() -> None:
    lucky = 0
    for seed in range(3):
        panel = planted_panel(0.0, seed)
        others = variants_of(RECIPE, whole(panel), whole(panel), tuned=False)
        fitted, facts = refit_best(RECIPE, others, bench(panel))
        plain, *rest = (one["skill"] for one in facts["retrained"]["tried"])
        lucky += max(rest) > plain
        assert fitted is None
        assert facts["retrained"]["variant"] == PLAIN
    assert lucky >= 1


def test_the_holdout_is_not_read() -> None:
    panel = turned(3.2)
    late = panel.ts >= whole(panel).holdout.start_ms
    X = np.where(late[:, None], np.float32(1e6), panel.X)
    labels = {name: np.where(late, 7.0, y) for name, y in panel.labels.items()}
    poisoned = replace(panel, X=X, labels=labels)
    others = variants_of(RECIPE, whole(panel), whole(panel), tuned=False)
    one, told = refit_best(RECIPE, others, bench(panel))
    other, again = refit_best(RECIPE, others, bench(poisoned))
    assert one is not None
    assert other is not None
    assert (one.onnx, told) == (other.onnx, again)


def test_a_variant_that_cannot_be_fitted_is_told_of_and_the_others_compete() -> None:
    panel = turned(3.2)
    others = variants_of(replace(RECIPE, train_days=7), whole(panel), whole(panel), tuned=False)
    broken = replace(others[0], name="no rows", recipe=replace(RECIPE, train_days=0.001))
    _, facts = refit_best(RECIPE, [broken, *others], bench(panel))
    tried = {one["variant"]: one for one in facts["retrained"]["tried"]}
    assert tried["no rows"]["skill"] is None
    assert "known labels in the training slice" in tried["no rows"]["why"]
    assert facts["retrained"]["variant"] == SHORTER


def test_what_is_tried_depends_on_history_columns_and_time() -> None:
    panel = turned(0.0)
    split = whole(panel)
    half = Block(split.train.end_ms - int(split.train.days * DAY_MS / 2), split.train.end_ms)
    own = replace(split, train=half)
    found = {v.name: v.recipe for v in variants_of(RECIPE, own, split, tuned=True)}
    assert list(found) == [SHORTER, LONGER, COLUMNS, TUNED]
    assert found[LONGER].train_days > 3.9 * found[SHORTER].train_days
    assert found[COLUMNS].keep == round(len(RECIPE.features) / 2)
    one = replace(RECIPE, features=RECIPE.features[:1], space={})
    assert [v.name for v in variants_of(one, split, split, tuned=True)] == [SHORTER]


def test_hyperparameters_are_searched_where_there_is_time() -> None:
    panel = turned(0.0, 0.5)
    wrong = replace(RECIPE, hyperparams={"ridge": 100.0})
    others = [v for v in variants_of(wrong, whole(panel), whole(panel), tuned=True)
              if v.name == TUNED]  # fmt: skip
    search = Search(seconds=1e9, trials=4, seed=1)
    _, facts = refit_best(wrong, others, bench(panel), search)
    assert [one["variant"] for one in facts["retrained"]["tried"]] == [PLAIN, TUNED]
