"""Two checks of the ground: hours tell what bars tell, and what a point of accuracy is worth."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.verdicts.bars import (
    DAY,
    HORIZON,
    SHOCKS_SHARED,
    blurred,
    correlation_of,
    log_loss,
    path,
    remembered,
    said,
)
from bench.verdicts.series import HOURS
from ml_pipeline.hac import hac_z
from ml_pipeline.skill import judging_lag

IDEAL = 0.53
"""Accuracy of a model that sees all of the signal; rivals see a part of it."""


def compare(
    seed: int, days: int = 280, worse: float = 0.51, better: float = 0.52
) -> dict[str, Any]:
    """Return how z differs between bars and hours, and the z a day that a better model earns.

    Two calibrated models of direction, three symbols, right in `worse` and `better` of the cases;
    half of the variance of their errors is shared.
    """
    rng = np.random.default_rng([seed, 11])
    whole = path(rng, np.full(days, IDEAL))
    noise = remembered(rng, *whole.signal.shape, SHOCKS_SHARED / 2)
    losses = []
    for accuracy in (worse, better):
        share = float(correlation_of(accuracy) / correlation_of(IDEAL))
        seen = blurred(rng, whole.signal, share, noise)
        losses.append(log_loss(said(seen, accuracy), whole.up).mean(axis=1))
    ahead = losses[0] - losses[1]
    hours = ahead.reshape(-1, DAY // HOURS).mean(axis=1)
    apart = {}
    for window in (7, 14, 28):
        pairs = np.array(
            [
                (
                    _z(ahead[k * DAY : (k + window) * DAY], HORIZON),
                    _z(hours[k * HOURS : (k + window) * HOURS], HORIZON / (DAY / HOURS)),
                )
                for k in range(0, days - window + 1, window)
            ]
        )
        apart[f"{window} d"] = float(np.abs(pairs[:, 0] - pairs[:, 1]).max())
    daily = ahead.reshape(days, DAY).mean(axis=1)
    return {"largest_difference_of_z": apart, "z_a_day": float(daily.mean() / daily.std(ddof=1))}


def _z(series: np.ndarray, overlap: float) -> float:
    return hac_z(series, judging_lag(max(1, round(overlap)), len(series)), overlap)
