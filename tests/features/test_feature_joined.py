"""What stands beside the candles: a benchmark's close, a sentiment as of its publication."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.errors import MissingInput
from features.joined import with_benchmark, with_sentiment
from features.program import FeatureProgram
from market.errors import BadCandles
from market.resample import resample
from tests.features.walks import walk

CANDLES, OTHER = walk(600, seed=21), walk(600, seed=22)


def test_each_bar_gets_the_benchmarks_close_of_the_same_bar() -> None:
    joined = with_benchmark(CANDLES, OTHER)
    assert np.array_equal(joined["benchmark"], OTHER["close"])
    assert joined.drop(columns="benchmark").equals(CANDLES)


def test_a_bar_the_benchmark_lacks_has_its_last_close_before() -> None:
    joined = with_benchmark(CANDLES, OTHER.drop(OTHER.index[100:103]))
    assert (joined["benchmark"].iloc[99:103] == OTHER["close"].iloc[99]).all()
    assert joined["benchmark"].iloc[103] == OTHER["close"].iloc[103]


def test_a_benchmark_that_begins_later_is_refused() -> None:
    with pytest.raises(MissingInput, match="after 7 of 600 candles"):
        with_benchmark(CANDLES, OTHER.iloc[7:])
    with pytest.raises(MissingInput, match="begins never"):
        with_benchmark(CANDLES, OTHER.iloc[:0])


@pytest.mark.parametrize(("bars", "others"), [("1m", "1h"), ("1h", "1m")])
def test_a_benchmark_of_longer_or_shorter_bars_is_refused(bars, others) -> None:
    """The bar of an hour is labelled by its first minute, and knows its last."""
    with pytest.raises(MissingInput, match=r"s apart and the benchmark's .* bars of one length"):
        with_benchmark(resample(CANDLES, "1m", bars), resample(OTHER, "1m", others))


def test_a_benchmark_that_was_not_repaired_is_refused() -> None:
    with pytest.raises(BadCandles, match="1 rows do not follow"):
        with_benchmark(CANDLES, OTHER.iloc[[0, 2, 1, *range(3, 600)]])


def test_a_symbol_beside_itself_has_beta_one() -> None:
    program = FeatureProgram(["btc_beta_60", "btc_corr_60", "btc_residual_20", "btc_vol_ratio_20"])
    last = program.run(with_benchmark(CANDLES, CANDLES), dtype=np.float64)[-1]
    np.testing.assert_allclose(last, [1, 1, 0, 1], atol=1e-12)


@pytest.mark.parametrize(("seconds", "first"), [(0, 9), (1, 10), (59, 10), (60, 10), (61, 11)])
def test_sentiment_is_known_from_its_publication_on(seconds, first) -> None:
    """Published at the close of bar 9 or before it closes, bar 9 is the first to know."""
    moment = CANDLES.index[10] + pd.Timedelta(seconds=seconds)
    joined = with_sentiment(CANDLES, pd.Series([0.4], index=[moment]), "1m")
    known = np.flatnonzero(joined["sentiment"].notna())
    assert known[0] == first
    assert len(known) == len(CANDLES) - first
    assert (joined["sentiment"].iloc[first:] == 0.4).all()


def test_old_sentiment_stops_counting() -> None:
    published = pd.Series([0.1, np.nan, -0.2], index=CANDLES.index[[10, 20, 100]])
    joined = with_sentiment(CANDLES, published, "1m", max_age="30min")
    # A minute old when bar 10 closes, thirty when bar 39 does.
    assert (joined["sentiment"].iloc[9:40] == 0.1).all()
    assert joined["sentiment"].iloc[40:99].isna().all()
    assert (joined["sentiment"].iloc[99:130] == -0.2).all()
    assert joined["sentiment"].iloc[130:].isna().all()


def test_no_sentiment_at_all_is_neutral_and_says_so() -> None:
    empty = pd.Series([], index=pd.DatetimeIndex([], tz="UTC"), dtype=float)
    program = FeatureProgram(["sentiment", "sentiment_ema_12", "sentiment_missing"])
    values = program.run(with_sentiment(CANDLES, empty, "1m", max_age="1h"))
    assert (values[program.lookback :] == [0, 0, 1]).all()


def test_moments_need_a_zone_and_an_order() -> None:
    naive = pd.Series([0.1], index=pd.DatetimeIndex(["2023-11-15"]))
    with pytest.raises(MissingInput, match="zone"):
        with_sentiment(CANDLES, naive, "1m")
    late = pd.Series([0.1, 0.2], index=CANDLES.index[[9, 3]])
    with pytest.raises(MissingInput, match="out of order"):
        with_sentiment(CANDLES, late, "1m")


def test_a_sentiment_in_words_is_refused() -> None:
    words = pd.Series(["greed", "fear"], CANDLES.index[[10, 20]])
    with pytest.raises(MissingInput, match=r"no number: .*greed"):
        with_sentiment(CANDLES, words, "1m")
