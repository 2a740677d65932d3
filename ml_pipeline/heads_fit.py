"""Fit what a head needs to turn a model's output into answers: ranks, intervals, confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.export import Composed
from ml_pipeline.rows import Rows

Floats = NDArray[np.float64]

INTERVAL_SHARE = 0.9
"""Nominal coverage of the price interval."""

MEDIAN = "median_log_variance"
"""Head parameter of volatility: the level that parts calm hours from wild ones in the figures."""

_CONFORMAL_DAYS = 7.0
_DAY_MS = 86_400_000
# A volatility forecast is close when it is within this factor of what came.
_CLOSE_FACTOR = 1.25


def fit_head(model: Composed, train: Rows, calibration: Rows) -> dict[str, Any]:
    """Return the head's parameters as `models.common.heads` names them, JSON-able."""
    if model.task.kind == "risk":
        return {"probability_quantiles": _quantiles(model.raw(train)[:, 0])}
    if model.task.kind == "price":
        return _price(model, train, calibration)
    if model.task.kind == "volatility":
        return _volatility(model, train, calibration)
    return {}


def _quantiles(p: Floats) -> list[float]:
    return [float(q) for q in np.quantile(p, np.linspace(0.0, 1.0, 101))]


def _price(model: Composed, train: Rows, calibration: Rows) -> dict[str, Any]:
    """Return the conformal quantile of |y − ŷ|/σ over seven days, and the slope of P(sign right).

    The seven days are the calibration rows and the end of the training slice: σ has six
    parameters, so training rows are as good as new for it, and days differ much in volatility.
    """
    since = calibration.panel.ts[-1] - int(_CONFORMAL_DAYS * _DAY_MS)
    recent = train.take(train.panel.ts >= since)
    scores = np.concatenate([_scores(model, recent), _scores(model, calibration)])
    raw = model.raw(calibration)
    return {
        "interval_q": float(np.quantile(scores, INTERVAL_SHARE)),
        "sign_slope": _sign_slope(
            raw[:, 0] / raw[:, 1], calibration.y[:, 0], calibration.horizon_bars
        ),
    }


def _scores(model: Composed, rows: Rows) -> Floats:
    if not len(rows):
        return np.empty(0)
    raw = model.raw(rows)
    return np.asarray(np.abs(rows.y[:, 0] - raw[:, 0]) / raw[:, 1])


def _sign_slope(strength: Floats, y: Floats, overlap: int) -> float:
    """Fit P(sign right) = 1/(1 + exp(−slope·|strength|)), slope ≥ 0, by Newton's method.

    Rows count for one in `overlap`, as their labels overlap; one pseudo-observation at unit
    strength keeps the slope finite.
    """
    size = np.abs(strength)
    moved = (y != 0) & (size > 0)
    if not moved.any():
        return 0.0
    x, right = size[moved], (np.sign(strength[moved]) == np.sign(y[moved])).astype(np.float64)
    slope = 0.0
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-slope * x))
        first = float(((p - right) * x).sum()) / overlap + slope
        second = float((p * (1 - p) * x**2).sum()) / overlap + 1.0
        slope = max(slope - first / second, 0.0)
    return slope


def _volatility(model: Composed, train: Rows, calibration: Rows) -> dict[str, Any]:
    """Return how often the 1 h volatility came within a factor of 1.25, by thirds of the level.

    Counted over training and calibration rows: five days hold a hundred independent hours, which
    is too few for three shares, and HAR's handful of parameters is as good on rows it has seen.
    Each third is drawn half-way to all of them. On folds of real candles kept for such choices
    this was nearer to what came than calibration rows alone, and than either extreme.
    """
    forecast = np.concatenate([model.margin(rows)[:, 0] for rows in (train, calibration)])
    error = np.concatenate([train.y[:, 0], calibration.y[:, 0]]) - forecast
    edges = np.quantile(forecast, [1 / 3, 2 / 3])
    part = np.searchsorted(edges, forecast, side="right")
    close = np.abs(error) / 2 < np.log(_CLOSE_FACTOR)
    overall = float(close.mean())
    thirds = [float(close[part == i].mean()) if (part == i).any() else overall for i in range(3)]
    return {
        "confidence_edges": [float(edge) for edge in edges],
        "confidence_values": [(overall + third) / 2 for third in thirds],
        MEDIAN: float(np.median(calibration.y[:, 0])),
    }
