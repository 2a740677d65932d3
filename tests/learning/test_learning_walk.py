"""The walk through folds: it knows nothing of a fold beforehand, goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.skill.figures import by_chance, own
from bench.skill.folds import split_of
from bench.skill.walk import Walk, walk
from ml_pipeline import losses
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES
from ml_pipeline.tasks import TASKS
from ml_pipeline.walk_forward import Fold, folds
from tests.learning.planted import STEP_MS, planted_panel

RECIPE = next(recipe for recipe in RECIPES["direction"] if recipe.name == "logistic")
HOUR_MS = 3_600_000


def _walk(panel: Panel, through: list[Fold], cache: Path) -> Walk:
    return walk(RECIPE, panel, through, cache, lambda _: None, 7.0)


def _last_days(panel: Panel) -> list[Fold]:
    return list(folds(int(panel.ts[-1]) + STEP_MS, 2, 24))


@pytest.mark.parametrize("kind", TASKS)
def test_every_label_that_a_fit_reads_is_known_when_its_fold_starts(kind: str) -> None:
    panel = planted_panel(0.0)
    horizon = TASKS[kind].horizon_bars(panel.timeframe)
    fold = _last_days(panel)[0]
    split = split_of(fold, panel, horizon, 7.0)
    assert split.shrunk == 1.0
    assert split.selection.end_ms + horizon * STEP_MS <= fold.start_ms


def test_what_comes_after_a_folds_start_changes_no_forecast_of_it(tmp_path: Path) -> None:
    panel = planted_panel(1.0)
    fold = _last_days(panel)[1]
    garbage = np.where(panel.ts >= fold.start_ms, 1 - panel.labels["direction"], 0.0)
    labels = np.where(panel.ts >= fold.start_ms, garbage, panel.labels["direction"])
    poisoned = replace(panel, labels={**panel.labels, "direction": labels})
    clean = _walk(panel, [fold], tmp_path / "clean")
    other = _walk(poisoned, [fold], tmp_path / "poisoned")
    np.testing.assert_array_equal(clean.raw, other.raw)
    assert losses.accuracy(clean.y[:, 0], clean.raw[:, 0]) > 0.55
    assert losses.accuracy(other.y[:, 0], other.raw[:, 0]) < 0.45


def test_a_finished_fold_is_not_fitted_again(tmp_path: Path) -> None:
    panel = planted_panel(1.0)
    first, second = _last_days(panel)
    one = _walk(panel, [first], tmp_path)
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npz")}
    both = _walk(panel, [first, second], tmp_path)
    assert len(stamps) == 1
    assert all(file.stat().st_mtime_ns == stamp for file, stamp in stamps.items())
    np.testing.assert_array_equal(both.raw[: len(one.raw)], one.raw)
    assert len(both.raw) == len(both.y) == len(both.loss) > len(one.raw)
    figures = own(TASKS["direction"], both, 4 * 5 * STEP_MS)
    assert 0.5 < figures["accuracy"] < 0.8
    assert figures["gain_over_coin"] > 0


def test_exact_probabilities_show_the_error_that_chance_makes() -> None:
    """With outcomes shared by blocks of 48 rows; probabilities that are off show more."""
    shown, expected, off = [], [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        block = np.repeat(np.arange(100), 48)
        p = np.repeat(rng.uniform(0.3, 0.7, 100), 48)
        y = np.repeat(rng.random(100), 48) < p
        right = y.astype(np.float64)
        shown.append(losses.ece(right, p))
        expected.append(by_chance(right, p, block))
        off.append(losses.ece(right, np.clip(p + 0.25, 0, 1)))
    assert np.mean(expected) == pytest.approx(np.mean(shown), rel=0.15)
    assert min(off) > max(expected)
