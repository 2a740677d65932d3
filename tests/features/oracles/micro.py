"""Oracles of the group micro: the papers' formulas, bar by bar and sum by sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
import talib

from tests.features.oracles.common import (
    Exemptions,
    Floats,
    Market,
    Table,
    classic,
    deviation,
    lag,
    ratio,
)

Bar = Callable[[Market, int], float]


def bars(m: Market, first: int, of: Bar) -> Floats:
    """Return `of` each bar from the first on."""
    return np.array([math.nan] * first + [of(m, t) for t in range(first, len(m.C))])


def average(m: Market, n: int, t: int, of: Bar) -> float:
    return math.fsum(of(m, s) for s in range(t - n + 1, t + 1)) / n


def covariance(x: Sequence[float], y: Sequence[float]) -> float:
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    return math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / (len(x) - 1)


def corwin_schultz(m: Market, t: int) -> float:
    """Corwin and Schultz (2012), equations 14 and 18; a negative spread counts as none."""
    beta = math.log(m.H[t - 1] / m.L[t - 1]) ** 2 + math.log(m.H[t] / m.L[t]) ** 2
    gamma = math.log(max(m.H[t - 1], m.H[t]) / min(m.L[t - 1], m.L[t])) ** 2
    k = 3 - 2 * math.sqrt(2)
    alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / k - math.sqrt(gamma / k)
    return max(0.0, 2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)))


def middle(m: Market, t: int) -> float:
    return (math.log(m.H[t]) + math.log(m.L[t])) / 2


def half_spread_squared(m: Market, t: int) -> float:
    close = math.log(m.C[t - 1])
    return (close - middle(m, t - 1)) * (close - middle(m, t))


def abdi_ranaldo(m: Market, t: int) -> float:
    """Abdi and Ranaldo (2017): 2 √mean (c - η) (c - η'), 0 where the mean is negative."""
    return 2 * math.sqrt(max(0.0, average(m, 20, t, half_spread_squared)))


def roll(m: Market, t: int) -> float:
    """Roll (1984): 2 √-cov of successive returns, 0 where the covariance is positive."""
    r = m.returns
    return 2 * math.sqrt(max(0.0, -covariance(r[t - 19 : t + 1], r[t - 20 : t])))


def illiquidity(m: Market, t: int) -> float:
    """Amihud (2002): |return| / turnover; a bar without turnover counts 0."""
    return abs(math.log(m.C[t] / m.C[t - 1])) / (m.C[t] * m.V[t]) if m.V[t] else 0.0


def kyle(m: Market, t: int) -> float:
    """Kyle (1985): slope of returns on signed volume, for a bar of average volume."""
    now = slice(t - 19, t + 1)
    x, y = (np.sign(m.C - lag(m.C, 1)) * m.V)[now], m.returns[now]
    spread = covariance(x, x)
    return covariance(x, y) / spread * sum(m.V[now]) / 20 if spread else 0.0


@cache
def bought_less_sold(m: Market) -> list[float]:
    """Easley, López de Prado and O'Hara (2012): V_buy = V Φ(Δp / σ), V_sell = V - V_buy."""
    move = m.C - lag(m.C, 1)
    out = []
    for volume, z in zip(m.V, ratio(move, deviation(move, 60)), strict=True):
        buys = volume * NormalDist().cdf(z) if not math.isnan(z) else math.nan
        out.append(buys - (volume - buys))
    return out


def share(m: Market, n: int, t: int, of: Callable[[float], float]) -> float:
    """Return the sum of n bars' imbalances over that of their volumes, a bar being a bucket."""
    now = slice(t - n + 1, t + 1)
    volume = sum(m.V[now])
    return sum(of(x) for x in bought_less_sold(m)[now]) / volume if volume else 0.0


def width(m: Market, t: int) -> float:
    return (m.H[t] - m.L[t]) / m.C[t] / m.V[t] if m.V[t] else 0.0


def relative(m: Market, first: int, of: Bar) -> Floats:
    """Return the mean over 20 bars relative to that over 200; 1 where there is nothing."""
    short, long = (bars(m, first, lambda m, t, n=n: average(m, n, t, of)) for n in (20, 200))
    return ratio(short, long, 1)


TALIB: Table = {
    "signed_volume_1": lambda m: (
        (talib.OBV(m.C, m.V) - lag(talib.OBV(m.C, m.V), 1)) / talib.SMA(m.V, 20)
    ),
}

CLASSIC: Table = {"clv_volume_5": lambda m: classic("cmf", m.h, m.l, m.c, m.v, length=5)}

PLAIN: Table = {
    "corwin_schultz_20": lambda m: bars(m, 20, lambda m, t: average(m, 20, t, corwin_schultz)),
    "abdi_ranaldo_20": lambda m: bars(m, 20, abdi_ranaldo),
    "roll_spread_20": lambda m: bars(m, 21, roll),
    "amihud_rel_20": lambda m: relative(m, 200, illiquidity),
    "kyle_lambda_rel_20": lambda m: bars(m, 20, kyle),
    "bvc_imbalance_20": lambda m: bars(m, 79, lambda m, t: share(m, 20, t, float)),
    "vpin_50": lambda m: bars(m, 109, lambda m, t: share(m, 50, t, abs)),
    "range_per_volume_20": lambda m: relative(m, 199, width),
    "zero_volume_share_60": lambda m: bars(
        m, 59, lambda m, t: sum(m.V[s] == 0 for s in range(t - 59, t + 1)) / 60
    ),
}

EXCEPTIONS: Exemptions = {}
RARE: dict[str, str] = {}
