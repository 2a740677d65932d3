"""FeatureManager: settled values of any symbol by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import FeatureError, NotEnoughHistory, UnknownFeature
from features.feature_manager import FeatureManager
from features.model_set import MODEL_SET
from features.program import FeatureProgram
from market.candles import empty_candles, open_ms
from market.source import open_source
from market.store import CandleStore
from market.timeframes import instant_ms
from tests.features.walks import MINUTE_MS, START_MS, walk

END = "2025-05-28T00:00:00Z"
# Slow ones: ema_200 remembers for more than two thousand bars.
NAMES = ["ema_200", "rsi_14", "returns", "close", "adx_14", "close_to_vwap"]


class Stored:
    """A source that has certain candles and counts what it was asked for."""

    simulated = True
    name = "stored"

    def __init__(self, candles: pd.DataFrame) -> None:
        self.candles = candles
        self.asked: list[tuple[int, int]] = []

    def fetch(self, symbol, timeframe, start, end) -> pd.DataFrame:
        first, last = instant_ms(start), instant_ms(end)
        self.asked.append((first, last))
        times = open_ms(self.candles)
        inside = (times >= first) & (times < last)
        return self.candles[inside] if inside.any() else empty_candles()


@pytest.fixture
def manager(tmp_path: Path) -> FeatureManager:
    return FeatureManager("simulated:seed=5", home=tmp_path, end=END)


def test_the_first_row_is_as_settled_as_the_last(manager) -> None:
    """The same bars, asked for with ten thousand bars of history before them."""
    short = manager.get_features("BTC-USDT", "1m", NAMES, lookback_bars=50)
    source = open_source("simulated:seed=5")
    candles = source.fetch("BTC-USDT", "1m", "2025-05-15T00:00:00Z", END)
    full = FeatureProgram(NAMES).run(candles, dtype=np.float64)[-50:]
    assert len(short) == 50
    np.testing.assert_allclose(short.to_numpy(), full, rtol=1e-8, atol=1e-9)
    # Not so with the look-back alone.
    hasty = FeatureProgram(["ema_200"]).run(candles.iloc[-250:], dtype=np.float64)[-50:, 0]
    assert (np.abs(hasty / full[:, 0] - 1) > 1e-6).any()


def test_columns_come_as_asked_for_and_know_where_they_are_from(manager) -> None:
    frame = manager.get_features("btc/usdt", "1min", NAMES, lookback_bars=20)
    assert list(frame.columns) == NAMES
    assert str(frame.index.tz) == "UTC"
    assert frame.index[-1] == pd.Timestamp("2025-05-27T23:59Z")
    assert frame.notna().all(axis=None)
    assert frame.attrs == {
        "symbol": "BTC-USDT",
        "timeframe": "1m",
        "source": manager.source.name,
        "simulated": True,
    }


def test_the_model_set_is_the_default(manager) -> None:
    frame = manager.get_features("ETH-USDT", "5m")
    assert tuple(frame.columns) == MODEL_SET
    assert len(frame) == 500
    assert np.isfinite(frame).all(axis=None)


def test_a_moment_can_be_chosen_for_each_call(manager) -> None:
    earlier = manager.get_features("BTC-USDT", "1h", ["close"], 3, end="2025-05-20T10:30:00Z")
    assert earlier.index[-1] == pd.Timestamp("2025-05-20T09:00Z")


def test_the_clock_is_the_default_end(tmp_path) -> None:
    frame = FeatureManager("simulated", home=tmp_path).get_features("BTC-USDT", "1m", ["close"], 2)
    age = pd.Timestamp.now("UTC") - frame.index[-1]
    assert pd.Timedelta("1min") <= age < pd.Timedelta("3min")


def test_no_arguments_are_needed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEWHEEL_SOURCE", raising=False)
    manager = FeatureManager()
    assert manager.get_features("XRP-USDT", "5m", ["rsi_14"]).attrs["simulated"] is True
    assert list(tmp_path.rglob("5m.parquet"))


def test_stored_bars_are_not_asked_for_again(tmp_path) -> None:
    source = Stored(walk(3000, seed=31))
    manager = FeatureManager(source, home=tmp_path, end=START_MS + 3000 * MINUTE_MS)
    first = manager.get_features("BTC-USDT", "1m", ["rsi_14"], 100)
    asked = len(source.asked)
    assert manager.get_features("BTC-USDT", "1m", ["rsi_14"], 100).equals(first)
    assert len(source.asked) == asked


def test_bars_lost_to_gaps_are_made_up_for(tmp_path) -> None:
    candles = walk(3000, seed=32)
    holed = candles.drop(candles.index[2700:2750])
    manager = FeatureManager(
        Stored(holed), store=CandleStore(tmp_path, "stored"), end=START_MS + 3000 * MINUTE_MS
    )
    frame = manager.get_features("BTC-USDT", "1m", ["rsi_14"], 300)
    assert len(frame) == 300
    full = FeatureProgram(["rsi_14"]).run(holed, dtype=np.float64)[-300:]
    np.testing.assert_allclose(frame.to_numpy(), full, rtol=1e-8)


def test_a_young_symbol_gives_fewer_rows_or_a_clear_error(tmp_path) -> None:
    source = Stored(walk(400, seed=33))
    manager = FeatureManager(source, home=tmp_path, end=START_MS + 400 * MINUTE_MS)
    assert len(manager.get_features("NEW-USDT", "1m", ["atr_14"], 300)) == 400 - 294
    with pytest.raises(NotEnoughHistory, match=r"ema_200 takes 2272 bars.*has 400 1m bars"):
        manager.get_features("NEW-USDT", "1m", ["rsi_14", "ema_200"], 300)


def test_unknown_names_are_refused(manager) -> None:
    with pytest.raises(UnknownFeature, match="rsi_14"):
        manager.get_features("BTC-USDT", "1m", ["rsi14"])


def test_the_catalogue_can_be_read(manager) -> None:
    table = manager.describe_features()
    assert list(table.index) == manager.list_features()
    assert table.loc["atr_14", ["group", "unit", "lookback", "settle"]].tolist() == [
        "volatility", "price", 14, 294,
    ]  # fmt: skip
    assert table["text"].str.len().min() > 10


def test_what_a_strategy_loads_stays_small() -> None:
    heavy = ["torch", "xgboost", "lightgbm", "sklearn", "onnx", "mlflow", "prefect", "ccxt"]
    code = f"import sys, features.feature_manager; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_no_rows_cannot_be_asked_for(manager) -> None:
    with pytest.raises(FeatureError, match="lookback_bars is 0"):
        manager.get_features("BTC-USDT", "1m", ["close"], 0)
