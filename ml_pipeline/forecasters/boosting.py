"""Fit boosters on the next bar; stop early on later bars; measure on bars later still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

DEFAULTS: Mapping[str, Any] = {
    "objective": "regression",
    "metric": "rmse",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "max_depth": 7,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "min_data_in_leaf": 200,
    "lambda_l2": 10.0,
}
_FIXED: Mapping[str, Any] = {
    "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1,
}  # fmt: skip


@dataclass(frozen=True)
class Blocks:
    """Rows of a history by what they are for, with a purged bar between: see `blocks`."""

    fit: Rows
    watch: Rows
    later: Rows


def blocks(rows: Rows, validation_split: float) -> Blocks:
    """Split rows in order of time: fit, then watch (early stopping), then measure and calibrate.

    The last `validation_split` of them are not fitted on; half of those watch. Labels reach one
    bar ahead, so one bar between two blocks belongs to neither.
    """
    later = max(int(len(rows) * validation_split), 2)
    first, second = len(rows) - later, len(rows) - later // 2
    return Blocks(rows[: first - 1], rows[first : second - 1], rows[second:])


def boost(
    X: NDArray[np.float32],
    targets: Floats,
    parts: Blocks,
    names: Sequence[str],
    params: Mapping[str, Any],
    rounds: int,
    patience: int | None,
    seed: int,
    mean: Sequence[bool],
) -> list[lgb.Booster]:
    """Return one booster a column of `targets` [n, K], on one binned copy of the features.

    `mean` says which start from their mean: wicks do; returns start from nought, the random walk.
    """
    told = {**DEFAULTS, **params, **_FIXED, "seed": seed}
    train = lgb.Dataset(
        X[parts.fit], targets[parts.fit, 0], feature_name=list(names), params=told,
        free_raw_data=False,
    )  # fmt: skip
    watched = lgb.Dataset(
        X[parts.watch], targets[parts.watch, 0], reference=train, free_raw_data=False
    )
    stop: list[Any] = [lgb.early_stopping(patience, verbose=False)] if patience else []
    found = []
    for k, start in enumerate(mean):
        train.set_label(targets[parts.fit, k])
        watched.set_label(targets[parts.watch, k])
        told_k = {**told, "boost_from_average": start}
        booster = lgb.train(told_k, train, rounds, valid_sets=[watched], callbacks=stop)
        found.append(_kept(booster))
    return found


def _kept(booster: lgb.Booster) -> lgb.Booster:
    """Return the booster as its text says it, up to its best round."""
    best = booster.best_iteration or booster.current_iteration()
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=best))


def figures(y: Floats, forecast: Floats, naive: Floats) -> dict[str, float]:
    """Return R², RMSE and MAE of a forecast, beside those of the naive one.

    Parameters
    ----------
    y, forecast : float64 [n]
        Logs of ratios: returns, or wicks.
    naive : float64 [n]
        The naive forecast: nought for returns, the mean wick (in σ) for wicks.
    """
    error, simple = y - forecast, y - naive
    total = float(np.square(y - y.mean()).sum()) or np.finfo(float).tiny
    return {
        "r2": 1 - float(np.square(error).sum()) / total,
        "r2_naive": 1 - float(np.square(simple).sum()) / total,
        "skill": 1 - float(np.square(error).sum()) / (float(np.square(simple).sum()) or 1.0),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "rmse_naive": float(np.sqrt(np.square(simple).mean())),
        "mae": float(np.abs(error).mean()),
        "mae_naive": float(np.abs(simple).mean()),
        "rows": len(y),
    }


def measured(
    boosters: Mapping[str, lgb.Booster], X: Any, targets: Floats, unit: Floats, parts: Blocks
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the `figures` of each booster, by its name and ``train`` or ``val``.

    Parameters
    ----------
    X, targets, unit
        Features [n, F], targets [n, K] in units of σ, and that unit [n]: figures are of logs of
        ratios.
    """
    told: dict[str, dict[str, dict[str, float]]] = {}
    for k, (name, booster) in enumerate(boosters.items()):
        naive = targets[parts.fit, k].mean() if name in ("high", "low") else 0.0
        told[name] = {}
        for part, rows in (("train", parts.fit), ("val", parts.later)):
            y, sigma = targets[rows, k] * unit[rows], unit[rows]
            forecast = np.asarray(booster.predict(X[rows], num_threads=1)) * sigma
            told[name][part] = figures(y, forecast, naive * sigma)
    return told


def wick(targets: Floats, parts: Blocks) -> float:
    """Return by how much wicks must be lengthened to make up for bodies that are forecast 0."""
    if targets.shape[1] == 1:
        return 1.0
    wicks = targets[parts.fit, 2:].sum(axis=1).mean()
    return float(1 + np.abs(targets[parts.fit, 1]).mean() / wicks) if wicks > 0 else 1.0
