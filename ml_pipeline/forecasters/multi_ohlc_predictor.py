"""Four boosters that forecast the next candle, fed back for as many bars as wanted."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb

from ml_pipeline.forecasters.predictor import ForecasterPredictor, Metrics
from models.forecasters.forecaster import MULTI_OHLC


class MultiOHLCPredictor(ForecasterPredictor):
    """Forecasts whole candles: gap, body and the two wicks of the next bar, step after step.

    Every candle is possible by construction: ``high = max(open, close) e^u`` and
    ``low = min(open, close) e^-v`` with u, v >= 0. What ``metrics`` calls open is the gap
    ln(open / close before), close is the body ln(close / open), high and low are u and v.
    For the parameters see `AutoregressivePricePredictor`.
    """

    type = MULTI_OHLC

    @property
    def models(self) -> dict[str, lgb.Booster]:
        """The boosters, by ``open close high low``."""
        return self.boosters

    def _told(self, measured: dict[str, dict[str, dict[str, float]]]) -> Metrics:
        return dict(measured)

    def _by_name(self) -> dict[str, Any]:
        return {name: self.metrics[name] for name in ("open", "high", "low", "close")}
