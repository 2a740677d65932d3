"""Live features: fed bar by bar, the bits of a feature manager over the same history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.catalogue import FEATURES
from features.compute_once import FeatureCache
from features.errors import (
    BadBar,
    FeatureError,
    MissingInput,
    NotEnoughHistory,
    UnknownFeature,
)
from features.feature_manager import FeatureManager
from features.joined import with_benchmark
from features.model_set import BENCHMARK_SET, MODEL_SET
from features.program import FeatureProgram
from market.errors import BadTimeframe
from market.resample import resample
from strategies.live_features import LiveFeatures
from tests.features.walks import MINUTE_MS, START_MS, beside, records, walk

SYMBOL = "BTC-USDT"
NAMES = ["ema_20", "rsi_14", "returns", "close", "volume_sma_20", "macd_histogram", "zscore_50"]
BARS = 4200
HOLE = range(2102, 2130)  # leaves longer buckets incomplete
ASKED = [("1m", NAMES, 40), ("5m", ["atr_14", "close"], 700), ("1h", ["close", "return_1"], 9)]


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    whole = walk(BARS, seed=41, outages=[(900, 950)])
    return whole.drop(whole.index[list(HOLE)])


def same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    told = ("symbol", "timeframe")
    assert [ours.attrs[name] for name in told] == [theirs.attrs[name] for name in told]


@pytest.mark.parametrize(("timeframe", "names", "rows"), ASKED)
def test_bar_by_bar_it_answers_with_the_bits_of_a_cache(candles, timeframe, names, rows) -> None:
    cache, live = FeatureCache(candles, SYMBOL), LiveFeatures("1m", {timeframe: names})
    compared = 0
    for bar in records(candles):
        live.push(SYMBOL, bar)
        minute = (bar[0] - START_MS) // MINUTE_MS
        # What came in between is taken in one piece.
        if minute not in range(2090, 2160) and minute < 4100:
            continue
        moment = int(bar[0]) + MINUTE_MS
        same(
            live.get_features("btc/usdt", timeframe, names, rows),
            cache.at(moment).get_features(SYMBOL, timeframe, names, rows),
        )
        compared += 1
    assert compared > 100


def test_it_answers_with_the_bits_of_a_manager(candles, tmp_path) -> None:
    candles.reset_index().to_parquet(tmp_path / f"{SYMBOL}_1m.parquet")
    manager = FeatureManager(f"files:{tmp_path}", home=tmp_path / "home")
    live = LiveFeatures("1m", told={"source": manager.source.name, "simulated": False})
    live.extend(SYMBOL, candles)
    for timeframe, names, _ in ASKED[:2]:
        theirs = manager.get_features(
            SYMBOL, timeframe, names, BARS, end=START_MS + BARS * MINUTE_MS
        )
        ours = live.get_features(SYMBOL, timeframe, names, BARS)
        same(ours, theirs)
        assert ours.attrs == theirs.attrs


def test_longer_bars_are_those_of_a_resampled_history(candles) -> None:
    """To the last bit of the sum of volume, and only when every one of their bars has closed."""
    live = LiveFeatures()
    columns = ["open", "high", "low", "close", "volume"]
    for n, bar in enumerate(records(candles), start=1):
        live.push(SYMBOL, bar)
        if n > 300 and (n % 7 == 0 or n > len(candles) - 130):
            for timeframe in ("5m", "1h", "4h"):
                theirs = resample(candles.iloc[:n], "1m", timeframe)
                assert len(theirs)
                ours = live.get_features(SYMBOL, timeframe, columns, len(theirs))
                pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_names_learnt_late_are_caught_up(candles) -> None:
    early, late = LiveFeatures("1m", {"1m": MODEL_SET, "5m": ["rsi_14"]}), LiveFeatures()
    for n, bar in enumerate(records(candles)):
        for live in (early, late):
            live.push(SYMBOL, bar)
        early.row(SYMBOL, "1m", MODEL_SET) if n > 3500 else None
    late.get_features(SYMBOL, "1m", ["rsi_14"], 1)
    late.get_features(SYMBOL, "1m", ["close", "rsi_14"], 1)
    for timeframe, names in (("1m", None), ("5m", ["rsi_14"]), ("1m", ["rsi_14"])):
        same(
            late.get_features(SYMBOL, timeframe, names, 300),
            early.get_features(SYMBOL, timeframe, names, 300),
        )


def test_a_row_is_what_a_program_pushes(candles) -> None:
    program, live = FeatureProgram(MODEL_SET), LiveFeatures("1m", {"1m": ["close", *MODEL_SET[3:]]})
    for bar in records(candles.iloc[:3200]):
        pushed = program.push(bar)
        live.push(SYMBOL, bar)
        if program.seen > program.settle:
            row = live.row(SYMBOL, "1m", MODEL_SET)
            assert row.dtype == np.float32
            np.testing.assert_array_equal(row, pushed)
    assert program.seen > program.settle


def test_the_whole_catalogue_has_the_bits_of_a_cache() -> None:
    """Bar by bar at the end, with a benchmark, a sentiment and functions that are not ours."""
    candles = beside(walk(5100, seed=44, outages=[(4900, 4930)]), seed=44)
    names = [*FEATURES, "ta:kst", "ta:supertrend(length=10, multiplier=3).SUPERTd"]
    cache, live = FeatureCache(candles, SYMBOL), LiveFeatures("1m", {"1m": names, "15m": ["vwap"]})
    live.extend(SYMBOL, candles.iloc[:-40])
    live.row(SYMBOL, "1m", names)
    for bar in candles.iloc[-40:].reset_index().to_dict("records"):
        live.push(SYMBOL, bar)
        seen = cache.at(bar["timestamp"] + pd.Timedelta("1min"))
        for timeframe, asked in (("1m", names), ("15m", ["vwap", "sentiment_ema_12"])):
            ours = live.get_features(SYMBOL, timeframe, asked, 3)
            same(ours, seen.get_features(SYMBOL, timeframe, asked, 3))
            assert ours.attrs == seen.get_features(SYMBOL, timeframe, asked, 3).attrs
    assert len(ours) == 3


def test_more_rows_than_were_remembered_are_computed_anew(candles) -> None:
    live = LiveFeatures("1m", {"1m": NAMES})
    for bar in records(candles):
        live.push(SYMBOL, bar)
        if live.seen(SYMBOL) > 600:
            live.row(SYMBOL, "1m", tuple(NAMES))
    whole = FeatureCache(candles, SYMBOL).get_features(SYMBOL, "1m", NAMES, BARS)
    same(live.get_features(SYMBOL, "1m", NAMES, BARS), whole)
    moment = whole.index[1000] + pd.Timedelta("1min")
    same(live.get_features(SYMBOL, "1m", NAMES, 10, end=moment), whole.iloc[991:1001])


def test_each_symbol_has_its_own_bars(candles) -> None:
    live = LiveFeatures()
    for bar in records(candles.iloc[:100]):
        live.push("btc/usdt", bar)
        live.push("ETH-USDT", (bar[0], *(2 * v for v in bar[1:])))
    close = [live.get_features(s, "1m", ["close"]).iloc[-1, 0] for s in ("BTC-USDT", "ETHUSDT")]
    assert close[1] == 2 * close[0]
    assert live.seen("BTC/USDT") == 100


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_the_benchmark_is_the_symbol_that_was_pushed(candles, timeframe) -> None:
    other = walk(BARS, seed=9).loc[candles.index]
    joined = with_benchmark(other, candles)
    cache, live = FeatureCache(joined, "ETH-USDT"), LiveFeatures("1m")
    names = list(BENCHMARK_SET)
    for bar, theirs in zip(records(candles), records(other), strict=True):
        live.push("ETH-USDT", theirs)
        live.push(SYMBOL, bar)
        if live.seen(SYMBOL) in (1501, 1502, 4000):
            same(
                live.get_features("ETH-USDT", timeframe, names, 20),
                cache.at(int(bar[0]) + MINUTE_MS).get_features("ETH-USDT", timeframe, names, 20),
            )
    given = LiveFeatures("1m", benchmark="XRP-USDT")
    given.extend("ETH-USDT", joined)
    ours = given.get_features("ETH-USDT", timeframe, names, 20)
    same(ours, cache.get_features("ETH-USDT", timeframe, names, 20))
    alone = LiveFeatures()
    alone.extend("ETH-USDT", other)
    with pytest.raises(MissingInput, match="push the benchmark's bars"):
        alone.get_features("ETH-USDT", timeframe, names)


def test_frames_stay_what_they_were(candles) -> None:
    """What a strategy keeps does not change with the bars that follow, and holds none of them."""
    live = LiveFeatures("1m", {"1m": ["close"]})
    kept: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    for bar in records(candles):
        live.push(SYMBOL, bar)
        if live.seen(SYMBOL) % 300 == 0:
            shown = live.get_features(SYMBOL, "1m", ["close"], 50)
            kept.append((shown, shown.copy(deep=True)))
    for shown, copy in kept:
        pd.testing.assert_frame_equal(shown, copy, check_exact=True)
        with pytest.raises(ValueError, match="read-only"):
            shown["close"].to_numpy()[0] = 1.0


def test_the_first_row_is_the_first_that_has_settled(candles) -> None:
    live, settle = LiveFeatures(), FeatureProgram(["rsi_14"]).settle
    live.extend(SYMBOL, candles.iloc[:settle])
    for ask in (
        lambda: live.row(SYMBOL, "1m", ("rsi_14",)),
        lambda: live.get_features(SYMBOL, "1m", ["rsi_14"]),
    ):
        with pytest.raises(NotEnoughHistory):
            ask()
    live.extend(SYMBOL, candles.iloc[settle : settle + 1])
    (only,) = live.get_features(SYMBOL, "1m", ["rsi_14"]).to_numpy()
    assert np.float32(only[0]) == live.row(SYMBOL, "1m", ("rsi_14",))[0]


def test_what_it_refuses(candles) -> None:
    live = LiveFeatures("5m")
    with pytest.raises(BadTimeframe, match="cannot be made of 5m"):
        live.get_features(SYMBOL, "1m", ["close"])
    with pytest.raises(BadTimeframe, match="7m"):
        LiveFeatures("5m", {"7m": ["close"]})
    live.push(SYMBOL, (START_MS, 1.0, 1.0, 1.0, 1.0, 1.0))
    with pytest.raises(BadBar, match="does not follow"):
        live.push(SYMBOL, (START_MS, 1.0, 1.0, 1.0, 1.0, 1.0))
    with pytest.raises(BadBar, match="off the grid"):
        live.push(SYMBOL, (START_MS + MINUTE_MS, 1.0, 1.0, 1.0, 1.0, 1.0))
    with pytest.raises(BadBar, match="cannot be"):
        live.push(SYMBOL, (START_MS + 5 * MINUTE_MS, 1.0, 0.5, 1.0, 1.0, 1.0))
    with pytest.raises(NotEnoughHistory, match="574 bars to settle, and 1 5m"):
        live.row(SYMBOL, "5m", ("rsi_14",))
    with pytest.raises(NotEnoughHistory, match="0 15m bars"):
        live.get_features(SYMBOL, "15m", ["rsi_14"])
    with pytest.raises(UnknownFeature):
        live.get_features(SYMBOL, "5m", ["rsy_14"])
    with pytest.raises(FeatureError, match="list of feature names"):
        live.get_features(SYMBOL, "5m", "rsi_14")
    with pytest.raises(FeatureError, match="lookback_bars is 0"):
        live.get_features(SYMBOL, "5m", ["close"], 0)
