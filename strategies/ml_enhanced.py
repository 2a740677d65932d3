"""ML-enhanced momentum: trade against RSI extremes, if the direction model agrees and risk is low.

An example to start from. Direction is right little more often than wrong (51 to 52 of 100 at best):
the gross edge of such trades is below taker fees, so this is a pattern and not an income.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from models.common.base_model import BaseModel
from models.common.predictor import load_model
from strategies.base_strategy import SIDE_OF, BaseStrategy, Features, Side, Signal

if TYPE_CHECKING:
    import pandas as pd

OVERBOUGHT, OVERSOLD = 70.0, 30.0
CALM = 50.0
COIN = 0.5


class MLEnhancedStrategy(BaseStrategy):
    """RSI extremes on 5-minute bars, confirmed by the direction and risk models on 1-minute bars.

    Parameters
    ----------
    direction, risk : str
        Models, as `load_model` names them. Both follow their champion while the strategy runs.
    """

    name: ClassVar[str] = "ml_enhanced_momentum"

    def __init__(self, direction: str = "model_001", risk: str = "model_002") -> None:
        self.direction_model = load_model(direction)
        self.risk_model = load_model(risk)

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
        rsi = float(fm.get_features(symbol, "5m", ["rsi_14"])["rsi_14"].iloc[-1])
        side = _technical_side(rsi)
        if side is None:
            return None
        direction = self.direction_model.predict(_latest(self.direction_model, symbol, fm))
        risk = self.risk_model.predict(_latest(self.risk_model, symbol, fm))
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


def _latest(model: BaseModel, symbol: str, fm: Features) -> pd.DataFrame:
    return fm.get_features(symbol, "1m", model.features).iloc[-1:]
