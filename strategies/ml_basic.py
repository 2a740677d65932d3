"""ML basic: follow the price model of each symbol, when it expects more than the trade costs.

An example of models found by themselves: a symbol's own model where there is one, else the one that
serves its scope. It trades when the forecast is worth a round trip, which is seldom.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from models.common.base_model import BaseModel
from models.common.errors import ModelNotFound
from models.common.registry import parse_kind
from strategies.asked_model import AskedModel
from strategies.base_strategy import BaseStrategy, Features, Side, Signal
from strategies.costs import BPS, Costs
from strategies.errors import BadTerms
from strategies.exits import Exit, MaxBars, OppositeSignal

if TYPE_CHECKING:
    import pandas as pd


class MLBasicStrategy(BaseStrategy):
    """Trades the sign of the forecast return where its size is above the costs.

    Parameters
    ----------
    model_name : str or BaseModel, optional
        One model for all symbols; by default each symbol's, found when it is first looked at.
    timeframe : str
        Bars that the models read.
    least : float
        Forecast return, a fraction, that is worth a trade; by default what a round trip costs.
    """

    name: ClassVar[str] = "ml_basic"
    exits: ClassVar[tuple[Exit, ...]] = (MaxBars(60), OppositeSignal())

    def __init__(
        self,
        model_name: str | BaseModel | None = None,
        timeframe: str = "1h",
        least: float = Costs().round_trip_bps * BPS,
    ) -> None:
        self.model_name, self.timeframe, self.least = model_name, timeframe, least
        self._models: dict[str, AskedModel] = {}

    def detect(
        self,
        symbol: str,
        price: float,
        volume: float,
        ts_ms: int,
        df: pd.DataFrame | None,
        fm: Features,
    ) -> Signal | None:
        """Return a signal on the side of the forecast, if it is worth its costs."""
        forecast = self._model(symbol).about(symbol, self.sees(fm, ts_ms), price)
        predicted = math.expm1(forecast["expected_return"])
        if abs(predicted) <= self.least:
            return None
        side: Side = "LONG" if predicted > 0 else "SHORT"
        details = {"predicted_return": predicted}
        return Signal(symbol, side, self.name, forecast["confidence"], details)

    def _model(self, symbol: str) -> AskedModel:
        if symbol not in self._models:
            self._models[symbol] = self._find(symbol)
        return self._models[symbol]

    def _find(self, symbol: str) -> AskedModel:
        if self.model_name is not None:
            return AskedModel(self.model_name, self.timeframe)
        try:
            return AskedModel(f"{symbol}/price", self.timeframe)
        except ModelNotFound:
            return AskedModel("price", self.timeframe)


def create_ml_basic_strategy(
    name: str = "MlBasic",
    sequence_length: int = 120,
    model_name: str | None = None,
    model_type: str = "basic",
    timeframe: str = "1h",
) -> MLBasicStrategy:
    """Return an `MLBasicStrategy` under a name of its own.

    Parameters
    ----------
    name : str
        What its signals say.
    sequence_length : int
        Bars that a network would read at once. These models read the features of one bar, which
        take what history they need by themselves, so that it changes nothing.
    model_name : str, optional
        As `load_model` takes it; by default the registry is asked for each symbol's.
    model_type : str
        A kind that forecasts a return: ``"basic"`` or ``"price"``.
    timeframe : str
        Bars that the models read.

    Raises
    ------
    BadTerms
        A kind that forecasts no return, or a length under 1 bar.
    models.common.errors.BadName
        No kind.
    """
    if parse_kind(model_type) != "price":
        raise BadTerms(f"{model_type} models forecast no return; take basic, or write a strategy")
    if sequence_length < 1:
        raise BadTerms(f"sequence_length is {sequence_length}; a bar has 1 or more before it")
    named = type("NamedMLBasic", (MLBasicStrategy,), {"name": name})
    made: MLBasicStrategy = named(model_name, timeframe)
    return made
