"""Direction: will the price be higher in five bars? Boosted trees (XGBoost)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ml_pipeline.lesson import Lesson
from ml_pipeline.predictor import Predictor
from ml_pipeline.trees import TreeMargin, from_xgboost


def fit_xgboost(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> TreeMargin:
    """Boost log-odds from the baseline's onward; the margin is what the trees add to it."""
    model = xgb.XGBClassifier(
        objective="binary:logistic",
        tree_method="hist",
        base_score=0.5,
        n_jobs=1,
        random_state=seed,
        **hyperparams,
    )
    # An array, not a frame: the booster keeps no names that would have to be cleared again.
    model.fit(lesson.X, lesson.y[:, 0], base_margin=lesson.base[:, 0])
    booster = model.get_booster()

    def predict(X: NDArray[np.float32]) -> NDArray[np.float64]:
        margin = booster.inplace_predict(X, predict_type="margin", base_margin=np.zeros(len(X)))
        return np.asarray(margin, dtype=np.float64).reshape(-1, 1)

    gain = booster.get_score(importance_type="total_gain")
    importance = np.array([gain.get(f"f{i}", 0.0) for i in range(lesson.X.shape[1])])
    return TreeMargin(predict, (from_xgboost(booster),), importance)


class DirectionPredictor(Predictor):
    """Predict UP or DOWN for the next `prediction_horizon` bars.

    Examples
    --------
    >>> predictor = DirectionPredictor()  # doctest: +SKIP
    >>> predictor.train(symbols=["BTC-USDT"], lookback_bars=4000)  # doctest: +SKIP
    >>> predictor.predict(symbol="BTC-USDT")  # doctest: +SKIP
    {'direction': 'UP', 'confidence': 0.51, 'probability': 0.51}
    """

    kind = "direction"
