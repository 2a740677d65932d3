"""Losses per row, and the figures that describe a forecast beside them.

The functions called *losses* return one value a row, so that two models can be compared pair by
pair; the *figures* reduce to one number. Labels that are NaN are the caller's to leave out: every
function here refuses them by returning NaN, never by dropping a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]

P_FLOOR = 1e-6
"""Probabilities are kept this far from 0 and 1, so that one row cannot cost more than 13.8."""

VARIANCE_FLOOR = 1e-12
"""Variances (squared log returns) are kept above this: a flat outage has RV² = 0."""


def _f8(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


# ------------------------------------------------------------------ losses, one value a row


def log_loss(y: ArrayLike, p: ArrayLike) -> Floats:
    """Return ``-ln p(y)`` in nats, float64[n]; a coin scores ln 2 = 0.693."""
    y, p = _f8(y), np.clip(_f8(p), P_FLOOR, 1 - P_FLOOR)
    gain: Floats = y * np.log(p) + (1 - y) * np.log1p(-p)
    return -gain


def brier(y: ArrayLike, p: ArrayLike) -> Floats:
    """Return ``(p - y)²``, float64[n] (Brier 1950)."""
    return np.square(_f8(p) - _f8(y))


def squared(y: ArrayLike, forecast: ArrayLike) -> Floats:
    """Return ``(y - ŷ)²``, float64[n]."""
    return np.square(_f8(y) - _f8(forecast))


def qlike(rv: ArrayLike, forecast: ArrayLike) -> Floats:
    """Return ``RV²/f² - ln(RV²/f²) - 1``, float64[n]: nought for a perfect forecast.

    Parameters
    ----------
    rv, forecast : float[n]
        Realised and forecast *variance* (RV² and f²), both floored at `VARIANCE_FLOOR`.

    Notes
    -----
    Robust to noise in the realised variance: Patton (2011), Journal of Econometrics 160.
    """
    ratio = np.maximum(_f8(rv), VARIANCE_FLOOR) / np.maximum(_f8(forecast), VARIANCE_FLOOR)
    return ratio - np.log(ratio) - 1.0


# ------------------------------------------------------------------ figures, one number


def auc(y: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve, ties counting half; NaN if only one class is there."""
    y, score = _f8(y), _f8(score)
    positives = y > 0.5
    n1, n0 = int(positives.sum()), int((~positives).sum())
    if n1 == 0 or n0 == 0:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[positives].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def bins_of(p: ArrayLike, bins: int = 10) -> NDArray[np.int64]:
    """Return the bin of each forecast, int64 [n]: bins of equal count, lowest forecasts first.

    Equal counts, because short-horizon forecasts crowd around one half. Equal forecasts share a
    bin, that of the middle one: a coin is not asked to know which hours will rise.
    """
    p = _f8(p)
    _, which, count = np.unique(p, return_inverse=True, return_counts=True)
    parts = np.array_split(np.arange(len(p)), max(min(bins, len(p)), 1))
    bin_of_rank = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    middle = np.cumsum(count) - count + (count - 1) // 2
    return np.asarray(bin_of_rank[middle][which], dtype=np.int64)


def ece(y: ArrayLike, p: ArrayLike, bins: int = 10) -> float:
    """Return the expected calibration error over the bins of `bins_of`, 0 … 1.

    Mean of ``|mean(p) - mean(y)|`` over the bins, weighted by their counts.
    """
    y, p = _f8(y), _f8(p)
    if len(y) == 0:
        return float("nan")
    missed = np.bincount(bins_of(p, bins), weights=p - y)
    return float(np.abs(missed).sum() / len(y))


def r2_oos(y: ArrayLike, forecast: ArrayLike, baseline: ArrayLike = 0.0) -> float:
    """Return ``1 - Σ(y - ŷ)² / Σ(y - baseline)²``: R² out of sample, against a random walk."""
    y = _f8(y)
    total = float(np.square(y - _f8(baseline)).sum())
    return 1.0 - float(squared(y, forecast).sum()) / total if total > 0 else float("nan")


def coverage(y: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Return the share of `y` that lies inside ``[low, high]``."""
    y = _f8(y)
    return float(np.mean((y >= _f8(low)) & (y <= _f8(high)))) if len(y) else float("nan")


def _counts(y: ArrayLike, p: ArrayLike, threshold: ArrayLike) -> tuple[int, int, int, int]:
    """Return true positives, false positives, false negatives, true negatives."""
    truth, said = _f8(y) > 0.5, _f8(p) > _f8(threshold)
    return (
        int((truth & said).sum()),
        int((~truth & said).sum()),
        int((truth & ~said).sum()),
        int((~truth & ~said).sum()),
    )


def accuracy(y: ArrayLike, p: ArrayLike, threshold: ArrayLike = 0.5) -> float:
    """Return the share of rows where ``p > threshold`` agrees with `y`; NaN without rows.

    A forecast on the threshold takes no side and counts half: a coin, or a price that is said to
    stay, is not right as often as the market falls.
    """
    y, p, threshold = _f8(y), _f8(p), _f8(threshold)
    right = np.where(p == threshold, 0.5, (p > threshold) == (y > 0.5))
    return float(right.mean()) if len(right) else float("nan")


def precision(y: ArrayLike, p: ArrayLike, threshold: ArrayLike = 0.5) -> float:
    """Return how often ``y = 1`` where it was forecast; 0 if it never was."""
    tp, fp, _, _ = _counts(y, p, threshold)
    return tp / (tp + fp) if tp + fp else 0.0


def recall(y: ArrayLike, p: ArrayLike, threshold: ArrayLike = 0.5) -> float:
    """Return how often ``y = 1`` was forecast where it came; 0 if it never came."""
    tp, _, fn, _ = _counts(y, p, threshold)
    return tp / (tp + fn) if tp + fn else 0.0


def f1(y: ArrayLike, p: ArrayLike, threshold: ArrayLike = 0.5) -> float:
    """Return the harmonic mean of precision and recall; 0 if nothing was forecast right."""
    tp, fp, fn, _ = _counts(y, p, threshold)
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0
