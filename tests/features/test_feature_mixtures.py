"""FeatureManager with all kinds of features in one list, and what some of them need besides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import own
from features.errors import FeatureError, LooksAhead, MissingInput, NeverSettles, UnknownFeature
from features.feature_manager import FeatureManager
from features.inputs import c
from features.joined import with_benchmark, with_sentiment
from features.language import ema
from features.program import FeatureProgram
from market.source import open_source

END = "2025-05-28T00:00:00Z"
SOURCE = "simulated:seed=5"
MIXED = [
    "ta:kst", "rsi_14", "my_gap", "ta:supertrend(length=10, multiplier=3).SUPERTd", "sma_37",
    "my_swing", "btc_beta_60", "returns",
]  # fmt: skip


def swing(candles: pd.DataFrame) -> pd.Series:
    return (candles["high"] - candles["low"]).rolling(9).mean() / candles["close"]


@pytest.fixture(autouse=True)
def two_of_ones_own() -> Iterator[None]:
    own.add("my_gap", ema(c, 9) / ema(c, 21) - 1, "Fast average relative to the slow one")
    own.add("my_swing", swing, "Mean range of 9 bars", window=9)
    yield
    for name in own.names():
        own.remove(name)


@pytest.fixture
def manager(tmp_path: Path) -> FeatureManager:
    return FeatureManager(SOURCE, home=tmp_path, end=END)


def sentiment(start: str = "2025-05-20T00:00Z") -> pd.Series:
    hours = pd.date_range(start, END, freq="3h")
    return pd.Series(np.sin(np.arange(len(hours))), index=hours)


def test_all_kinds_come_in_one_frame_settled_and_in_order(manager) -> None:
    frame = manager.get_features("ETH-USDT", "5m", MIXED, lookback_bars=40)
    names = ["ta:kst.KST", "ta:kst.KSTs", *MIXED[1:]]
    assert list(frame.columns) == names
    assert len(frame) == 40
    assert np.isfinite(frame).all(axis=None)
    source = open_source(SOURCE)
    eth, btc = (
        source.fetch(symbol, "5m", "2025-05-15T00:00Z", END) for symbol in ("ETH-USDT", "BTC-USDT")
    )
    full = FeatureProgram(names, "5m").run(with_benchmark(eth, btc), dtype=np.float64)[-40:]
    np.testing.assert_allclose(frame.to_numpy(), full, rtol=1e-8, atol=1e-9)
    foreign = [n for n in names if n.startswith(("ta:", "my_"))]
    assert list(frame.attrs["definitions"]) == foreign


def test_plain_features_are_told_as_before(manager) -> None:
    frame = manager.get_features("ETH-USDT", "5m", ["rsi_14"], 3)
    assert "definitions" not in frame.attrs


def test_the_benchmark_can_be_chosen_and_is_its_own(manager, tmp_path) -> None:
    name = ["btc_return_5"]
    by_btc = manager.get_features("ETH-USDT", "5m", name, 20)
    other = FeatureManager(SOURCE, home=tmp_path, end=END, benchmark="xrp/usdt")
    by_xrp = other.get_features("ETH-USDT", "5m", name, 20)
    assert not by_btc.equals(by_xrp)
    own_return = other.get_features("XRP-USDT", "5m", ["log_return_5"], 20)
    np.testing.assert_array_equal(by_xrp.to_numpy(), own_return.to_numpy())
    itself = manager.get_features("BTC-USDT", "5m", ["btc_return_5", "log_return_5"], 20)
    np.testing.assert_array_equal(itself["btc_return_5"], itself["log_return_5"])


@pytest.mark.parametrize("shape", ["series", "frame", "single", "file", "callable"])
def test_sentiment_comes_in_several_shapes(tmp_path, shape) -> None:
    published = sentiment()
    path = tmp_path / "sentiment.parquet"
    pd.DataFrame({"ETH-USDT": published}).to_parquet(path)
    given = {
        "series": published,
        "frame": pd.DataFrame({"BTC-USDT": published * 2, "ETH-USDT": published}),
        "single": published.to_frame("sentiment"),
        "file": path,
        "callable": lambda symbol: published if symbol == "ETH-USDT" else None,
    }[shape]
    manager = FeatureManager(SOURCE, home=tmp_path, end=END, sentiment=given)
    names = ["sentiment", "sentiment_ema_12", "my_gap"]
    frame = manager.get_features("ETH-USDT", "5m", names, 50)
    candles = open_source(SOURCE).fetch("ETH-USDT", "5m", "2025-05-25T00:00Z", END)
    joined = with_sentiment(candles, published, "5m")
    full = FeatureProgram(names, "5m").run(joined, dtype=np.float64)[-50:]
    np.testing.assert_allclose(frame.to_numpy(), full, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        (["rsi_14", "sentiment_ema_12"], MissingInput, "pass sentiment="),
        (["rsi_14", "ta:kts"], UnknownFeature, "did you mean .*ta:kst"),
        (["rsi_14", "my_gasp"], UnknownFeature, "my_gap"),
        (["rsi_14", "ta:obv"], NeverSettles, "ta:obv: the value at bar"),
        (["rsi_14", "ta:dpo(offset=-2)"], LooksAhead, "looks ahead"),
        (["ta:kst", "ta:kst.KST"], FeatureError, "asked for twice: ta:kst.KST"),
        ("rsi_14", FeatureError, "must be a list"),
    ],
)
def test_each_wrong_name_is_one_clear_error(manager, names, error, words) -> None:
    with pytest.raises(error, match=words):
        manager.get_features("ETH-USDT", "5m", names, 10)


def test_a_benchmark_that_is_not_there_is_one_clear_error(tmp_path) -> None:
    manager = FeatureManager(SOURCE, home=tmp_path, end=END, benchmark="GONE-USDT")
    with pytest.raises(MissingInput, match="compare ETH-USDT with GONE-USDT"):
        manager.get_features("ETH-USDT", "5m", ["btc_beta_60"], 10)


def test_a_sentiment_without_the_symbol_is_one_clear_error(tmp_path) -> None:
    frame = pd.DataFrame({"BTC-USDT": sentiment()})
    manager = FeatureManager(SOURCE, home=tmp_path, end=END, sentiment=frame)
    with pytest.raises(MissingInput, match="none for ETH-USDT"):
        manager.get_features("ETH-USDT", "5m", ["sentiment"], 10)


def test_sentiment_counts_as_long_as_it_is_said_to(tmp_path) -> None:
    published = sentiment().iloc[:-3]  # the last value is nine hours old at the end
    names = ["sentiment", "sentiment_missing"]
    for max_age, missing in ((None, 0), ("10h", 0), (pd.Timedelta("8h"), 1)):
        manager = FeatureManager(
            SOURCE, home=tmp_path, end=END, sentiment=published, sentiment_max_age=max_age
        )
        last = manager.get_features("ETH-USDT", "5m", names, 10).iloc[-1]
        assert last["sentiment_missing"] == missing
        assert (last["sentiment"] == 0) == bool(missing)
    for wrong in ("a day", "0h", "-3h"):
        with pytest.raises(MissingInput, match=r"24h"):
            FeatureManager(SOURCE, home=tmp_path, sentiment_max_age=wrong)


def test_a_function_of_sentiment_that_gives_none_is_one_clear_error(tmp_path) -> None:
    manager = FeatureManager(SOURCE, home=tmp_path, end=END, sentiment=lambda symbol: None)
    with pytest.raises(MissingInput, match="gave NoneType for ETH-USDT; return a Series"):
        manager.get_features("ETH-USDT", "5m", ["sentiment"], 10)


def test_a_column_of_sentiment_may_be_spelt_in_any_way(tmp_path) -> None:
    for spelt in ("ETHUSDT", "eth/usdt", "ETH_USDT"):
        frame = pd.DataFrame({"BTC-USDT": sentiment() * 2, spelt: sentiment()})
        manager = FeatureManager(SOURCE, home=tmp_path, end=END, sentiment=frame)
        last = manager.get_features("ETH-USDT", "5m", ["sentiment"], 1)["sentiment"].iloc[-1]
        assert last == sentiment().iloc[-1]


def test_a_feature_defined_anew_is_computed_anew(manager) -> None:
    first = manager.get_features("ETH-USDT", "5m", ["my_gap"], 10)
    own.add("my_gap", ema(c, 5) / ema(c, 21) - 1, "x", replace=True)
    assert not manager.get_features("ETH-USDT", "5m", ["my_gap"], 10).equals(first)


def test_descriptions_cover_all_kinds(manager) -> None:
    table = manager.describe_features([*MIXED])
    assert table.loc["my_swing", ["group", "unit", "lookback"]].tolist() == ["own", "–", 8]
    assert table.loc["ta:kst.KST", "group"] == "pandas-ta"
    assert {"my_gap", "my_swing"} <= set(manager.list_features())
    assert table.index[0] == "ta:kst.KST"
    assert table.loc["my_gap", "text"] == "Fast average relative to the slow one"
    whole = manager.describe_features()
    assert list(whole.index) == manager.list_features()
