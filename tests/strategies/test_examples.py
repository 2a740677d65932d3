"""The example strategies: what each of them decides, and that each of them trades at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.common.base_model import BaseModel
from models.common.errors import BadName
from models.common.registry import PredictionModelRegistry
from models.common.risk_score import RiskScore
from models.common.slot import Slot
from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy, Signal
from strategies.costs import Costs
from strategies.errors import BadTerms
from strategies.ml_basic import MLBasicStrategy, create_ml_basic_strategy
from strategies.ml_enhanced import MLEnhancedStrategy
from strategies.ml_predictive import MLPredictiveStrategy
from strategies.volatility_target import VolatilityTargetStrategy
from tests.features.walks import walk
from tests.models import tiny

SYMBOL = "BTC-USDT"
BAR = (SYMBOL, 100.0, 1.0, 1_748_390_400_000, None)


class Told(BaseModel):
    """A model that answers what it was told, and remembers what it was asked."""

    features, info = ["return_1"], {"timeframe": "1m"}  # type: ignore[assignment]

    def __init__(self, kind: str, answer: Any) -> None:
        self._kind, self.answer = kind, answer
        self.closes: list[Any] = []

    @property
    def kind(self) -> str:
        return self._kind

    def predict(self, features: Any, *, close: Any = None) -> Any:
        self.closes.append(close)
        return self.answer(features) if callable(self.answer) else self.answer


class Row:
    """Features of one bar."""

    def get_features(self, symbol: str, timeframe: str, feature_list: list[str]) -> pd.DataFrame:
        frame = pd.DataFrame(np.zeros((1, len(feature_list))), columns=feature_list)
        frame.attrs["timeframe"] = timeframe
        return frame


def forecast(expected: float, confidence: float = 0.8) -> dict[str, float]:
    return {"expected_return": math.log1p(expected), "confidence": confidence}


@pytest.mark.parametrize(
    ("expected", "confidence", "side"),
    [
        (0.0021, 0.71, "LONG"),
        (-0.0021, 0.71, "SHORT"),
        (0.0019, 0.9, None),
        (-0.0019, 0.9, None),
        (0.01, 0.69, None),
    ],
)
def test_ml_predictive_trades_large_and_sure_forecasts(expected, confidence, side) -> None:
    model = Told("price", forecast(expected, confidence))
    signal = MLPredictiveStrategy(model).detect(*BAR, Row())
    assert (signal and signal.signal) == side
    assert model.closes == [100.0]
    if signal is not None:
        assert signal.confidence == confidence
        assert signal.details["predicted_return"] == pytest.approx(expected)


def test_ml_predictive_takes_names_and_folders(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    registry = PredictionModelRegistry(tmp_path / "models")
    folder = tiny.bundle(registry.root, "price", "v1")
    registry.promote(Slot("majors", "price", "1m"), "v1")
    for path in ("price", "v1", "majors/price", "./models/v1", str(folder), folder):
        assert MLPredictiveStrategy(path).model.model.info["version_name"] == "v1"


@pytest.mark.parametrize(
    ("expected", "side"), [(0.0013, "LONG"), (-0.0013, "SHORT"), (0.0011, None)]
)
def test_ml_basic_trades_what_is_worth_its_costs(expected, side, tmp_path, monkeypatch) -> None:
    assert Costs().round_trip_bps == 12.0
    model = Told("price", forecast(expected))
    monkeypatch.setattr("strategies.asked_model.load_model", lambda name, timeframe: model)
    signal = create_ml_basic_strategy("Mine").detect(*BAR, Row())
    assert (signal and (signal.signal, signal.strategy)) == (side and (side, "Mine"))


def test_ml_basic_finds_the_model_of_each_symbol(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    registry = PredictionModelRegistry(tmp_path / "models")
    for scope in ("majors", "BTC-USDT"):
        tiny.bundle(registry.root, "price", f"of-{scope}", scope=scope, timeframe="1h")
        registry.promote(Slot(scope, "price", "1h"), f"of-{scope}")
    strategy = create_ml_basic_strategy(
        name="MlBasic", sequence_length=120, model_name=None, model_type="basic", timeframe="1h"
    )
    found = {s: strategy._model(s).model.version_id for s in ("BTC-USDT", "ETH-USDT")}
    assert found == {"BTC-USDT": "of-BTC-USDT", "ETH-USDT": "of-majors"}
    named = create_ml_basic_strategy(model_name="of-majors")
    assert named._model("BTC-USDT").model.version_id == "of-majors"
    assert MLBasicStrategy.name == "ml_basic"
    with pytest.raises(BadTerms, match="forecast no return"):
        create_ml_basic_strategy(model_type="risk")
    with pytest.raises(BadName):
        create_ml_basic_strategy(model_type="astrology")
    with pytest.raises(BadTerms, match="sequence_length is 0"):
        create_ml_basic_strategy(sequence_length=0)


def by_bar(low: Any, high: Any) -> Any:
    """Answer one thing in even hours and another in odd ones."""
    return lambda rows: high if rows.index[-1].hour % 2 else low


def direction(rows: pd.DataFrame) -> dict[str, Any]:
    return {"direction": "UP" if rows.index[-1].minute % 2 else "DOWN", "confidence": 0.6}


EXAMPLES: dict[str, Any] = {
    "ml_enhanced": lambda: MLEnhancedStrategy(
        Told("direction", direction), Told("risk", RiskScore(20.0, 0.1)), rsi_timeframe="1m"
    ),
    "ml_predictive": lambda: MLPredictiveStrategy(
        Told("price", by_bar(forecast(-0.01), forecast(0.01)))
    ),
    "ml_basic": lambda: MLBasicStrategy(),
    "volatility_target": lambda: VolatilityTargetStrategy(
        Told(
            "volatility",
            by_bar({"predicted_volatility_4h": 0.008}, {"predicted_volatility_4h": 0.016}),
        )
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("features", ["push", "once"])
def test_each_of_them_trades(name, features, monkeypatch) -> None:
    basic = Told("price", by_bar(forecast(-0.01), forecast(0.01)))
    monkeypatch.setattr("strategies.asked_model.load_model", lambda name, timeframe: basic)
    strategy: BaseStrategy = EXAMPLES[name]()
    candles = walk(1600, seed=81)
    run = BacktestEngine(strategy, features=features).account(candles, SYMBOL)
    assert len(run.trades) >= 3
    assert set(run.trades["side"]) == (
        {"LONG"} if name == "volatility_target" else {"LONG", "SHORT"}
    )
    assert run.strategy == strategy.name


def test_the_volatility_target_is_held(monkeypatch) -> None:
    """Each hour the forecast doubles or halves, and the position follows it the other way."""
    strategy = EXAMPLES["volatility_target"]()
    run = BacktestEngine(strategy, costs=Costs.none()).account(walk(1600, seed=81), SYMBOL)
    exposure = run.exposure[SYMBOL].iloc[2:]
    hours = exposure.index.hour
    annual = {0: 0.008 * math.sqrt(2190), 1: 0.016 * math.sqrt(2190)}
    settled = exposure.index.minute > 3
    for odd, volatility in annual.items():
        held = exposure[(hours % 2 == odd) & settled]
        assert held.to_numpy() == pytest.approx(0.2 / volatility, rel=0.3)
    later = (*BAR[:3], BAR[3] + 60_000, None)
    signal = strategy.detect(*later, _Hourly())
    assert isinstance(signal, Signal)
    assert strategy.sizing.notional(signal, 1000.0, 100.0, None) == pytest.approx(
        1000.0 * 0.2 / annual[0]
    )


def test_symbols_share_the_volatility_target() -> None:
    candles = {"BTC-USDT": walk(1600, seed=81), "ETH-USDT": walk(1600, seed=82)}
    run = BacktestEngine(EXAMPLES["volatility_target"](), costs=Costs.none()).account(candles)
    alone = 0.2 / (0.016 * math.sqrt(2190))
    quiet = (run.exposure.index.hour == 3) & (run.exposure.index.minute > 3)
    assert run.exposure[quiet].to_numpy() == pytest.approx(alone / 2, rel=0.3)
    assert not run.refused


class _Hourly(Row):
    def get_features(self, symbol: str, timeframe: str, feature_list: list[str]) -> pd.DataFrame:
        frame = super().get_features(symbol, timeframe, feature_list)
        return frame.set_axis(pd.DatetimeIndex(["2025-05-28T00:00Z"]))
