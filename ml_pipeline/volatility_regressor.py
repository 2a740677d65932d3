"""Volatility of the next one and four hours: boosted trees (LightGBM) on what HAR leaves over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ml_pipeline.lesson import Lesson
from ml_pipeline.predictor import Predictor
from ml_pipeline.trees import TreeMargin, from_lightgbm

_WINSOR_SHARE = 0.01
"""Share of residuals pulled in at each end: dead hours must not steer the trees."""


def fit_lightgbm(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> TreeMargin:
    """Boost the residual of ln RV² for each horizon on one binned copy of the features."""
    rounds = int(hyperparams["n_estimators"])
    params = {
        "objective": "regression",
        "boost_from_average": False,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
        **{name: value for name, value in hyperparams.items() if name != "n_estimators"},
    }
    residual = lesson.y - lesson.base
    low, high = np.quantile(residual, [_WINSOR_SHARE, 1 - _WINSOR_SHARE], axis=0)
    residual = np.clip(residual, low, high)
    residual = residual - residual.mean(axis=0)
    data = lgb.Dataset(lesson.X, label=residual[:, 0], params=params, free_raw_data=False)
    boosters = []
    for k in range(residual.shape[1]):
        data.set_label(residual[:, k])
        boosters.append(lgb.train(params, data, num_boost_round=rounds))

    def predict(X: NDArray[np.float32]) -> NDArray[np.float64]:
        raw = [booster.predict(X, num_threads=1) for booster in boosters]
        return np.stack(raw, axis=1)

    gain = [booster.feature_importance("gain") for booster in boosters]
    trees = tuple(from_lightgbm(booster) for booster in boosters)
    return TreeMargin(predict, trees, np.sum(gain, axis=0))


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
