"""Boosted trees of XGBoost on what a baseline of ln RV² leaves over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ml_pipeline import leftovers
from ml_pipeline.lesson import Lesson
from ml_pipeline.trees import TreeMargin, from_xgboost

_ROUNDS = "n_estimators"


def fit_variances(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> TreeMargin:
    """Boost the residual of ln RV² for each horizon on one binned copy of the features."""
    params = {name: value for name, value in hyperparams.items() if name != _ROUNDS}
    params |= {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "base_score": 0.0,
        "nthread": 1,
        "seed": seed,
    }
    data = xgb.QuantileDMatrix(lesson.X, nthread=1, max_bin=int(hyperparams["max_bin"]))
    boosters = []
    for residual in leftovers.of_variances(lesson).T:
        data.set_label(residual)
        boosters.append(xgb.train(params, data, int(hyperparams[_ROUNDS])))

    def predict(X: NDArray[np.float32]) -> NDArray[np.float64]:
        raw = [booster.inplace_predict(X, predict_type="margin") for booster in boosters]
        return np.stack(raw, axis=1).astype(np.float64)

    importance = np.zeros(lesson.X.shape[1])
    for booster in boosters:
        for name, gain in booster.get_score(importance_type="total_gain").items():
            importance[int(name.removeprefix("f"))] += np.sum(gain)
    trees = tuple(from_xgboost(booster) for booster in boosters)
    return TreeMargin(predict, trees, importance)
