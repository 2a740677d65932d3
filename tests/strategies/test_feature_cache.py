"""A strategy with a feature cache: the same signals, and no look ahead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from features.errors import FeatureError
from features.feature_manager import FeatureManager
from market.candles import open_ms
from strategies.base_strategy import BaseStrategy, Signal
from strategies.ml_enhanced import MLEnhancedStrategy
from tests.features.walks import MINUTE_MS, walk

ROOT = Path(__file__).parents[2]
SYMBOL = "BTC-USDT"


class Contrarian(BaseStrategy):
    """Trades against RSI; tells which bar it was looking at."""

    name = "contrarian"

    def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
        seen = self.sees(fm, ts_ms).get_features(symbol, "5m", ["rsi_14"])
        rsi = seen["rsi_14"].iloc[-1]
        if 40 < rsi < 60:
            return None
        side = "SHORT" if rsi > 50 else "LONG"
        return Signal(symbol, side, self.name, 0.5, {"rsi": rsi, "bar": seen.index[-1]})


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return walk(4000, seed=51)


@pytest.fixture
def live(candles, tmp_path) -> FeatureManager:
    candles.reset_index().to_parquet(tmp_path / "BTC-USDT_1m.parquet")
    return FeatureManager(f"files:{tmp_path}", home=tmp_path / "home")


def signals(strategy: BaseStrategy, candles: pd.DataFrame, fm, bars: range) -> list[Signal | None]:
    closes = open_ms(candles) + MINUTE_MS
    return [strategy.detect(SYMBOL, 1.0, 1.0, int(closes[i]), None, fm) for i in bars]


def test_the_signals_are_those_without_a_cache(candles, live) -> None:
    strategy, bars = Contrarian(), range(3600, 4000, 21)
    slow = []
    for i in bars:  # a live manager whose clock stands at each bar
        live.end = int(open_ms(candles)[i]) + MINUTE_MS
        slow += signals(strategy, candles, live, range(i, i + 1))
    strategy.enable_feature_cache(candles)
    fast = signals(strategy, candles, None, bars)
    assert [s and (s.signal, s.details["bar"]) for s in fast] == [
        s and (s.signal, s.details["bar"]) for s in slow
    ]
    pairs = [(a.details["rsi"], b.details["rsi"]) for a, b in zip(fast, slow, strict=True) if a]
    assert len(pairs) > 5
    assert all(a == pytest.approx(b, rel=1e-8) for a, b in pairs)


def test_detect_sees_bars_closed_by_its_moment_only(candles) -> None:
    strategy = Contrarian()
    strategy.enable_feature_cache(candles)
    made = [s for s in signals(strategy, candles, None, range(3600, 3650)) if s]
    closes = {s.details["bar"] + pd.Timedelta("5min") for s in made}
    assert made
    assert max(closes) <= candles.index[3650]
    seen = strategy.sees(None, int(open_ms(candles)[3650]))
    assert seen.get_features(SYMBOL, "1m", ["close"]).index[-1] == candles.index[3649]


def test_without_a_cache_the_manager_is_asked(candles, live) -> None:
    strategy = Contrarian()
    assert strategy.sees(live, 0) is live
    strategy.enable_feature_cache(candles)
    assert strategy.sees(live, 0) is not live
    strategy.disable_feature_cache()
    assert strategy.sees(live, 0) is live
    with pytest.raises(ValueError, match="enable_feature_cache"):
        strategy.sees(None, 0)


def test_a_cache_belongs_to_one_strategy_and_one_symbol_each(candles) -> None:
    one, other = Contrarian(), Contrarian()
    one.enable_feature_cache(candles, SYMBOL)
    one.enable_feature_cache(candles * 2.0, "ETH-USDT")
    moment = int(open_ms(candles)[2000])
    seen = one.sees(None, moment)
    close = [seen.get_features(s, "1m", ["close"])["close"].iloc[-1] for s in (SYMBOL, "ETH/USDT")]
    assert close[1] == 2.0 * close[0]
    with pytest.raises(FeatureError, match="BTC-USDT, ETH-USDT and not XRP-USDT"):
        seen.get_features("XRP-USDT", "1m", ["close"])
    one.enable_feature_cache(candles * 3.0, SYMBOL)
    again = one.sees(None, moment).get_features(SYMBOL, "1m", ["close"])["close"].iloc[-1]
    assert again == 3.0 * close[0]
    with pytest.raises(ValueError, match="no feature manager"):
        other.sees(None, moment)


def test_the_example_strategy_looks_features_up(candles, monkeypatch) -> None:
    """Once enabled, it needs no manager at all."""
    monkeypatch.setattr(
        MLEnhancedStrategy, "__init__", lambda self: vars(self).update(rsi_timeframe="5m")
    )
    strategy = MLEnhancedStrategy()
    strategy.enable_feature_cache(candles, names=["close"])
    asked = []
    monkeypatch.setattr("strategies.ml_enhanced._technical_side", lambda rsi: asked.append(rsi))
    assert signals(strategy, candles, None, range(3999, 4000)) == [None]
    expected = strategy.enable_feature_cache(candles).get_features(SYMBOL, "5m", ["rsi_14"], 1)
    assert asked == [expected["rsi_14"].iloc[-1]]


def test_a_strategy_without_a_cache_imports_no_engine() -> None:
    code = "import sys, strategies.ml_enhanced; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
