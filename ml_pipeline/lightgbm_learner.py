"""Boosted trees of LightGBM: events from the baseline's log-odds on, or what a baseline leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ml_pipeline import leftovers
from ml_pipeline.lesson import Lesson
from ml_pipeline.trees import TreeMargin, from_lightgbm

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

_ROUNDS = "n_estimators"


def fit_events(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> TreeMargin:
    """Boost log-odds from the baseline's onward; the margin is what the trees add to it."""
    return _boost(lesson, lesson.y, hyperparams, seed, "binary", lesson.base)


def fit_returns(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> TreeMargin:
    """Boost the return in units of its σ."""
    return _boost(lesson, leftovers.of_returns(lesson), hyperparams, seed)


def fit_variances(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> TreeMargin:
    """Boost the residual of ln RV² for each horizon on one binned copy of the features."""
    return _boost(lesson, leftovers.of_variances(lesson), hyperparams, seed)


def _boost(
    lesson: Lesson,
    target: Floats,
    hyperparams: Mapping[str, Any],
    seed: int,
    objective: str = "regression",
    start: Floats | None = None,
) -> TreeMargin:
    """Boost each column of `target` [n, K] from `start` on; the margin is what the trees add."""
    params = {
        "objective": objective,
        "boost_from_average": False,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
        **{name: value for name, value in hyperparams.items() if name != _ROUNDS},
    }
    first = None if start is None else start[:, 0]
    data = lgb.Dataset(lesson.X, target[:, 0], init_score=first, params=params, free_raw_data=False)
    boosters = []
    for k in range(target.shape[1]):
        data.set_label(target[:, k])
        boosters.append(lgb.train(params, data, num_boost_round=int(hyperparams[_ROUNDS])))

    def predict(X: Matrix) -> Floats:
        raw = [booster.predict(X, raw_score=True, num_threads=1) for booster in boosters]
        return np.stack(raw, axis=1)

    gain = [booster.feature_importance("gain") for booster in boosters]
    trees = tuple(from_lightgbm(booster) for booster in boosters)
    return TreeMargin(predict, trees, np.sum(gain, axis=0))
