"""Fit what is known of each horizon: scale, intervals, shrinkage, ranges.

Scales and intervals need no rollout, so all rows that training may see speak; shrinkage and the
weight of rolled-out ranges are fitted on the calibration rows, which no booster has seen. Horizons
so long that these rows hold too few independent stretches of them get no weight: there the forecast
is the random walk, and the range that volatility and the hour suggest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.program import FeatureProgram
from ml_pipeline.calibration import shrunk
from ml_pipeline.errors import TooFewOutcomes
from ml_pipeline.skill import hac_z
from ml_pipeline.targets import Prices, log_return, mean_ahead
from models.forecasters.cone import CONTEXT, LEAST_SCALE, Cone, log_scales

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

GRID = 18
"""About how many horizons are fitted; the others lie between them."""
JUDGED = (1, 5, 15, 60, 300)
LEVEL = 0.9

_WINDOW = 15  # bars over which a scale's target is at least averaged: one bar is too ragged
_PRIOR = 0.25  # τ of a shrinkage: how believable it is beforehand that rollouts hold anything
_INDEPENDENT = 40  # stretches of a horizon that the calibration rows must hold
_RIDGE = 1e-3


@dataclass(frozen=True)
class Past:
    """What a fit of horizons may see.

    Attributes
    ----------
    candles, timeframe
        Canonical candles, nothing later than training may see.
    rows
        Rows that have settled.
    context
        Columns `models.forecasters.cone.CONTEXT` of all candles [N, 6].
    """

    candles: pd.DataFrame
    timeframe: str
    rows: Rows
    context: Floats

    @classmethod
    def of(cls, candles: pd.DataFrame, timeframe: str) -> Past:
        """Return the past that a frame of candles holds."""
        program = FeatureProgram(CONTEXT, timeframe)
        context = program.run(candles, dtype=np.float64)
        rows = np.arange(min(program.settle, len(candles)), len(candles))
        return cls(candles, timeframe, rows, np.asarray(context, dtype=np.float64))

    def returns(self, k: int) -> Floats:
        """Return ln(close ahead / close) over k bars [N], NaN where unknown."""
        return log_return(Prices.of(self.candles, self.timeframe), k)

    def square(self, k: int) -> Floats:
        """Return the mean squared return over the next max(k, 15) bars [N]."""
        moved = np.diff(np.log(self.candles["close"].to_numpy(np.float64)), prepend=np.nan)
        moved[0] = 0.0
        return mean_ahead(self.candles, self.timeframe, moved**2, range(1, max(k, _WINDOW) + 1))

    def spread(self, first: int, last: int) -> Floats:
        """Return the mean range ln(high / low) of bars `first` … `last` ahead [N]."""
        high, low = (self.candles[side].to_numpy(np.float64) for side in ("high", "low"))
        ranges = np.log(high / low)
        return mean_ahead(self.candles, self.timeframe, ranges, range(first, last + 1))


def grid(steps: int) -> Rows:
    """Return the horizons that are fitted, 1 … steps, with those that are judged."""
    spread = np.rint(np.geomspace(1, steps, GRID)).astype(np.int64)
    return np.unique([*spread, *(k for k in JUDGED if k <= steps)])


def fit_cone(past: Past, steps: int) -> Cone:
    """Fit scales and intervals; nothing rolled out is believed yet."""
    horizons = grid(steps)
    scales: list[Floats] = []
    quantiles: list[float] = []
    for k in horizons:
        scale = _regressed(past, 0.5 * _log(past.square(int(k)), 2))
        scale = scales[-1] if scale is None else scale
        scales.append(scale)
        quantile = _quantile(past, scale, int(k))
        quantiles.append(quantiles[-1] if quantile is None else quantile)
    smooth = _smoothed(np.array(quantiles))
    return Cone(horizons, np.array(scales), smooth, np.zeros(len(horizons)), LEVEL)


def _log(values: Floats, power: int) -> Floats:
    return np.asarray(np.log(np.maximum(values, LEAST_SCALE**power)))


def _regressed(past: Past, target: Floats) -> Floats | None:
    """Return the weights of a log scale by least squares; None where too few targets are known."""
    rows = past.rows[~np.isnan(target[past.rows])]
    if len(rows) < 100:
        return None
    X = log_scales(past.context[rows])
    penalty = _RIDGE * len(rows) * np.diag([0.0] + [1.0] * (X.shape[1] - 1))
    return np.asarray(np.linalg.solve(X.T @ X + penalty, X.T @ target[rows]))


def _quantile(past: Past, scale: Floats, k: int) -> float | None:
    """Return the `LEVEL` quantile of |return| / (σ_k √k), with the finite-sample rank."""
    moved = past.returns(k)
    rows = past.rows[~np.isnan(moved[past.rows])]
    if len(rows) < 100:
        return None
    scores = np.abs(moved[rows]) / np.exp(log_scales(past.context[rows]) @ scale)
    rank = min(LEVEL * (len(rows) + 1) / len(rows), 1.0)
    return float(np.quantile(scores, rank) / np.sqrt(k))


def _smoothed(values: Floats) -> Floats:
    """Return the mean of each value and its neighbours on the grid."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3)


def believe(cone: Cone, past: Past, starts: Rows, rolled: Floats) -> Cone:
    """Fit how far rolled-out returns are believed, on calibration starts.

    Parameters
    ----------
    rolled : float64 [n, steps]
        Log returns from each start over k bars, as rolled out.

    Notes
    -----
    ``s_k = clip(cov / var, 0, 1)`` about nought, in units of σ_k √k, shrunk again as a ridge under
    a prior: a slope whose HAC z is small weighs little. Then smoothed over the grid. Where a
    forecast explains some of the return, the interval narrows by what it leaves.
    """
    stride = int(np.diff(starts).min()) if len(starts) > 1 else 1
    believed, left = np.zeros(len(cone.horizons)), np.ones(len(cone.horizons))
    for g, k in enumerate(cone.horizons):
        y = past.returns(int(k))[starts]
        known = ~np.isnan(y)
        if known.sum() * stride < _INDEPENDENT * k:
            continue
        sigma = np.exp(log_scales(past.context[starts[known]]) @ cone.scale[g]) * np.sqrt(k)
        forecast, y = rolled[known, k - 1] / sigma, y[known] / sigma
        variance = float(np.square(forecast).mean())
        if variance > 0:
            slope = float((forecast * y).mean()) / variance
            believed[g] = _sure(slope, forecast * y, -(-2 * int(k) // stride))
            left[g] = _left(y, believed[g] * forecast)
    return replace(
        cone,
        shrink=np.clip(_smoothed(believed), 0.0, 1.0),
        quantile=cone.quantile * _smoothed(left),
    )


def _left(y: Floats, forecast: Floats) -> float:
    """Return by how much a forecast narrows the interval; never widens it."""
    whole, rest = np.quantile(np.abs(y), LEVEL), np.quantile(np.abs(y - forecast), LEVEL)
    return float(min(rest / whole, 1.0)) if whole > 0 else 1.0


def _sure(slope: float, products: Floats, lag: int) -> float:
    try:
        z = hac_z(products, lag=max(lag, 2))
    except TooFewOutcomes:
        return 0.0
    return min(shrunk(min(slope, 1.0), float(z), _PRIOR), 1.0)


def spread(cone: Cone, past: Past, starts: Rows, rolled: Floats) -> Cone:
    """Fit expected ranges: by volatility and hour, and how far the rolled-out ones are believed.

    Parameters
    ----------
    rolled : float64 [n, steps]
        Range ln(high / low) of each bar, as rolled out.
    """
    scales: list[Floats] = []
    weights, factors = [], []
    for k in map(int, cone.horizons):
        scale = _regressed(past, _log(past.spread(max(1, k - _WINDOW + 1), k), 1))
        scale = scales[-1] if scale is None else scale
        y = past.spread(k, k)
        # Of logs the mean is lower than the log of the mean: bring the level back.
        rows = past.rows[~np.isnan(y[past.rows])]
        if len(rows):
            expected = np.exp(log_scales(past.context[rows]) @ scale)
            scale = scale + np.eye(len(scale))[0] * np.log(y[rows].mean() / expected.mean())
        scales.append(scale)
        weight, factor = _weight(past, starts, y[starts], rolled[:, k - 1], scale, k)
        weights.append(weight)
        factors.append(factor)
    return replace(
        cone,
        range_scale=np.array(scales),
        range_weight=np.clip(_smoothed(np.array(weights)), 0.0, 1.0),
        range_factor=np.array(factors),
    )


def _weight(
    past: Past, starts: Rows, y: Floats, rolled: Floats, scale: Floats, k: int
) -> tuple[float, float]:
    """Return weight and factor of rolled-out ranges beside the expected ones."""
    known = ~np.isnan(y) & (rolled > 0)
    if known.sum() < 50:
        return 0.0, 1.0
    expected = np.exp(log_scales(past.context[starts[known]]) @ scale)
    own, y = rolled[known] / expected, y[known] / expected
    factor = float(y.mean() / own.mean()) if y.mean() > 0 else 1.0
    news = factor * own - 1.0
    best = float((news * (y - 1.0)).mean() / max(float(np.square(news).mean()), 1e-12))
    return min(max(best, 0.0), 1.0), factor
