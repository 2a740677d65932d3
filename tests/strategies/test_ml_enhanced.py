"""Strategies: signals that cannot be wrong in form, and the example that trades at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from strategies.base_strategy import SIDE_OF, BaseStrategy, Signal
from strategies.ml_enhanced import MLEnhancedStrategy
from tests.models import tiny

BAR = ("BTC-USDT", 100.0, 1.0, 1_748_390_400_000, None)


class FakeFeatures:
    """Answers with constant columns, and remembers what it was asked."""

    def __init__(self, rsi: float) -> None:
        self.rsi = rsi
        self.asked: list[tuple[str, str, list[str]]] = []

    def get_features(self, symbol: str, timeframe: str, feature_list: list[str]) -> pd.DataFrame:
        self.asked.append((symbol, timeframe, feature_list))
        frame = pd.DataFrame(np.zeros((3, len(feature_list))), columns=feature_list)
        if timeframe == "5m":
            frame["rsi_14"] = [50.0, 50.0, self.rsi]
        frame.attrs["timeframe"] = timeframe
        return frame


def strategy(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, up: bool, risky: bool = False
) -> MLEnhancedStrategy:
    registry = PredictionModelRegistry(home / "models")
    for kind, high in (("direction", up), ("risk", risky)):
        tiny.bundle(registry.root, kind, bias=1.0 if high else -1.0)
        registry.promote(Slot("majors", kind, "1m"), "v1")
    monkeypatch.setenv("TIDEWHEEL_HOME", str(home))
    return MLEnhancedStrategy()


@pytest.mark.parametrize(("rsi", "up", "side"), [(25.0, True, "LONG"), (75.0, False, "SHORT")])
def test_it_trades_where_rule_and_model_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rsi: float, up: bool, side: str
) -> None:
    made = strategy(tmp_path, monkeypatch, up=up)
    fm = FakeFeatures(rsi)
    signal = made.detect(*BAR, fm)
    assert signal is not None
    assert (signal.symbol, signal.signal, signal.strategy) == (
        "BTC-USDT",
        side,
        "ml_enhanced_momentum",
    )
    assert signal.confidence == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-6)
    assert signal.details["technical"] == rsi
    assert SIDE_OF[signal.details["ml_direction"]] == side
    assert signal.details["risk_score"] < 50
    assert ("BTC-USDT", "1m", list(tiny.NAMES)) in fm.asked


@pytest.mark.parametrize(
    ("rsi", "up", "risky"),
    [(25.0, False, False), (75.0, True, False), (25.0, True, True), (50.0, True, False)],
    ids=["model says down", "model says up", "risky", "no extreme"],
)
def test_it_stays_out_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rsi: float, up: bool, risky: bool
) -> None:
    made = strategy(tmp_path, monkeypatch, up=up, risky=risky)
    assert made.detect(*BAR, FakeFeatures(rsi)) is None


def test_a_coin_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = PredictionModelRegistry(tmp_path / "models")
    for kind, bias in (("direction", 0.0), ("risk", -1.0)):
        tiny.bundle(registry.root, kind, bias=bias)
        registry.promote(Slot("majors", kind, "1m"), "v1")
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    assert MLEnhancedStrategy().detect(*BAR, FakeFeatures(25.0)) is None


@pytest.mark.parametrize("side", ["UP", "DOWN", "long", ""])
def test_a_signal_is_long_or_short(side: str) -> None:
    with pytest.raises(ValueError, match="LONG or SHORT"):
        Signal("BTC-USDT", side, "s", 0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        Signal("BTC-USDT", "LONG", "s", confidence)


def test_a_strategy_must_say_how_it_detects() -> None:
    with pytest.raises(TypeError, match="detect"):
        BaseStrategy()  # type: ignore[abstract]
