"""Five models a bar, and the seed's table: one model with features anew, cached and pushed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from bench.backtest.clock import Timed
from bench.serve.team import SYMBOLS, Team
from features.engineer import PriceFeatureEngineer
from features.program import FeatureProgram
from market.timeframes import utc
from models.common.opening import Opening, opening
from strategies.asked_model import AskedModel, declared
from strategies.backtest_engine import BacktestEngine, How
from strategies.base_strategy import SIDE_OF, BaseStrategy, Signal
from strategies.ml_predictive import MLPredictiveStrategy

KINDS = ("direction", "risk", "price", "momentum", "volatility")
SYMBOL = SYMBOLS[0]
SEED_BARS = (300, 1_000)


class FiveModels(BaseStrategy):
    """Asks all five models at every bar, and follows direction where it is calm."""

    name: ClassVar[str] = "five_models"

    def __init__(self) -> None:
        self.models = {kind: AskedModel(kind) for kind in KINDS}
        self.features = declared(*self.models.values())

    def detect(self, symbol, price, volume, ts_ms, df, fm):  # type: ignore[no-untyped-def]
        """Return a side where direction is sure enough and risk is low."""
        said = {kind: model.about(symbol, fm, price) for kind, model in self.models.items()}
        if said["risk"] >= 50 or said["direction"]["confidence"] < 0.51:
            return None
        side = SIDE_OF[said["direction"]["direction"]]
        return Signal(symbol, side, self.name, said["direction"]["confidence"])


def five_models(team: Team, bars: int, features: How) -> dict[str, float]:
    """Return bars a second of the event path with five models, and how many trades it made."""
    with opening(Opening(team.home)):
        strategy = FiveModels()
    timed = Timed(strategy)
    start = team.candles.index[-bars] + pd.Timedelta("1min")
    run = BacktestEngine(strategy, features=features).account(team.candles, SYMBOL, start)
    return {"rate": timed.rate(), "bars": float(timed.bars), "trades": float(len(run.trades))}


@dataclass
class Anew:
    """Answers like a feature manager, and computes the whole history anew each time."""

    candles: pd.DataFrame
    end_ms: int = 0

    def get_features(self, symbol: str, timeframe: str, feature_list: list[str]) -> pd.DataFrame:
        """Return features of all bars closed by now, computed here and now."""
        window = self.candles[self.candles.index < utc(self.end_ms)]
        program = FeatureProgram(feature_list, timeframe)
        return pd.DataFrame(program.run(window), window.index, feature_list)


class Uncached(MLPredictiveStrategy):
    """The example strategy without any memory: at each bar all features of all bars again."""

    def __init__(self, candles: pd.DataFrame) -> None:
        super().__init__("price")
        self._anew = Anew(candles)

    def sees(self, fm, ts_ms):  # type: ignore[no-untyped-def]
        """Return who computes anew."""
        self._anew.end_ms = ts_ms
        return self._anew


def seed_table(team: Team) -> list[dict[str, Any]]:
    """Return seconds for 300 and 1,000 bars, by how features are had, in one run."""
    rows = []
    for bars in SEED_BARS:
        candles = team.candles
        found: dict[str, Any] = {"bars": bars}
        with opening(Opening(team.home)):
            found["anew"] = _seconds(Uncached(candles), candles, bars)
            cached = MLPredictiveStrategy("price")
            found["computed"] = _once(cached, candles)
            found["cached"] = _seconds(cached, candles, bars) + found["computed"]
            found["pushed"] = _seconds(MLPredictiveStrategy("price"), candles, bars)
        found["engineer"] = _engineer(candles.iloc[-bars:])
        rows.append(found)
    return rows


def _seconds(strategy: BaseStrategy, candles: pd.DataFrame, bars: int) -> float:
    """Return the seconds of a whole backtest: warm-up, bars and account."""
    start = candles.index[-bars] + pd.Timedelta("1min")
    begun = time.process_time()
    BacktestEngine(strategy).account(candles, SYMBOL, start)
    return time.process_time() - begun


def _once(strategy: MLPredictiveStrategy, candles: pd.DataFrame) -> float:
    begun = time.process_time()
    strategy.enable_feature_cache(candles, SYMBOL, names=strategy.model.features)
    return time.process_time() - begun


def _engineer(candles: pd.DataFrame) -> float:
    """Return the seconds of the document's own loop: its engineer over a growing window."""
    engineer = PriceFeatureEngineer()
    begun = time.process_time()
    for end in range(1, len(candles) + 1):
        engineer.engineer_features(candles.iloc[:end])
    return time.process_time() - begun
