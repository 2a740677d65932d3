"""ML-predictive: trade when the forecast return is large, and the model sure enough of its sign.

An example to start from. On real candles an hour's return is hardly predictable: a price model that
is honest about it seldom expects 0.2 % with a confidence of 0.7, so with these thresholds expect
few trades, or none. Lower ones trade more and pay more fees; see docs/strategies.md.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from models.common.base_model import BaseModel
from strategies.asked_model import AskedModel, declared
from strategies.base_strategy import BaseStrategy, Features, Signal
from strategies.exits import Exit, MaxBars, OppositeSignal, StopLoss
from strategies.sizing import ConfidenceScaled, Sizing

if TYPE_CHECKING:
    import pandas as pd


class MLPredictiveStrategy(BaseStrategy):
    """LONG above a forecast return, SHORT below its negative.

    Parameters
    ----------
    model_path : str, path or BaseModel
        A price model: a name as `load_model` takes it, its folder, or itself.
    min_predicted_return : float
        Least size of the forecast return over the model's horizon, a fraction.
    confidence_threshold : float
        Least probability that its sign is right, 0 to 1.
    """

    name: ClassVar[str] = "ml_predictive"
    sizing: ClassVar[Sizing] = ConfidenceScaled(0.5)
    exits: ClassVar[tuple[Exit, ...]] = (StopLoss(0.02), MaxBars(60), OppositeSignal())

    def __init__(
        self,
        model_path: str | os.PathLike[str] | BaseModel = "price",
        min_predicted_return: float = 0.002,
        confidence_threshold: float = 0.7,
    ) -> None:
        self.model = AskedModel(_named(model_path))
        self.min_predicted_return = min_predicted_return
        self.confidence_threshold = confidence_threshold
        self.features = declared(self.model)

    def detect(
        self,
        symbol: str,
        price: float,
        volume: float,
        ts_ms: int,
        df: pd.DataFrame | None,
        fm: Features,
    ) -> Signal | None:
        """Return a signal on the side of the forecast, if it is large and sure enough."""
        forecast = self.model.about(symbol, self.sees(fm, ts_ms), price)
        predicted = math.expm1(forecast["expected_return"])
        confidence = forecast["confidence"]
        if abs(predicted) < self.min_predicted_return or confidence < self.confidence_threshold:
            return None
        return Signal(
            symbol=symbol,
            signal="LONG" if predicted > 0 else "SHORT",
            strategy=self.name,
            confidence=confidence,
            details={"predicted_return": predicted},
        )


def _named(model: str | os.PathLike[str] | BaseModel) -> str | BaseModel:
    """Return a folder as the name of the model in it: ``./models/NAME``, or its whole path."""
    if isinstance(model, BaseModel):
        return model
    text = os.fspath(model)
    return Path(text).name if os.path.isabs(text) or text.startswith(".") else text
