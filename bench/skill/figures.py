"""The figures of a recipe over all folds, beside its baseline on the very same rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.skill.walk import Walk
from ml_pipeline import losses
from ml_pipeline.skill import Verdict, judge
from ml_pipeline.tasks import EVENT_SHARE, Task

Floats = NDArray[np.float64]
CLOSE_FACTOR = 1.25
_DRAWS = 200
_LN2 = float(np.log(2.0))


def verdict(task: Task, timeframe: str, model: Walk, loss: Floats) -> Verdict:
    """Return skill, interval, z and numbers of rows over a rival's losses [n] on the same rows."""
    return judge(model.ts, model.symbol, model.loss, loss, task.horizon_bars(timeframe), seed=0)


def own(task: Task, model: Walk, block_ms: int) -> dict[str, float]:
    """Return the figures that fit the kind, pooled over symbols and folds.

    ``ece`` is the calibration error of what is served: of the probability (direction, risk,
    momentum), of the confidence that the sign is right (price; NaN where no sign was given) or that
    the volatility comes within a factor of 1.25. ``ece_by_chance`` is what it would be about if
    every probability were exact, because neighbouring rows share their outcome: see `by_chance`.

    Parameters
    ----------
    block_ms
        Rows of one block of so many milliseconds count as one witness; four horizons.
    """
    y, raw = model.y, model.raw
    if task.curve == "logit":
        found, right, told = _binary(task, y[:, 0], raw[:, 0]), y[:, 0], raw[:, 0]
    elif task.curve == "identity":
        found = _return(y[:, 0], raw[:, 0], model)
        right, told = np.sign(raw[:, 0]) == np.sign(y[:, 0]), model.confidence
    else:
        found = _variance(y, raw)
        right = np.abs(y[:, 0] - raw[:, 0]) / 2 < np.log(CLOSE_FACTOR)
        told = model.confidence
    said = raw[:, 0] != 0
    if not said.any():
        return found | {"ece": float("nan"), "ece_by_chance": float("nan")}
    right, told = np.asarray(right[said], dtype=np.float64), told[said]
    chance = by_chance(right, told, model.ts[said] // block_ms)
    return found | {"ece": losses.ece(right, told), "ece_by_chance": chance}


def by_chance(right: Floats, told: Floats, block: NDArray[np.int64], bins: int = 10) -> float:
    """Return the ECE to expect of exact probabilities, by a wild bootstrap over blocks of time.

    Each block's errors, less the mean error of their bin, are kept or reversed together by the toss
    of a coin: what is left of the bins' errors is chance, with the rows' dependence in it.
    """
    place = losses.bins_of(told, bins)
    error = right - told
    count_in = np.maximum(np.bincount(place, minlength=bins), 1)
    error = error - (np.bincount(place, error, bins) / count_in)[place]
    _, owner = np.unique(block, return_inverse=True)
    count = int(owner.max()) + 1
    sums = np.bincount(owner * bins + place, error, count * bins).reshape(count, bins)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_DRAWS, count))
    return float(np.abs(signs @ sums).sum(axis=1).mean() / len(told))


def _binary(task: Task, y: Floats, p: Floats) -> dict[str, float]:
    found = {"accuracy": losses.accuracy(y, p), "auc": losses.auc(y, p)}
    if task.kind == "risk":
        climatology = losses.brier(y, np.full(len(y), EVENT_SHARE))
        brier = losses.brier(y, p)
        return found | {
            "brier": float(brier.mean()),
            "brier_skill": 1 - float(brier.mean() / climatology.mean()),
            "event_rate": float(y.mean()),
        }
    log_loss = float(losses.log_loss(y, p).mean())
    return found | {"log_loss": log_loss, "gain_over_coin": _LN2 - log_loss}


def _return(y: Floats, forecast: Floats, model: Walk) -> dict[str, float]:
    return {
        "r2": losses.r2_oos(y, forecast),
        "coverage": float(model.inside.mean()),
        "width_bp": 1e4 * float(model.width.mean()),
        "accuracy": losses.accuracy(y > 0, forecast, 0.0),
    }


def _variance(y: Floats, raw: Floats) -> dict[str, float]:
    found = {}
    for k, name in enumerate(("1h", "4h")):
        qlike = losses.qlike(np.exp(y[:, k]), np.exp(raw[:, k]))
        found[f"qlike_{name}"] = float(qlike.mean())
        found[f"r2_log_{name}"] = losses.r2_oos(y[:, k], raw[:, k], float(y[:, k].mean()))
    return found
