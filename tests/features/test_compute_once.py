"""FeatureCache: a live manager's answers at every moment, looked up instead of computed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.compute_once import FeatureCache
from features.errors import FeatureError, MissingInput, NotEnoughHistory, UnknownFeature
from features.feature_manager import FeatureManager
from features.joined import with_benchmark, with_sentiment
from features.model_set import MODEL_SET
from features.program import FeatureProgram
from market.errors import BadTimeframe
from market.resample import resample
from tests.features.walks import MINUTE_MS, START_MS, walk

REAL = Path(os.environ.get("TIDEWHEEL_REAL_CANDLES") or Path(__file__).parents[3] / "shared/data")
# Windows and recursive averages, prices and ratios, a session that begins at midnight.
NAMES = ["ema_20", "rsi_14", "returns", "close", "volume_sma_20", "macd_histogram", "zscore_50"]
BARS = 4000
HOLE = range(2102, 2130)  # leaves 5m buckets incomplete
MOMENTS = [
    START_MS + minutes * MINUTE_MS + extra
    for minutes, extra in [(2150, 0), (2153, 0), (2154, 59_999), (3001, 1), (BARS, 0)]
]


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    whole = walk(BARS, seed=41, outages=[(900, 950)])
    return whole.drop(whole.index[list(HOLE)])


@pytest.fixture(scope="module")
def live(candles, tmp_path_factory) -> FeatureManager:
    """A manager over the same candles in files; 5m bars are made of the 1m ones."""
    folder = tmp_path_factory.mktemp("files")
    candles.reset_index().to_parquet(folder / "BTC-USDT_1m.parquet")
    return FeatureManager(f"files:{folder}", home=tmp_path_factory.mktemp("home"))


@pytest.fixture
def cache(candles) -> FeatureCache:
    return FeatureCache(candles, "btc/usdt")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("timeframe", "names"), [("1m", NAMES), ("5m", ["atr_14", "close"])])
def test_it_answers_with_the_bits_of_a_live_manager(cache, live, moment, timeframe, names) -> None:
    # So many rows that the manager's history begins where the cache's does.
    asked = ("BTC-USDT", timeframe, names, BARS)
    expected = live.get_features(*asked, end=moment)
    seen = cache.at(moment).get_features(*asked)
    pd.testing.assert_frame_equal(seen, expected, check_exact=True)
    assert len(seen) > 50
    assert (seen.attrs["symbol"], seen.attrs["timeframe"]) == ("BTC-USDT", timeframe)


@pytest.mark.parametrize("timeframe", ["1m", "5min"])
def test_a_row_is_the_last_of_the_frame(cache, timeframe) -> None:
    for moment in MOMENTS:
        seen = cache.at(moment)
        row = seen.row("BTC/USDT", timeframe, ["close", "atr_14"])
        frame = seen.get_features("BTC-USDT", timeframe, ["close", "atr_14"])
        assert row.dtype == np.float32
        assert row.tolist() == frame.iloc[-1].astype(np.float32).tolist()
    with pytest.raises(NotEnoughHistory, match="settle"):
        cache.at(START_MS + 5 * MINUTE_MS).row("BTC-USDT", timeframe, ["rsi_14"])
    with pytest.raises(FeatureError, match="the cache ends at"):
        cache.at(START_MS + (BARS + 9) * MINUTE_MS).row("BTC-USDT", timeframe, ["close"])


def test_what_is_shown_has_memory_of_its_own(cache) -> None:
    shown = cache.at(MOMENTS[0]).get_features("BTC-USDT", "1m", ["close", "rsi_14"], 10)
    for each in (shown.values, shown.index.asi8, shown["close"].to_numpy()):
        while each is not None:
            assert each.shape[-1] <= 10
            assert len(each) <= 10
            each = each.base


def test_a_live_manager_with_less_history_differs_by_what_settling_leaves(cache, live) -> None:
    moment, names = MOMENTS[-1], [name for name in NAMES if name != "rsi_14"]
    expected = live.get_features("BTC-USDT", "1m", names, 100, end=moment)
    seen = cache.at(moment).get_features("BTC-USDT", "1m", names, 100)
    assert list(seen.index) == list(expected.index)
    windows = ["returns", "close", "volume_sma_20", "zscore_50"]
    pd.testing.assert_frame_equal(seen[windows], expected[windows], check_exact=True)
    pd.testing.assert_frame_equal(seen, expected, check_exact=False, rtol=1e-8, atol=1e-9)
    assert not seen.equals(expected)


def test_every_row_is_the_one_a_live_program_gave_at_its_bar(candles, cache) -> None:
    program = FeatureProgram(NAMES)
    for when, bar in candles.iloc[:600].iterrows():
        row = program.push(bar)
        moment = when + pd.Timedelta("1min")
        if program.seen > program.settle:
            seen = cache.at(moment).get_features("BTC-USDT", "1m", NAMES, 1)
            assert seen.index[-1] == when
            assert np.array_equal(seen.to_numpy(np.float32)[0], row)


def test_no_later_row_can_be_had_from_a_view(cache, candles) -> None:
    moment = MOMENTS[0]
    seen = cache.at(moment)
    for end in (None, moment, MOMENTS[-1], "2100-01-01T00:00Z"):
        for timeframe, step in (("1m", 1), ("5m", 5)):
            frame = seen.get_features("BTC-USDT", timeframe, ["close"], 10**6, end)
            assert frame.index[-1] + pd.Timedelta(minutes=step) <= pd.Timestamp(
                moment, unit="ms", tz="UTC"
            )
    earlier = seen.get_features("BTC-USDT", "1m", ["close"], 1, end=moment - MINUTE_MS)
    assert earlier.index[0] == pd.Timestamp(moment - 2 * MINUTE_MS, unit="ms", tz="UTC")


def test_another_future_changes_nothing_that_was_seen(candles, cache) -> None:
    cut, moment = 2500, MOMENTS[1]
    other = candles.copy()
    other.iloc[cut:] *= 3.0
    changed = FeatureCache(other, "BTC-USDT")
    for timeframe in ("1m", "5m"):
        asked = ("BTC-USDT", timeframe, ["ema_20", "returns", "close"], 300)
        assert cache.at(moment).get_features(*asked).equals(changed.at(moment).get_features(*asked))
        assert not cache.get_features(*asked).equals(changed.get_features(*asked))


def test_what_is_done_to_an_answer_does_not_reach_the_cache(cache) -> None:
    asked = ("BTC-USDT", "1m", ["close", "rsi_14"], 20)
    first = cache.at(MOMENTS[0]).get_features(*asked)
    kept = first.copy()
    first.iloc[:, :] = 0.0
    first["more"] = 1.0
    first.attrs["symbol"] = "other"
    again = cache.at(MOMENTS[0]).get_features(*asked)
    pd.testing.assert_frame_equal(again, kept, check_exact=True)
    assert again.attrs["symbol"] == "BTC-USDT"


def test_each_name_is_computed_once_whatever_lists_it_is_in(candles, monkeypatch) -> None:
    computed: list[str] = []
    run = FeatureProgram.run

    def counted(self, *args, **options):
        computed.extend(self.names)
        return run(self, *args, **options)

    monkeypatch.setattr(FeatureProgram, "run", counted)
    cache = FeatureCache(candles, "BTC-USDT", names=["close", "rsi_14"])
    assert computed == ["close", "rsi_14"]
    for moment in MOMENTS:
        seen = cache.at(moment)
        for names in (["rsi_14"], ["rsi_14", "return_1"], ["return_1", "close", "rsi_14"]):
            frame = seen.get_features("BTC-USDT", "1m", names, 5)
            assert list(frame.columns) == names
            if "close" in names:
                assert frame["close"].equals(candles["close"].loc[frame.index])
    assert computed == ["close", "rsi_14", "return_1"]


def test_the_defaults_are_those_of_a_manager(cache) -> None:
    frame = cache.at(MOMENTS[-1]).get_features("BTC-USDT", "1m")
    assert tuple(frame.columns) == MODEL_SET
    assert len(frame) == 500
    assert np.isfinite(frame).all(axis=None)
    whole = cache.get_features("BTC-USDT", "1m", ["close"], 1, end=MOMENTS[-1])
    assert whole.equals(cache.get_features("BTC-USDT", "1m", ["close"], 1))


@pytest.mark.filterwarnings("ignore")  # what pandas-ta says about itself
def test_indicators_of_pandas_ta_are_looked_up_too(candles, live) -> None:
    cache, moment = FeatureCache(candles.iloc[:1400], "BTC-USDT"), MOMENTS[0] - 900 * MINUTE_MS
    asked = ("BTC-USDT", "1m", ["ta:macd", "close"], BARS)
    expected = live.get_features(*asked, end=moment)
    seen = cache.at(moment).get_features(*asked)
    pd.testing.assert_frame_equal(seen, expected, check_exact=True)
    assert len(seen.columns) > 2
    assert seen.attrs["definitions"] == expected.attrs["definitions"]


def test_symbol_and_timeframe_are_read_off_the_candles(candles) -> None:
    named = candles.copy()
    named.attrs = {"symbol": "eth_usdt", "simulated": True}
    cache = FeatureCache(named)
    assert (cache.symbol, cache.timeframe) == ("ETH-USDT", "1m")
    assert cache.get_features("ETH-USDT", "1m", ["close"], 1).attrs["simulated"] is True
    nameless = FeatureCache(candles)
    nameless.get_features("XRP-USDT", "1m", ["close"])
    with pytest.raises(FeatureError, match="holds XRP-USDT and not BTC-USDT"):
        nameless.get_features("BTC-USDT", "1m", ["close"])


def test_what_cannot_be_answered_is_refused(cache, candles) -> None:
    seen = cache.at(START_MS + 200 * MINUTE_MS)
    with pytest.raises(FeatureError, match="holds BTC-USDT and not ETH-USDT"):
        seen.get_features("ETH-USDT", "1m", ["close"])
    with pytest.raises(NotEnoughHistory, match=r"take 574 bars to settle.*has 200 1m bars"):
        seen.get_features("BTC-USDT", "1m", ["rsi_14"])
    with pytest.raises(UnknownFeature, match="rsi_14"):
        seen.get_features("BTC-USDT", "1m", ["rsi14"])
    with pytest.raises(FeatureError, match="must be a list"):
        seen.get_features("BTC-USDT", "1m", "rsi_14")
    with pytest.raises(FeatureError, match="twice"):
        seen.get_features("BTC-USDT", "1m", ["close", "close"])
    with pytest.raises(FeatureError, match="lookback_bars is 0"):
        seen.get_features("BTC-USDT", "1m", ["close"], 0)
    with pytest.raises(BadTimeframe, match="multiple"):
        seen.get_features("BTC-USDT", "30s", ["close"])
    with pytest.raises(FeatureError, match="said to be 5m"):
        FeatureCache(candles, "BTC-USDT", "5m")


def test_bars_are_not_taken_for_shorter_ones(candles) -> None:
    """A 5m bar read as a 1m bar would show four minutes before it closes."""
    five = candles.iloc[::5]
    with pytest.raises(FeatureError, match="5m apart and were said to be 1m"):
        FeatureCache(five, "BTC-USDT", "1m")


def test_a_cache_does_not_pass_for_the_present(cache) -> None:
    """Bars that must have closed since are not in it: its last row is old."""
    cache.at(MOMENTS[-1] + MINUTE_MS - 1).get_features("BTC-USDT", "1m", ["close"], 1)
    with pytest.raises(FeatureError, match=r"ends at.*disable_feature_cache"):
        cache.at(MOMENTS[-1] + MINUTE_MS).get_features("BTC-USDT", "1m", ["close"], 1)


def test_a_benchmark_and_a_sentiment_go_along_into_longer_bars(candles) -> None:
    """As if they had been joined to the longer bars: both are what was known at the close."""
    names = ["btc_return_1", "sentiment", "sentiment_missing", "btc_corr_60"]
    other = walk(BARS, seed=42)
    hours = pd.date_range("2023-11-15T00:10Z", periods=60, freq="67min")
    published = pd.Series(np.random.default_rng(5).standard_normal(60), hours)

    def joined(frame: pd.DataFrame, benchmark: pd.DataFrame, timeframe: str) -> pd.DataFrame:
        return with_sentiment(with_benchmark(frame, benchmark), published, timeframe, "65min")

    cache = FeatureCache(joined(candles, other, "1m"), "ETH-USDT")
    for timeframe in ("1m", "5m"):
        frames = [resample(frame, "1m", timeframe) for frame in (candles, other)]
        expected = FeatureProgram(names, timeframe).run(
            joined(*frames, timeframe), dtype=np.float64
        )
        seen = cache.get_features("ETH-USDT", timeframe, names, BARS)
        assert np.array_equal(seen.to_numpy(), expected[-len(seen) :])
        assert 0 < seen["sentiment_missing"].mean() < 1
    with pytest.raises(MissingInput, match="benchmark"):
        FeatureCache(candles, "ETH-USDT").get_features("ETH-USDT", "1m", names)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real candles in {REAL}")
def test_it_answers_as_a_live_manager_on_real_candles(tmp_path) -> None:
    live = FeatureManager(f"files:{REAL}", home=tmp_path)
    candles = pd.read_parquet(REAL / "ETH-USDT_1m.parquet")
    cache = FeatureCache(candles, "ETH-USDT")
    first = int(cache.end.timestamp() * 1000) - (len(candles) - 5000) * MINUTE_MS
    for moment in (first, first + 7 * MINUTE_MS):
        asked = ("ETH-USDT", "1m", list(MODEL_SET), 6000)
        expected = live.get_features(*asked, end=moment)
        pd.testing.assert_frame_equal(
            cache.at(moment).get_features(*asked), expected, check_exact=True
        )
