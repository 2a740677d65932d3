"""Volatility of the next one and four hours: boosted trees (LightGBM) on what HAR leaves over."""

from __future__ import annotations

from ml_pipeline.predictor import Predictor


class VolatilityRegressor(Predictor):
    """Predict the volatility of the next one and four hours, not annualised.

    Examples
    --------
    >>> regressor = VolatilityRegressor()  # doctest: +SKIP
    >>> regressor.train(symbols=["BTC-USDT"], timeframe="5m")  # doctest: +SKIP
    >>> regressor.predict(symbol="BTC-USDT")["predicted_volatility_4h"]  # doctest: +SKIP
    0.0145
    """

    kind = "volatility"
