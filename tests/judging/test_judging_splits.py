"""Slices are cut by the clock, purged by the horizon, and shrink together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.errors import SplitError
from ml_pipeline.panel import build_panel
from ml_pipeline.splits import MIN_BARS, SLICES, TurnSplit, evaluation_days, turn_split
from ml_pipeline.tasks import TASKS

END = "2025-05-28T00:00:00Z"
END_MS = 1_748_390_400_000


def known(split: TurnSplit, ts: int) -> int:
    return ts + (split.horizon_bars + 1) * timeframe_ms(split.timeframe)


def test_long_history_gives_the_slices_asked_for() -> None:
    split = turn_split("2025-05-01T00:00:00Z", END, "1m", 60, 7)
    assert split.shrunk == 1.0
    assert [split.block(name).days for name in SLICES] == [7, 2, 3, 2]
    # The label of the last row of the holdout is known at the very end, not later.
    assert known(split, split.holdout.end_ms - 60_000) == END_MS


@settings(max_examples=200, deadline=None)
@given(
    timeframe=st.sampled_from(["1m", "5m", "15m", "1h"]),
    horizon=st.integers(1, 300),
    train=st.floats(0.5, 40),
    history=st.floats(1, 60),
    odd=st.integers(0, 3_600_000),
)
def test_no_label_reaches_into_a_later_slice(
    timeframe: str, horizon: int, train: float, history: float, odd: int
) -> None:
    step = timeframe_ms(timeframe)
    start, end = END_MS - int(history * DAY_MS) + odd // 7, END_MS + odd
    try:
        split = turn_split(start, end, timeframe, horizon, train)
    except SplitError:
        return
    blocks = [split.block(name) for name in SLICES]
    assert blocks[0].start_ms >= start
    assert known(split, blocks[-1].end_ms - step) <= end
    for block, later in pairwise(blocks):
        assert block.start_ms < block.end_ms
        assert known(split, block.end_ms - step) < later.start_ms
        # ... and the purge takes no row that would have been legal.
        assert known(split, block.end_ms) >= later.start_ms
    assert split.trained_through_ms == known(split, split.selection.end_ms - step)
    assert split.trained_through_ms < split.holdout.start_ms
    assert all(block.start_ms % step == block.end_ms % step == 0 for block in blocks)


@settings(max_examples=100, deadline=None)
@given(history=st.floats(2, 30), train=st.floats(2, 30))
def test_short_history_shrinks_all_slices_by_one_factor(history: float, train: float) -> None:
    split = turn_split(END_MS - int(history * DAY_MS), END_MS, "1m", 12, train)
    wanted = np.array([train, 2, 3, 2])
    got = np.array([split.block(name).days for name in SLICES])
    np.testing.assert_allclose(got, wanted * split.shrunk, atol=1.01 / 1440)
    room = history - 4 * 13 / 1440
    assert split.shrunk == pytest.approx(min(1, room / wanted.sum()), abs=1e-3)
    if split.shrunk < 1:
        assert split.train.start_ms - (END_MS - history * DAY_MS) < 10 * 60_000


def test_too_short_a_history_is_refused_with_the_numbers() -> None:
    with pytest.raises(SplitError, match=r"1440 bars of 1m leave \d+ for the \w+ slice.*960"):
        turn_split("2025-05-27T00:00:00Z", END, "1m", 240, 7)


@pytest.mark.parametrize("timeframe", ["30m", "1h", "4h", "1d"])
@pytest.mark.parametrize("kind", TASKS)
def test_bars_of_an_hour_and_longer_are_judged_on_more_days(timeframe: str, kind: str) -> None:
    horizon = TASKS[kind].horizon_bars(timeframe)
    split = turn_split(END_MS - 600 * DAY_MS, END_MS, timeframe, horizon, 90)
    days = [split.block(name).days for name in SLICES[1:]]
    assert days == pytest.approx(evaluation_days(timeframe, horizon))
    assert days[0] == days[2] == pytest.approx(days[1] / 1.5)
    assert min(days) >= 2
    assert min(days) * DAY_MS / timeframe_ms(timeframe) >= max(MIN_BARS, 4 * horizon)
    assert (timeframe == "30m") == (days == [2, 3, 2])


@pytest.mark.parametrize(("horizon", "train"), [(0, 7), (5, 0), (5, -1)])
def test_senseless_bounds_are_refused(horizon: int, train: float) -> None:
    with pytest.raises(SplitError, match="above nought"):
        turn_split("2025-05-01T00:00:00Z", END, "1m", horizon, train)


def test_an_unknown_slice_is_refused() -> None:
    split = turn_split("2025-05-01T00:00:00Z", END, "1m", 60, 7)
    with pytest.raises(SplitError, match="train, calibration, selection, holdout"):
        split.block("test")


def test_spellings_of_a_time_mean_the_same() -> None:
    first = turn_split("2025-05-01T00:00:00Z", END, "1m", 60, 7)
    zoned = datetime.fromisoformat(END)
    assert turn_split(pd.Timestamp("2025-05-01", tz="UTC"), zoned, "1m", 60, 7) == first
    assert first.as_dict()["holdout"]["end"] == "2025-05-27T23:00:00+00:00"


def test_symbols_share_the_clock_even_if_one_has_missing_bars(
    candles: Callable[..., pd.DataFrame],
) -> None:
    whole = candles(3 * 1440, seed=1)
    holes = np.random.default_rng(0).random(len(whole)) < 0.3
    frames = {"BTC-USDT": whole, "ETH-USDT": candles(3 * 1440, seed=2)[~holes]}
    panel = build_panel(frames, "1m", ["x"], lambda c: np.zeros((len(c), 1), np.float32))
    split = turn_split(int(panel.ts[0]), int(panel.ts[-1]) + 60_000, "1m", 12, 1)
    masks = np.array([split.mask(panel, name) for name in SLICES])
    assert (masks.sum(axis=0) <= 1).all()
    for name, mask in zip(SLICES, masks, strict=True):
        block, rows = split.block(name), panel.rows(mask)
        for symbol in (0, 1):
            ts = rows.ts[rows.symbol == symbol]
            assert block.start_ms <= ts.min() <= ts.max() < block.end_ms
        # One side of a bound holds no time that the other side holds as well.
        elsewhere = set(panel.ts[~mask].tolist())
        assert elsewhere.isdisjoint(rows.ts.tolist())


def test_what_comes_after_the_turn_changes_no_slice(candles: Callable[..., pd.DataFrame]) -> None:
    frames = {"BTC-USDT": candles(4 * 1440)}
    ends = int(frames["BTC-USDT"].index[3 * 1440].value // 10**6)
    panel = build_panel(frames, "1m", ["x"], lambda c: np.zeros((len(c), 1), np.float32))
    spoilt = {"BTC-USDT": frames["BTC-USDT"].copy()}
    spoilt["BTC-USDT"].iloc[3 * 1440 :] *= 7.0
    other = build_panel(spoilt, "1m", ["x"], lambda c: np.zeros((len(c), 1), np.float32))
    split = turn_split(int(panel.ts[0]), ends, "1m", 60, 1)
    assert split.shrunk < 1
    for name in SLICES:
        mine, theirs = panel.rows(split.mask(panel, name)), other.rows(split.mask(other, name))
        np.testing.assert_array_equal(mine.ts, theirs.ts)
        np.testing.assert_array_equal(mine.close, theirs.close)
        for label in ("risk_excursion", "price", "rv_1h", "direction", "momentum"):
            np.testing.assert_array_equal(mine.labels[label], theirs.labels[label])
            assert label == "direction" or not np.isnan(mine.labels[label][12:]).any()
    assert panel.data_hash() != other.data_hash()
