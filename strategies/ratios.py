"""Figures of a series of returns: pure functions, one definition each.

Returns are simple (not logarithmic) returns of the whole account, one a bar, as fractions, in order
of time. What takes `bars_per_year` wants bars of a year of 365 days (1m: 525,600; 5m: 105,120):
crypto trades every day, and with 252 days it is another figure. A ratio whose denominator is
nought is undefined and is NaN, never infinite. Definitions are those of empyrical and quantstats,
with which the tests compare them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def total_return(returns: ArrayLike) -> float:
    """Return the growth of one unit of money over the whole series, less one."""
    return float(np.prod(1.0 + np.asarray(returns, dtype=np.float64)) - 1.0)


def annual_return(returns: ArrayLike, bars_per_year: float) -> float:
    """Return the compound growth a year; -1 for an account that lost all, NaN without a bar.

    It is growth to the power of (bars a year / bars): of a week it makes an astronomical number,
    which is the definition and not a forecast.
    """
    r = np.asarray(returns, dtype=np.float64)
    grown = total_return(r) + 1.0
    if len(r) == 0:
        return float("nan")
    if grown <= 0:
        return -1.0
    power = np.log(grown) * bars_per_year / len(r)
    return float(np.expm1(power)) if power < np.log(np.finfo(np.float64).max) else float("nan")


def annual_volatility(returns: ArrayLike, bars_per_year: float) -> float:
    """Return the standard deviation (ddof = 1) of a bar, times √(bars a year)."""
    return deviation(returns) * float(np.sqrt(bars_per_year))


def deviation(returns: ArrayLike) -> float:
    """Return the standard deviation (ddof = 1) of a bar; 0 if all are alike, NaN for fewer than 2.

    Equal numbers have a mean that may differ from them in the last bit, which would leave 1e-18
    instead of 0, and a ratio of 1e15 instead of none.
    """
    r = np.asarray(returns, dtype=np.float64)
    if len(r) < 2:
        return float("nan")
    return 0.0 if r.min() == r.max() else float(r.std(ddof=1))


def sharpe_ratio(returns: ArrayLike, bars_per_year: float) -> float:
    """Return mean / standard deviation (ddof = 1) · √(bars a year). Sharpe (1994).

    Cash earns nothing here: the riskless rate is 0.
    """
    return _ratio(_mean(returns), deviation(returns)) * float(np.sqrt(bars_per_year))


def sortino_ratio(returns: ArrayLike, bars_per_year: float) -> float:
    """Return mean / downside deviation · √(bars a year). Sortino & Price (1994).

    The downside deviation is the root of the mean of ``min(r, 0)²`` over *all* bars.
    """
    r = np.asarray(returns, dtype=np.float64)
    down = float(np.sqrt(_mean(np.square(np.minimum(r, 0.0)))))
    return _ratio(_mean(r), down) * float(np.sqrt(bars_per_year))


def drawdowns(returns: ArrayLike) -> Floats:
    """Return how far the account is below its highest value so far, float64[n], 0 to -1.

    The opening cash counts as a highest value.
    """
    value = np.concatenate([[1.0], np.cumprod(1.0 + np.asarray(returns, dtype=np.float64))])
    fallen: Floats = (value / np.maximum.accumulate(value) - 1.0)[1:]
    return fallen


def max_drawdown(returns: ArrayLike) -> float:
    """Return the deepest of `drawdowns`, 0 or negative; NaN without a bar."""
    fallen = drawdowns(returns)
    return float(fallen.min()) if len(fallen) else float("nan")


def longest_drawdown(returns: ArrayLike) -> int:
    """Return the most bars in a row that the account spent below an earlier height."""
    under = np.concatenate([[False], drawdowns(returns) < 0, [False]])
    turns = np.flatnonzero(np.diff(under))
    return int((turns[1::2] - turns[::2]).max(initial=0))


def calmar_ratio(returns: ArrayLike, bars_per_year: float) -> float:
    """Return compound growth a year over the deepest drawdown. Young (1991)."""
    return _ratio(annual_return(returns, bars_per_year), -max_drawdown(returns))


def omega_ratio(returns: ArrayLike) -> float:
    """Return the sum of gains over the sum of losses, bar by bar. Keating & Shadwick (2002)."""
    r = np.asarray(returns, dtype=np.float64)
    return _ratio(float(r[r > 0].sum()), -float(r[r < 0].sum()))


def value_at_risk(returns: ArrayLike, share: float = 0.05) -> float:
    """Return the return of a bar that only this share of bars fall below."""
    r = np.asarray(returns, dtype=np.float64)
    return float(np.quantile(r, share)) if len(r) else float("nan")


def expected_shortfall(returns: ArrayLike, share: float = 0.05) -> float:
    """Return the mean return of the worst share of bars, at least one of them."""
    r = np.asarray(returns, dtype=np.float64)
    worst = int((len(r) - 1) * share) + 1
    return float(np.partition(r, worst - 1)[:worst].mean()) if len(r) else float("nan")


def skewness(returns: ArrayLike) -> float:
    """Return the sample skewness, corrected for bias (as pandas does); NaN for fewer than 3."""
    n, second, third, _ = _moments(returns)
    if n < 3 or second == 0:
        return float("nan")
    return float(np.sqrt(n * (n - 1)) / (n - 2) * third / second**1.5)


def kurtosis(returns: ArrayLike) -> float:
    """Return the sample kurtosis, corrected for bias, 3 for a normal law; NaN for fewer than 4."""
    n, second, _, fourth = _moments(returns)
    if n < 4 or second == 0:
        return float("nan")
    excess = (n + 1) * fourth / second**2 - 3 * (n - 1)
    return float((n - 1) / ((n - 2) * (n - 3)) * excess + 3)


def _moments(returns: ArrayLike) -> tuple[int, float, float, float]:
    """Return the number of bars and their second, third and fourth central moments."""
    r = np.asarray(returns, dtype=np.float64)
    if len(r) < 2 or r.min() == r.max():
        return len(r), 0.0, 0.0, 0.0
    off = r - r.mean()
    return len(r), float(np.mean(off**2)), float(np.mean(off**3)), float(np.mean(off**4))


def _mean(values: ArrayLike) -> float:
    x = np.asarray(values, dtype=np.float64)
    return float(x.mean()) if len(x) else float("nan")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
