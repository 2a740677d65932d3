"""What the oracles share: candles of three markets, plain words, and how agreement is told.

A group's module holds tables from the name of a feature to a function of a `Market` that returns
what the feature must be, bar by bar (NaN where it is not defined yet):

``TALIB``, ``CLASSIC``
    What TA-Lib and pandas-ta-classic compute (the latter always with ``talib=False``).
``PLAIN``
    A slow and plain definition, written from the source that is cited.
``EXCEPTIONS``
    Where an oracle agrees less than from the look-back on and to 1e-9, and why.
``RARE``
    Features that hardly ever change on these candles, and where else they are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pandas_ta_classic
from numpy.typing import ArrayLike, NDArray

from features.program import FeatureProgram
from tests.features.walks import walk

Floats = NDArray[np.float64]
TOLERANCE = 1e-9
SETTLED = -1


class Market:
    """Candles as columns: `O H L C V` are arrays, `o h l c v` the same as series.

    Parameters
    ----------
    name : str
        For the report.
    candles : pandas.DataFrame
        Canonical candles.
    """

    def __init__(self, name: str, candles: pd.DataFrame) -> None:
        self.name, self.candles = name, candles
        self.index = candles.index
        self.o, self.h, self.l, self.c, self.v = (candles[k] for k in candles.columns[:5])
        columns = (self.o, self.h, self.l, self.c, self.v)
        self.O, self.H, self.L, self.C, self.V = (column.to_numpy() for column in columns)

    @property
    def returns(self) -> Floats:
        """Log returns."""
        return np.log(self.C / lag(self.C, 1))

    @property
    def typical(self) -> Floats:
        """Mean of high, low and close."""
        return (self.H + self.L + self.C) / 3

    @property
    def hlc(self) -> tuple[pd.Series, pd.Series, pd.Series]:
        """High, low and close as series."""
        return self.h, self.l, self.c

    @property
    def HLC(self) -> tuple[Floats, Floats, Floats]:
        """High, low and close as arrays."""
        return self.H, self.L, self.C

    @property
    def true_range(self) -> Floats:
        """Wilder's true range; not defined on the first bar."""
        before = lag(self.C, 1)
        sides = [self.H - self.L, np.abs(self.H - before), np.abs(self.L - before)]
        return np.max(sides, axis=0)

    def own(self, name: str) -> Floats:
        """Return a feature itself, for oracles of what is made of it: exact ties stay ties."""
        return computed(self, name)


@cache
def computed(market: Market, name: str) -> Floats:
    """Return a feature of a market's candles."""
    values = FeatureProgram([name]).run(market.candles, dtype=np.float64)[:, 0]
    values.setflags(write=False)
    return values


def _cheap() -> pd.DataFrame:
    """Return a walk near 1e-9, as meme coins are quoted, in large and some zero volumes."""
    candles = walk(2600, seed=12)
    candles[["open", "high", "low", "close"]] *= 1e-11
    candles["volume"] *= 1e9
    return candles


MARKETS = (
    Market("walk", walk(2600, seed=11)),
    Market("cheap", _cheap()),
    Market("outage", walk(2600, seed=13, outages=[(700, 780)])),
)
"""A library meets the first two: what it makes of a flat window is its own affair."""

Oracle = Callable[[Market], ArrayLike]
Table = Mapping[str, Oracle]


@dataclass(frozen=True)
class Exempt:
    """Where an oracle and a feature do not agree from the look-back on, to 1e-9.

    Parameters
    ----------
    reason : str
        Why.
    start : int, optional
        They agree from this bar on; `SETTLED` is the feature's own settling length.
    tolerance : float
        They agree to this.
    share : float
        They agree at this share of the bars.
    differs : bool
        They do not agree at all: two definitions of one name.
    markets : tuple of str
        Only there.
    """

    reason: str
    start: int | None = None
    tolerance: float = TOLERANCE
    share: float = 1.0
    differs: bool = False
    markets: tuple[str, ...] = ("walk", "cheap", "outage")


Exemptions = Mapping[tuple[str, str], Exempt | tuple[Exempt, ...]]
"""By kind of oracle and name; several, where markets differ."""


def family(name: str, numbers: Iterable[int], make: Callable[[Market, int], ArrayLike]) -> Table:
    """Return the oracles of ``<name>_<n>``, or of a name in which ``{n}`` stands."""
    pattern = name if "{n}" in name else f"{name}_{{n}}"
    return {pattern.format(n=n): lambda m, n=n: make(m, n) for n in numbers}


def classic(name: str, *columns: pd.Series, column: int = 0, **options: Any) -> Floats:
    """Return what pandas-ta-classic computes by its own code, without a look ahead."""
    result = getattr(pandas_ta_classic, name)(*columns, talib=False, lookahead=False, **options)
    result = result.iloc[:, column] if isinstance(result, pd.DataFrame) else result
    return result.to_numpy(dtype=np.float64)


# ---------------------------------------------------------------- plain words
def lag(x: Floats, n: int) -> Floats:
    """Return the values n bars ago."""
    return np.concatenate([np.full(n, np.nan), x[:-n]])


def last(x: ArrayLike, n: int) -> Floats:
    """Return each bar's last n values, oldest first: [bars, n]."""
    padded = np.concatenate([np.full(n - 1, np.nan), np.asarray(x, dtype=np.float64)])
    return np.lib.stride_tricks.sliding_window_view(padded, n)


def rolled(x: ArrayLike, n: int, of: Callable[[Floats], float]) -> Floats:
    """Return a function of each bar's last n values."""
    return np.array([of(w) if not np.isnan(w).any() else np.nan for w in last(x, n)])


def mean(x: ArrayLike, n: int) -> Floats:
    """Return the mean of the last n values."""
    return last(x, n).mean(axis=1)


def total(x: ArrayLike, n: int) -> Floats:
    """Return the sum of the last n values."""
    return last(x, n).sum(axis=1)


def deviation(x: ArrayLike, n: int) -> Floats:
    """Return the sample standard deviation of the last n values, exactly 0 where they are equal."""
    windows = last(x, n)
    return np.where(np.ptp(windows, axis=1) == 0, 0.0, windows.std(axis=1, ddof=1))


def covariance(x: ArrayLike, y: ArrayLike, n: int) -> Floats:
    """Return the sample covariance of the last n pairs, exactly 0 where one side is flat."""
    a, b = last(x, n), last(y, n)
    means = a.mean(axis=1, keepdims=True), b.mean(axis=1, keepdims=True)
    flat = (np.ptp(a, axis=1) == 0) | (np.ptp(b, axis=1) == 0)
    return np.where(flat, 0.0, ((a - means[0]) * (b - means[1])).sum(axis=1) / (n - 1))


def correlation(x: ArrayLike, y: ArrayLike, n: int) -> Floats:
    """Return Pearson's correlation of the last n pairs, 0 where one side is flat."""
    return ratio(covariance(x, y, n), deviation(x, n) * deviation(y, n))


def shape(x: ArrayLike, n: int, how: str) -> Floats:
    """Return pandas' "skew" or "kurt" of the last n values, 0 where they are equal."""
    return rolled(x, n, lambda w: getattr(pd.Series(w), how)() if np.ptp(w) > 0 else 0.0)


def ratio(a: ArrayLike, b: ArrayLike, otherwise: ArrayLike = 0.0) -> Floats:
    """Return a / b, and something else where b is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(b) == 0, otherwise, np.asarray(a) / np.asarray(b))


def smoothed(x: Floats, n: int, alpha: float) -> Floats:
    """Return the exponential average that starts with the mean of the first n values."""
    out = np.full(len(x), np.nan)
    first = int(np.argmin(np.isnan(x))) + n - 1
    out[first] = x[first - n + 1 : first + 1].mean()
    for t in range(first + 1, len(x)):
        out[t] = alpha * x[t] + (1 - alpha) * out[t - 1]
    return out


def ema(x: Floats, n: int) -> Floats:
    """Return the exponential average of the textbooks, alpha 2 / (n + 1)."""
    return smoothed(x, n, 2 / (n + 1))


def rma(x: Floats, n: int) -> Floats:
    """Return Wilder's average, alpha 1 / n."""
    return smoothed(x, n, 1 / n)
