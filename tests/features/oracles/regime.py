"""Oracles of the group regime."""

from __future__ import annotations

import math

import numpy as np
import talib

from tests.features.oracles.common import (
    Exemptions,
    Floats,
    Market,
    Table,
    classic,
    deviation,
    family,
    lag,
    ratio,
    rolled,
)


def variance(x: Floats) -> float:
    mean = math.fsum(x) / len(x)
    return math.fsum((value - mean) ** 2 for value in x) / (len(x) - 1)


def spread(m: Market, q: int) -> Floats:
    """Return the sample variance of the last 100 overlapping log returns over q bars."""
    return rolled(np.log(m.C / lag(m.C, q)), 100, variance)


def hurst(m: Market) -> Floats:
    """Return H of Var(r_q) = q^2H Var(r_1), as a fractional Brownian motion has it."""
    return np.log(spread(m, 16) / spread(m, 1)) / math.log(16) / 2


TALIB: Table = {"trend_regime": lambda m: np.sign(talib.EMA(m.C, 50) - talib.EMA(m.C, 200))}

CLASSIC: Table = {
    **family("efficiency_ratio", (10, 50, 33), lambda m, n: classic("er", m.c, length=n)),
}

PLAIN: Table = {
    # Lo and MacKinlay (1988): the variance of a random walk's returns grows with their length.
    "variance_ratio_5_100": lambda m: spread(m, 5) / (5 * spread(m, 1)),
    "hurst_100": hurst,
    "vol_regime_20_288": lambda m: ratio(
        deviation(m.returns, 20), np.sqrt(rolled(m.returns**2, 288, math.fsum) / 288), 1
    ),
}

EXCEPTIONS: Exemptions = {}
RARE: dict[str, str] = {}
