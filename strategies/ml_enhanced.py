"""ML-enhanced momentum: trade against RSI extremes, if the direction model agrees and risk is low.

An example to start from. Direction is right little more often than wrong (51 to 52 of 100 at best):
the gross edge of such trades is below taker fees, so this is a pattern and not an income.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from models.common.base_model import BaseModel
from strategies.asked_model import AskedModel, declared
from strategies.base_strategy import SIDE_OF, BaseStrategy, Features, Side, Signal
from strategies.exits import Exit, MaxBars, OppositeSignal, StopLoss, TakeProfit
from strategies.sizing import FixedFraction, Sizing

if TYPE_CHECKING:
    import pandas as pd

OVERBOUGHT, OVERSOLD = 70.0, 30.0
CALM = 50.0
COIN = 0.5


class MLEnhancedStrategy(BaseStrategy):
    """RSI extremes, confirmed by the direction and risk models.

    Parameters
    ----------
    direction, risk : str or BaseModel
        Models, as `load_model` names them, or themselves. Names follow their champion while the
        strategy runs.
    rsi_timeframe : str
        Bars of the RSI; the models read bars of their own timeframe.
    """

    name: ClassVar[str] = "ml_enhanced_momentum"
    sizing: ClassVar[Sizing] = FixedFraction(0.1)
    exits: ClassVar[tuple[Exit, ...]] = (
        StopLoss(0.01), TakeProfit(0.01), MaxBars(60), OppositeSignal(),
    )  # fmt: skip

    def __init__(
        self,
        direction: str | BaseModel = "model_001",
        risk: str | BaseModel = "model_002",
        *,
        rsi_timeframe: str = "5m",
    ) -> None:
        self.direction_model = AskedModel(direction)
        self.risk_model = AskedModel(risk)
        self.rsi_timeframe = rsi_timeframe
        self.features = declared(self.direction_model, self.risk_model)

    def detect(
        self,
        symbol: str,
        price: float,
        volume: float,
        ts_ms: int,
        df: pd.DataFrame | None,
        fm: Features,
    ) -> Signal | None:
        """Return LONG when oversold, SHORT when overbought, if the models agree; else None."""
        fm = self.sees(fm, ts_ms)
        rsi = float(fm.get_features(symbol, self.rsi_timeframe, ["rsi_14"])["rsi_14"].iloc[-1])
        side = _technical_side(rsi)
        if side is None:
            return None
        direction = self.direction_model.about(symbol, fm)
        risk = self.risk_model.about(symbol, fm)
        # Models say UP or DOWN, signals LONG or SHORT: compared as they are, they never agree.
        agrees = SIDE_OF[direction["direction"]] == side
        # A champion that is a coin (the baseline, where nothing beats it) has no opinion to follow.
        if not agrees or direction["confidence"] <= COIN or risk >= CALM:
            return None
        return Signal(
            symbol=symbol,
            signal=side,
            strategy=self.name,
            confidence=direction["confidence"],
            details={
                "technical": rsi,
                "ml_direction": direction["direction"],
                "risk_score": float(risk),
            },
        )


def _technical_side(rsi: float) -> Side | None:
    if rsi > OVERBOUGHT:
        return "SHORT"
    return "LONG" if rsi < OVERSOLD else None
