"""Volatility target: always long, but never with more risk than was chosen.

An example of a model that sizes instead of signalling. Where prices go is hardly predictable, how
far they swing is: the volatility models are the ones that most clearly beat their baselines. This
strategy has no opinion on direction and earns what the market does, at a steadier risk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from models.common.base_model import BaseModel
from strategies.asked_model import AskedModel, declared
from strategies.base_strategy import BaseStrategy, Features, Signal
from strategies.exits import Exit

if TYPE_CHECKING:
    import pandas as pd

    from strategies.window import Seen

FORECASTS_A_YEAR = 6 * 365  # of four hours; the next hour's swings more, and costs twice the fees


@dataclass(frozen=True)
class ForecastVolatility:
    """Sizing: so much that the volatility of all positions, as forecast, is the one chosen.

    Parameters
    ----------
    annual : float
        Volatility wanted, a fraction a year of 365 days.
    most : float
        Largest fraction of equity, for times when nothing moves.
    rebalance : float
        How far the position may be off before it is corrected, as a share of itself.
    """

    annual: float = 0.2
    most: float = 1.0
    rebalance: float = 0.4

    def notional(self, signal: Signal, equity: float, price: float, seen: Seen) -> float:
        """Return ``equity · min(most, annual / forecast) / symbols``, quote currency."""
        whole = min(self.most, self.annual / float(signal.details["forecast"]))
        return equity * whole / int(signal.details["symbols"])


class VolatilityTargetStrategy(BaseStrategy):
    """Long at each bar, sized by the volatility model; several symbols share the risk.

    Coins move together, so that equal shares come close to the volatility that was chosen.

    Parameters
    ----------
    volatility : str or BaseModel
        A model as `load_model` names it, or itself.
    annual : float
        Volatility wanted, a fraction a year; 0.2 is a third of what major coins do.
    """

    name: ClassVar[str] = "volatility_target"
    exits: ClassVar[tuple[Exit, ...]] = ()  # held for good; only its size changes

    def __init__(self, volatility: str | BaseModel = "volatility", annual: float = 0.2) -> None:
        self.model = AskedModel(volatility)
        self.sizing = ForecastVolatility(annual)
        self.features = declared(self.model)
        self._since: dict[str, int] = {}

    def detect(
        self,
        symbol: str,
        price: float,
        volume: float,
        ts_ms: int,
        df: pd.DataFrame | None,
        fm: Features,
    ) -> Signal | None:
        """Return LONG, with the confidence of a coin and the volatility to be sized by."""
        if self._since.setdefault(symbol, ts_ms) == ts_ms:
            return None  # after one close it is known how many symbols there are
        four_hours = self.model.about(symbol, self.sees(fm, ts_ms))["predicted_volatility_4h"]
        forecast = four_hours * math.sqrt(FORECASTS_A_YEAR)
        told = {"forecast": forecast, "symbols": len(self._since)}
        return Signal(symbol, "LONG", self.name, 0.5, told)
