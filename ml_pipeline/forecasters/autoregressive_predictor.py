"""One booster that forecasts the next close, fed back for as many bars as wanted."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb

from ml_pipeline.forecasters.predictor import ForecasterPredictor, Metrics
from models.forecasters.forecaster import AUTOREGRESSIVE


class AutoregressivePricePredictor(ForecasterPredictor):
    """Forecasts closes: the next bar's log return, step after step.

    Parameters
    ----------
    n_steps_ahead : int
        How many bars ahead.
    lookback_periods : sequence of int
        Windows of the features that the booster reads.
    model_params : mapping, optional
        LightGBM parameters beside `ml_pipeline.forecasters.boosting.DEFAULTS`.
    timeframe : str, optional
        Length of a bar; by default as the candles say.
    features : sequence of str, optional
        Features to read instead: scale-free ones that candles alone can tell.
    seed : int
        Of the fit.

    Examples
    --------
    >>> predictor = AutoregressivePricePredictor(n_steps_ahead=300)
    >>> train_data, test_data = predictor.prepare_data(df)  # doctest: +SKIP
    >>> predictor.train(train_data)["val"]["r2"]  # doctest: +SKIP
    0.0012
    >>> predictor.predict(test_data)["predicted_price_60"]  # doctest: +SKIP
    """

    type = AUTOREGRESSIVE

    @property
    def model(self) -> lgb.Booster:
        """The booster."""
        return self.boosters["return"]

    def _told(self, measured: dict[str, dict[str, dict[str, float]]]) -> Metrics:
        return dict(measured["return"])

    def _by_name(self) -> dict[str, Any]:
        return {"return": {part: self.metrics[part] for part in ("train", "val")}}
