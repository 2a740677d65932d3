"""Losses and figures of a model's raw output on rows whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline import losses
from ml_pipeline.heads_fit import MEDIAN
from ml_pipeline.panel import Panel
from ml_pipeline.rows import all_finite
from ml_pipeline.tasks import EVENT_SHARE, Task

Floats = NDArray[np.float64]
NOVEL_SHARE = "novel_share"


def row_losses(task: Task, head: Mapping[str, Any], raw: Floats, panel: Panel) -> Floats:
    """Return the task's loss of each row, float64 [n]; NaN where an outcome is unknown.

    Volatility is the mean of the QLIKE of its two horizons.
    """
    y = task.y(panel, head)
    if task.loss == "log_loss":
        return losses.log_loss(y[:, 0], raw[:, 0])
    if task.loss == "brier":
        return losses.brier(y[:, 0], raw[:, 0])
    if task.loss == "squared":
        return losses.squared(y[:, 0], raw[:, 0])
    per_horizon = [losses.qlike(np.exp(y[:, k]), np.exp(raw[:, k])) for k in range(task.width)]
    return np.asarray(np.mean(per_horizon, axis=0))


def metrics(task: Task, head: Mapping[str, Any], raw: Floats, panel: Panel) -> dict[str, float]:
    """Return the figures that fit the kind, over the rows whose outcome is known.

    Returns
    -------
    dict
        ``n`` and ``loss`` always, and

        ========== ==========================================================================
        direction  accuracy, precision, recall, f1, auc, ece, brier, log_loss, base_rate
        momentum   the same
        risk       the same; an event is forecast for the riskiest fifth of the training moments
        price      rmse, mae (log returns), r2 (against no change), coverage; accuracy, precision,
                   recall, f1, event_rate of "it rises"
        volatility rmse, mae, r2 of the 1 h volatility; qlike_1h, qlike_4h, r2_log_1h, r2_log_4h;
                   accuracy, precision, recall, f1, event_rate of "above the median of the
                   calibration rows"
        ========== ==========================================================================

        All but ``n`` may be NaN without rows.
    """
    return metrics_of_many(task, [head], np.zeros(len(panel), dtype=np.int64), raw, panel)


def metrics_of_many(
    task: Task,
    heads: Sequence[Mapping[str, Any]],
    owner: NDArray[np.integer[Any]],
    raw: Floats,
    panel: Panel,
) -> dict[str, float]:
    """Return the figures of `metrics` over rows of several versions, each read by its own head.

    Parameters
    ----------
    heads
        One a version. What an event is, they must agree on.
    owner
        Whose row it is, index into `heads` [n].

    Raises
    ------
    KeyError
        A head lacks what its kind is read by.
    """
    y = task.y(panel, heads[0])
    known = all_finite(y)
    rows, y, raw, owner = panel.rows(known), y[known], raw[known], owner[known]
    figures = {"n": float(len(y)), "loss": _mean(row_losses(task, heads[0], raw, rows))}

    def by_row(read: Callable[[Mapping[str, Any]], float]) -> Floats:
        return np.asarray(np.array([read(head) for head in heads], dtype=np.float64)[owner])

    if task.curve == "logit":
        return figures | _binary(y[:, 0], raw[:, 0], by_row(_threshold))
    if task.curve == "identity":
        return figures | _return(y[:, 0], raw, by_row(lambda head: head["interval_q"]))
    return figures | _variance(y, raw, by_row(lambda head: head[MEDIAN]))


def novel_share(novelty: Floats | None) -> dict[str, float]:
    """Return ``novel_share``, the part of the rows that lie outside of what a model knows.

    Parameters
    ----------
    novelty
        By row [n], above 1 where it does; None where the model cannot say: then nothing is
        returned. `ml_pipeline.novelty.FLAGGED` is usual.
    """
    return {} if novelty is None else {NOVEL_SHARE: _mean(novelty > 1)}


def _threshold(head: Mapping[str, Any]) -> float:
    quantiles = head.get("probability_quantiles")
    if quantiles is None:
        return 0.5
    return float(np.interp(1 - EVENT_SHARE, np.linspace(0, 1, len(quantiles)), quantiles))


def _binary(y: Floats, p: Floats, threshold: Floats) -> dict[str, float]:
    return _hits(y, p, threshold) | {
        "auc": losses.auc(y, p),
        "ece": losses.ece(y, p),
        "brier": _mean(losses.brier(y, p)),
        "log_loss": _mean(losses.log_loss(y, p)),
        "base_rate": _mean(y),
    }


def _hits(y: Floats, forecast: Floats, threshold: Floats | float) -> dict[str, float]:
    return {
        "accuracy": losses.accuracy(y, forecast, threshold),
        "precision": losses.precision(y, forecast, threshold),
        "recall": losses.recall(y, forecast, threshold),
        "f1": losses.f1(y, forecast, threshold),
    }


def _return(y: Floats, raw: Floats, interval_q: Floats) -> dict[str, float]:
    forecast, half = raw[:, 0], interval_q * raw[:, 1]
    return _hits((y > 0).astype(np.float64), forecast, 0.0) | {
        "rmse": float(np.sqrt(_mean(losses.squared(y, forecast)))),
        "mae": _mean(np.abs(y - forecast)),
        "r2": losses.r2_oos(y, forecast),
        "coverage": losses.coverage(y, forecast - half, forecast + half),
        "event_rate": _mean(y > 0),
    }


def _variance(y: Floats, raw: Floats, median: Floats) -> dict[str, float]:
    realised, forecast = np.exp(y[:, 0] / 2), np.exp(raw[:, 0] / 2)
    figures = _hits((y[:, 0] > median).astype(np.float64), raw[:, 0], median) | {
        "rmse": float(np.sqrt(_mean(losses.squared(realised, forecast)))),
        "mae": _mean(np.abs(realised - forecast)),
        "r2": losses.r2_oos(realised, forecast, _mean(realised)),
        "event_rate": _mean(y[:, 0] > median),
    }
    for k, name in enumerate(("1h", "4h")):
        figures[f"qlike_{name}"] = _mean(losses.qlike(np.exp(y[:, k]), np.exp(raw[:, k])))
        figures[f"r2_log_{name}"] = losses.r2_oos(y[:, k], raw[:, k], _mean(y[:, k]))
    return figures


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
