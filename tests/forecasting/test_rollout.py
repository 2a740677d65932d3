"""The compiled rollout says what the plain loop over booster and program says."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from features.bars import bar_table
from features.errors import FeatureError, NotEnoughHistory
from features.program import FeatureProgram
from features.rollout.forest import FlatTree, Forest
from features.rollout.lightgbm_text import feature_names, read_trees
from features.rollout.rollout import Rollout
from ml_pipeline.trees import from_lightgbm
from tests.features.walks import walk
from tests.forecasting.plain import boosters, plain_rollout

CLOSES = ("return_1", "log_return_5", "close_to_sma_20", "volatility_20", "rsi_14", "tod_sin")
CANDLES = (*CLOSES, "hl_range_pct", "natr_14", "range_pos_20", "upper_wick_pct", "volume_ratio_20")
UNIT, STEPS = 7e-4, 300


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return walk(2400, seed=3)


def forest(models: Sequence[lgb.Booster], columns: int) -> Forest:
    return Forest.of([read_trees(model.model_to_string()) for model in models], columns)


@pytest.mark.parametrize(("names", "sums", "rounds"), [(CLOSES, 1, 120), (CANDLES, 4, 40)])
def test_compiled_and_plain_loop_agree(
    candles: pd.DataFrame, names: tuple[str, ...], sums: int, rounds: int
) -> None:
    models = boosters(candles, names, sums, rounds)
    rollout = Rollout(FeatureProgram(names), forest(models, len(names)), wick=1.7)
    live = FeatureProgram(names)
    row = live.run(candles)[-1]
    answers = rollout.one(live, row, bar_table(candles)[-1], UNIT, STEPS)
    plain = plain_rollout(models, candles, names, unit=UNIT, steps=STEPS, wick=1.7)
    np.testing.assert_allclose(answers, plain, rtol=0, atol=1e-9 * UNIT)
    assert np.ptp(answers[:, 0]) > 1e-6  # the forecasts change as they are fed back
    assert live.seen == len(candles)  # the live program went nowhere


def test_many_starts_are_the_single_ones(candles: pd.DataFrame) -> None:
    models = boosters(candles, CANDLES, 4, 20)
    rollout = Rollout(FeatureProgram(CANDLES), forest(models, len(CANDLES)), wick=1.5)
    starts = np.array([40, 41, 700, 1500, 2399])
    units = np.array([1e-4, 2e-4, 3e-4, 4e-4, 5e-4])
    many = rollout.many(candles, starts, units, 30)
    bars = bar_table(candles)
    for i, start in enumerate(starts):
        live = FeatureProgram(CANDLES)
        row = live.run(candles.iloc[: start + 1])[-1]
        one = rollout.one(live, row, bars[start], units[i], 30)
        assert one.tobytes() == many[i].tobytes()


def test_a_forecast_reads_no_later_bar(candles: pd.DataFrame) -> None:
    models = boosters(candles, CLOSES, 1, 20)
    rollout = Rollout(FeatureProgram(CLOSES), forest(models, len(CLOSES)))
    starts, units = np.array([500, 900]), np.full(2, UNIT)
    poisoned = candles.copy()
    poisoned.iloc[901:, :4] *= 7.0
    before = rollout.many(candles, starts, units, 50)
    assert (rollout.many(poisoned, starts, units, 50) == before).all()


def test_a_forest_is_the_booster_also_at_its_thresholds(candles: pd.DataFrame) -> None:
    (model,) = boosters(candles, CLOSES, 1, 60)
    trees = read_trees(model.model_to_string())
    at = np.sort(np.concatenate([tree.threshold[tree.left >= 0] for tree in trees]))
    edges = at.astype(np.float32)
    around = np.concatenate([np.nextafter(edges, s) for s in np.float32([-9, 9])] + [edges])
    rng = np.random.default_rng(0)
    rows = rng.choice(around, (4000, len(CLOSES))).astype(np.float32)
    rows[:50] = 0.0
    rows[:25] = -0.0
    answers = Forest.of([trees], len(CLOSES))(rows)[:, 0]
    np.testing.assert_allclose(answers, model.predict(rows.astype(np.float64)), atol=1e-13)


def test_the_text_is_the_booster(candles: pd.DataFrame) -> None:
    (model,) = boosters(candles, CLOSES, 1, 30)
    text = model.model_to_string()
    rows = FeatureProgram(CLOSES).run(candles)[100:]
    dumped = [
        FlatTree(t.feature, t.threshold.astype(np.float64), t.left, t.right, t.value)
        for t in from_lightgbm(model)
    ]
    columns = len(CLOSES)
    read = Forest.of([read_trees(text)], columns)(rows)
    np.testing.assert_allclose(read, Forest.of([dumped], columns)(rows), atol=1e-14)
    assert feature_names(text) == tuple(f"Column_{i}" for i in range(columns))


def test_a_tree_without_a_split_is_a_number(candles: pd.DataFrame) -> None:
    rows = np.zeros((100, 2), dtype=np.float32)
    model = lgb.train(
        {"verbosity": -1, "objective": "regression"}, lgb.Dataset(rows, rows[:, 0] + 3), 4
    )
    answer = Forest.of([read_trees(model.model_to_string())], 2)(rows[:3])
    np.testing.assert_allclose(answer[:, 0], model.predict(rows[:3]))


def test_what_cannot_be_rolled_is_refused(candles: pd.DataFrame) -> None:
    (model,) = boosters(candles, CLOSES, 1, 3)
    trees = read_trees(model.model_to_string())
    with pytest.raises(FeatureError, match="reads 7 columns, the program has 6"):
        Rollout(FeatureProgram(CLOSES), Forest.of([trees], 7))
    with pytest.raises(FeatureError, match="2 sums"):
        Rollout(FeatureProgram(CLOSES), Forest.of([trees, trees], 6))
    with pytest.raises(FeatureError, match="tests column"):
        Forest.of([trees], 1)
    with pytest.raises(FeatureError, match="need benchmark"):
        Rollout(FeatureProgram(["btc_return_1"]), Forest.of([[]], 1))
    rollout, live = Rollout(FeatureProgram(CLOSES), Forest.of([trees], 6)), FeatureProgram(CLOSES)
    row = live.run(candles.iloc[:20])[-1]
    with pytest.raises(NotEnoughHistory, match="saw 20"):
        rollout.one(live, row, bar_table(candles)[19], UNIT, 5)
    with pytest.raises(FeatureError, match="not a whole one"):
        read_trees(model.model_to_string()[:500])


def stump(column: int, threshold: float, left: float, right: float) -> FlatTree:
    one = np.array([column, 0, 0]), np.array([threshold, 0.0, 0.0])
    two = np.array([1, -1, -1]), np.array([2, -1, -1]), np.array([0.0, left, right])
    return FlatTree(*one, *two)


def test_a_value_on_a_threshold_goes_left() -> None:
    thresholds = np.linspace(-2, 2, 17)
    sums = [[stump(j, t, 1.0, 0.0) for t in thresholds] for j in range(2)]
    rows = np.stack([thresholds, thresholds[::-1]], axis=1).astype(np.float32)
    answers = Forest.of(sums, 2)(rows)
    expected = (rows[:, :, None] <= thresholds).sum(axis=2)
    assert (answers == expected).all()


def test_wicks_below_nought_count_as_nought(candles: pd.DataFrame) -> None:
    sums = [[stump(0, 0.0, value, value)] for value in (0.1, -0.2, -3.0, 0.5)]
    rollout = Rollout(FeatureProgram(("return_1",)), Forest.of(sums, 1))
    live = FeatureProgram(("return_1",))
    row = live.run(candles)[-1]
    answers = rollout.one(live, row, bar_table(candles)[-1], 1e-3, 5)
    np.testing.assert_allclose(answers, np.tile([1e-4, -2e-4, 0.0, 5e-4], (5, 1)))


def test_rows_that_a_forest_cannot_read_are_refused() -> None:
    forest = Forest.of([[stump(0, 0.5, 1.0, 2.0)]], 1)
    assert forest(np.float32([[0.5], [0.6]]))[:, 0].tolist() == [1.0, 2.0]
    with pytest.raises(FeatureError, match="without NaN"):
        forest(np.float32([[np.nan]]))
