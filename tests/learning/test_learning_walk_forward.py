"""Folds: what a fit reads was known when its fold began, and a fold is a turn without a holdout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml_pipeline.competing import shared_split
from ml_pipeline.errors import SplitError
from ml_pipeline.export import score
from ml_pipeline.fit import fit, fit_baseline
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES
from ml_pipeline.splits import evaluation_days
from ml_pipeline.tasks import TASKS
from ml_pipeline.walk_forward import (
    Fold,
    Forecast,
    clock_folds,
    fit_fold,
    fold_split,
    folds,
    forecast,
)
from tests.learning.planted import START_MS, STEP_MS, TIMEFRAME, planted_panel

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
LOGISTIC = next(recipe for recipe in RECIPES["direction"] if recipe.name == "logistic")
DAYS = (7.0, 2.0, 3.0)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return planted_panel(1.0)


def _fold(panel: Panel) -> Fold:
    return next(folds(int(panel.ts[-1]) + STEP_MS, 1, 12))


def _forecast(panel: Panel, fold: Fold) -> Forecast:
    split = fold_split(fold, int(panel.ts[0]), TIMEFRAME, 5, DAYS)
    return forecast(LOGISTIC, panel, fold, split, seed=0)


def test_folds_fill_the_last_days_without_gap_or_overlap() -> None:
    found = list(folds(100 * HOUR_MS, 2, 12))
    assert [fold.start_ms // HOUR_MS for fold in found] == [52, 64, 76, 88]
    assert all(fold.end_ms - fold.start_ms == 12 * HOUR_MS for fold in found)


def test_folds_by_the_clock_are_the_same_whoever_asks() -> None:
    early = list(clock_folds(5 * HOUR_MS, 100 * HOUR_MS, 12))
    late = list(clock_folds(30 * HOUR_MS, 103 * HOUR_MS, 12))
    assert [fold.start_ms // HOUR_MS for fold in early] == [12, 24, 36, 48, 60, 72, 84, 96]
    assert early[-1].end_ms == 100 * HOUR_MS
    assert late[:-1] == early[2:-1]
    assert late[-1] == Fold(96 * HOUR_MS, 103 * HOUR_MS)
    assert not list(clock_folds(30 * HOUR_MS, 30 * HOUR_MS, 12))


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("history", [30, 12, 6])
def test_every_label_of_a_slice_is_known_before_the_next_one_opens(
    kind: str, history: float
) -> None:
    horizon = TASKS[kind].horizon_bars(TIMEFRAME)
    start = START_MS + int(history * DAY_MS)
    split = fold_split(Fold(start, start + DAY_MS), START_MS, TIMEFRAME, horizon, DAYS)
    opens = [split.calibration.start_ms, split.selection.start_ms, start]
    for name, opening in zip(("train", "calibration", "selection"), opens, strict=True):
        # The last row of a slice opens a bar before its end, and its own bar must close as well.
        assert split.block(name).end_ms + horizon * STEP_MS < opening
    assert split.trained_through_ms < start == split.holdout.start_ms
    assert split.train.start_ms >= START_MS


def test_slices_shrink_by_one_factor_where_history_is_short() -> None:
    fold = Fold(START_MS + 6 * DAY_MS, START_MS + 7 * DAY_MS)
    split = fold_split(fold, START_MS, TIMEFRAME, 5, DAYS)
    assert 0.45 < split.shrunk < 0.5
    for name, days in zip(("train", "calibration", "selection"), DAYS, strict=True):
        assert split.block(name).days == pytest.approx(split.shrunk * days, abs=1 / 288)
    assert fold_split(fold, START_MS - 30 * DAY_MS, TIMEFRAME, 5, DAYS).shrunk == 1.0


def test_a_history_that_cannot_hold_the_slices_is_refused() -> None:
    fold = Fold(START_MS + DAY_MS, START_MS + 2 * DAY_MS)
    with pytest.raises(SplitError, match=r"leave \d+ for the calibration slice"):
        fold_split(fold, START_MS, TIMEFRAME, 48, DAYS)


@pytest.mark.parametrize("kind", TASKS)
def test_a_fold_where_a_turn_opens_its_holdout_makes_the_turns_very_model(
    kind: str, panel: Panel
) -> None:
    """A turn at that moment itself would have held back its last days: it knew them less well."""
    first, end = int(panel.ts[0]), int(panel.ts[-1]) + STEP_MS
    turn = shared_split(kind, TIMEFRAME, first, end, longest=5)
    days = (turn.train.days, turn.calibration.days, turn.selection.days)
    assert days[1:] == evaluation_days(TIMEFRAME, turn.horizon_bars)[:2]
    fold = Fold(turn.holdout.start_ms, turn.holdout.start_ms + 12 * HOUR_MS)
    split = fold_split(fold, first, TIMEFRAME, turn.horizon_bars, days)
    assert replace(split, holdout=turn.holdout) == turn
    recipe = RECIPES[kind][1]
    ours, theirs = forecast(recipe, panel, fold, split, 3), fit(recipe, panel, turn, 3)
    assert ours.fitted.head == theirs.head
    np.testing.assert_array_equal(ours.raw, score(theirs.onnx, fold.rows(panel)))
    assert fit_fold(recipe, panel, fold, split, 3).onnx == theirs.onnx
    naive, base = forecast(kind, panel, fold, split, 3), fit_baseline(kind, panel, turn)
    assert naive.fitted.head == base.head
    np.testing.assert_array_equal(naive.raw, score(base.onnx, fold.rows(panel)))


def test_what_comes_after_a_folds_start_changes_no_forecast_of_it(panel: Panel) -> None:
    """Labels of its bars and of all later ones, features of later ones; those before do matter."""
    fold = _fold(panel)
    clean = _forecast(panel, fold)
    after = panel.ts >= fold.start_ms
    labels = {name: np.where(after, 1 - column, column) for name, column in panel.labels.items()}
    X = np.where((panel.ts >= fold.end_ms)[:, None], 1e9, panel.X).astype(np.float32)
    poisoned = _forecast(replace(panel, labels=labels, X=X), fold)
    np.testing.assert_array_equal(clean.raw, poisoned.raw)
    assert clean.fitted.onnx == poisoned.fitted.onnx

    before = {name: np.where(after, column, 1 - column) for name, column in panel.labels.items()}
    other = _forecast(replace(panel, labels=before), fold)
    assert np.abs(clean.raw - other.raw).max() > 0.01


def test_labels_that_reach_over_the_folds_start_are_not_read(panel: Panel) -> None:
    fold = _fold(panel)
    clean = _forecast(panel, fold)
    reaching = panel.ts + (5 + 1) * STEP_MS >= fold.start_ms
    labels = {name: np.where(reaching, np.nan, column) for name, column in panel.labels.items()}
    np.testing.assert_array_equal(clean.raw, _forecast(replace(panel, labels=labels), fold).raw)


def test_every_bar_of_a_fold_is_forecast_also_where_nothing_will_ever_be_known(
    panel: Panel,
) -> None:
    fold = _fold(panel)
    inside = (panel.ts >= fold.start_ms) & (panel.ts < fold.end_ms)
    void = np.where(inside, np.nan, panel.labels["direction"])
    found = _forecast(replace(panel, labels={**panel.labels, "direction": void}), fold)
    np.testing.assert_array_equal(found.ts, panel.ts[inside])
    np.testing.assert_array_equal(found.symbol, panel.symbol[inside])
    assert found.raw.shape == (144 * 3, 1)
    assert np.isfinite(found.raw).all()


def test_a_panel_on_disk_gives_the_same_forecast(panel: Panel, tmp_path: Path) -> None:
    fold = _fold(panel)
    mapped = Panel.load(panel.save(tmp_path / "panel"))
    np.testing.assert_array_equal(_forecast(panel, fold).raw, _forecast(mapped, fold).raw)
