"""Longer bars: the same as grouping by hand, and nothing made of incomplete buckets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from market.candles import check_candles
from market.errors import BadCandles, BadTimeframe
from market.resample import resample
from market.simulated import SimulatedSource

START, END = "2025-05-28T00:00Z", "2025-05-29T00:00Z"


@pytest.fixture(scope="module")
def minutes() -> pd.DataFrame:
    return SimulatedSource().fetch("BTC-USDT", "1m", START, END)


@pytest.mark.parametrize(("to", "bars"), [("5m", 288), ("15m", 96), ("1h", 24), ("1d", 1)])
def test_equals_grouping_by_hand(minutes, to, bars):
    got = resample(minutes, "1m", to)
    rule = {"5m": "5min", "15m": "15min", "1h": "1h", "1d": "1D"}[to]
    oracle = minutes.resample(rule).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    assert len(got) == bars
    pd.testing.assert_frame_equal(got, oracle, check_freq=False, check_index_type=False)
    check_candles(got)


def test_steps_compose(minutes):
    direct = resample(minutes, "1m", "1h")
    stepwise = resample(resample(minutes, "1m", "15m"), "15m", "1h")
    pd.testing.assert_frame_equal(direct, stepwise)


def test_a_missing_minute_is_a_missing_bar(minutes):
    got = resample(minutes.drop(minutes.index[[7, 100]]), "1m", "5m")
    lost = resample(minutes, "1m", "5m").index.difference(got.index)
    assert [t.strftime("%H:%M") for t in lost] == ["00:05", "01:40"]


def test_bars_that_are_not_complete_at_the_edges_do_not_show(minutes):
    got = resample(minutes.iloc[3:-2], "1m", "5m")
    assert (got.index[0].minute, got.index[-1].minute) == (5, 50)


def test_same_length_and_empty(minutes):
    pd.testing.assert_frame_equal(resample(minutes, "1m", "60s"), minutes)
    assert resample(minutes.iloc[:0], "1m", "1h").empty
    assert resample(minutes.iloc[:4], "1m", "5m").empty


def test_refusals(minutes):
    with pytest.raises(BadTimeframe, match="cannot be made of 10m"):
        resample(minutes, "10m", "15m")
    with pytest.raises(BadTimeframe):
        resample(minutes, "5m", "1m")
    with pytest.raises(BadCandles, match="call repair"):
        resample(minutes.iloc[::-1], "1m", "5m")
    with pytest.raises(BadCandles):
        resample(minutes.assign(low=np.nan), "1m", "5m")
