"""The words that features are written in: window statistics, recursive averages, sessions.

Every word takes expressions and returns one. Numbers of bars are counted including the current
one: ``mean(close, 20)`` is the mean of this close and the nineteen before it.
"""

from __future__ import annotations

import math

from features.engine.kernels import elementwise as e
from features.engine.kernels import memory as r
from features.engine.kernels import windows as w
from features.errors import ExpressionError
from features.expression import (
    Expr,
    Operand,
    as_expr,
    compare,
    same_unit,
    scale_free,
    together,
)
from features.inputs import ts
from features.units import SCALE_FREE, Unit

FORGOTTEN = 1e-9
"""Share of its start that a recursion may still hold when it counts as settled."""


# ---------------------------------------------------------------- bar by bar
def ratio(x: Operand, y: Expr, otherwise: Operand = 0) -> Expr:
    """Return x / y, and `otherwise` where y is exactly zero."""
    top = as_expr(x, y.unit)
    unit = top.unit / y.unit
    default = as_expr(otherwise, unit)
    together("ratio and its default", Expr("ratio", -1, (), unit), default)
    return Expr("ratio", e.RATIO, (top, y, default), unit)


def larger(x: Operand, y: Operand) -> Expr:
    """Return the larger of two."""
    return same_unit("larger", e.LARGER, x, y)


def smaller(x: Operand, y: Operand) -> Expr:
    """Return the smaller of two."""
    return same_unit("smaller", e.SMALLER, x, y)


def equal(x: Operand, y: Operand) -> Expr:
    """Return 1 where equal, 0 elsewhere."""
    return compare("equal", e.EQUAL, x, y)


def where(condition: Expr, x: Operand, y: Operand) -> Expr:
    """Return x where the condition is not 0, y elsewhere."""
    nodes = together("where", x, y)
    return Expr("where", e.WHERE, (*scale_free("where", condition), *nodes), nodes[0].unit)


def floordiv(x: Operand, y: Operand) -> Expr:
    """Return how often y goes into x."""
    return compare("floordiv", e.FLOOR_DIVIDE, x, y)


def mod(x: Operand, y: Operand) -> Expr:
    """Return the rest of `floordiv`."""
    return same_unit("mod", e.MODULO, x, y)


def magnitude(x: Expr) -> Expr:
    """Return the absolute value."""
    return Expr("abs", e.MAGNITUDE, (x,), x.unit)


def sign(x: Expr) -> Expr:
    """Return 1, 0 or -1."""
    return Expr("sign", e.SIGN, (x,), SCALE_FREE)


def square(x: Expr) -> Expr:
    """Return x times x."""
    return x * x


def root(x: Expr) -> Expr:
    """Return the square root; what is negative by rounding must be cut off before."""
    return Expr("sqrt", e.ROOT, (x,), x.unit.root())


def log(x: Expr) -> Expr:
    """Return the natural logarithm of a ratio."""
    return Expr("log", e.LOG, scale_free("log", x), SCALE_FREE)


def exp(x: Expr) -> Expr:
    """Return the exponential."""
    return Expr("exp", e.EXP, scale_free("exp", x), SCALE_FREE)


def sine(x: Expr) -> Expr:
    """Return the sine of an angle in radians."""
    return Expr("sin", e.SINE, scale_free("sin", x), SCALE_FREE)


def cosine(x: Expr) -> Expr:
    """Return the cosine of an angle in radians."""
    return Expr("cos", e.COSINE, scale_free("cos", x), SCALE_FREE)


def normal_cdf(x: Expr) -> Expr:
    """Return the standard normal distribution function."""
    return Expr("normal_cdf", e.NORMAL_CDF, scale_free("normal_cdf", x), SCALE_FREE)


def missing(x: Expr) -> Expr:
    """Return 1 where there is no number, 0 elsewhere."""
    return Expr("missing", e.MISSING, (x,), SCALE_FREE)


def day_of_month(x: Expr) -> Expr:
    """Return 1 … 31 for a time."""
    return Expr("day_of_month", e.DAY_OF_MONTH, together("day_of_month", ts, x)[1:], SCALE_FREE)


def month_of_year(x: Expr) -> Expr:
    """Return 1 … 12 for a time."""
    return Expr("month", e.MONTH, together("month", ts, x)[1:], SCALE_FREE)


# ---------------------------------------------------------------- over the trailing n bars
def _window(word: str, code: int, n: int, unit: Unit, *args: Expr, least: int = 1) -> Expr:
    if n < least:
        raise ExpressionError(f"{word} over {n} bars: it needs at least {least}")
    return Expr(word, code, args, unit, reach=n - 1)


def lag(x: Expr, n: int) -> Expr:
    """Return the value n bars ago."""
    return _window("lag", w.LAG, n + 1, x.unit, x, least=2)


def change(x: Expr, n: int = 1) -> Expr:
    """Return the difference to n bars ago."""
    return x - lag(x, n)


def total(x: Expr, n: int) -> Expr:
    """Return the sum."""
    return _window("total", w.TOTAL, n, x.unit, x)


def mean(x: Expr, n: int) -> Expr:
    """Return the mean."""
    return _window("mean", w.MEAN, n, x.unit, x)


def variance(x: Expr, n: int) -> Expr:
    """Return the sample variance (ddof 1)."""
    return _window("variance", w.VARIANCE, n, x.unit * x.unit, x, least=2)


def deviation(x: Expr, n: int) -> Expr:
    """Return the sample standard deviation (ddof 1)."""
    return root(variance(x, n))


def covariance(x: Expr, y: Expr, n: int) -> Expr:
    """Return the sample covariance (ddof 1)."""
    return _window("covariance", w.COVARIANCE, n, x.unit * y.unit, x, y, least=2)


def correlation(x: Expr, y: Expr, n: int) -> Expr:
    """Return Pearson's correlation; 0 where one of them is flat."""
    return _window("correlation", w.CORRELATION, n, SCALE_FREE, x, y, least=2)


def highest(x: Expr, n: int) -> Expr:
    """Return the maximum."""
    return _window("highest", w.HIGHEST, n, x.unit, x)


def lowest(x: Expr, n: int) -> Expr:
    """Return the minimum."""
    return _window("lowest", w.LOWEST, n, x.unit, x)


def since_highest(x: Expr, n: int) -> Expr:
    """Return how many bars ago the maximum was (the latest, if it was met twice)."""
    return _window("since_highest", w.SINCE_HIGHEST, n, SCALE_FREE, x)


def since_lowest(x: Expr, n: int) -> Expr:
    """Return how many bars ago the minimum was (the latest, if it was met twice)."""
    return _window("since_lowest", w.SINCE_LOWEST, n, SCALE_FREE, x)


def rank(x: Expr, n: int) -> Expr:
    """Return the share of the other n - 1 values below this one; equal ones count one half."""
    return _window("rank", w.RANK, n, SCALE_FREE, x, least=2)


def slope(x: Expr, n: int) -> Expr:
    """Return the slope a bar of the least squares line."""
    return _window("slope", w.SLOPE, n, x.unit, x, least=2)


def r_squared(x: Expr, n: int) -> Expr:
    """Return the R² of the least squares line; 0 where x is flat."""
    return _window("r_squared", w.R_SQUARED, n, SCALE_FREE, x, least=2)


def skew(x: Expr, n: int) -> Expr:
    """Return the adjusted sample skewness, as pandas does; 0 where x is flat."""
    return _window("skew", w.SKEW, n, SCALE_FREE, x, least=3)


def kurtosis(x: Expr, n: int) -> Expr:
    """Return the adjusted excess kurtosis, as pandas does; 0 where x is flat."""
    return _window("kurtosis", w.KURTOSIS, n, SCALE_FREE, x, least=4)


def mean_deviation(x: Expr, n: int) -> Expr:
    """Return the mean absolute distance to the mean."""
    return _window("mean_deviation", w.MEAN_DEVIATION, n, x.unit, x)


def median(x: Expr, n: int) -> Expr:
    """Return the median."""
    return _window("median", w.MEDIAN, n, x.unit, x)


def supertrend(close: Expr, upper: Expr, lower: Expr, n: int) -> Expr:
    """Return Supertrend's direction between two bands, 1 or -1, started n bars back."""
    args = together("supertrend", close, upper, lower)
    return _window("supertrend", w.SUPERTREND, n, SCALE_FREE, *args, least=2)


def parabolic_stop(high: Expr, low: Expr, n: int) -> Expr:
    """Return Wilder's parabolic stop and reverse, started n bars back."""
    args = together("parabolic_stop", high, low)
    return _window("parabolic_stop", w.PSAR, n, high.unit, *args, least=2)


# ---------------------------------------------------------------- with memory
def _forget(alpha: float) -> int:
    return math.ceil(math.log(FORGOTTEN) / math.log1p(-alpha))


def _average(word: str, x: Expr, n: int, alpha: float) -> Expr:
    if n < 2:
        raise ExpressionError(f"{word} over {n} bars: it needs at least 2")
    return Expr(word, r.AVERAGE, (x,), x.unit, seed=n - 1, forget=_forget(alpha), alpha=alpha)


def ema(x: Expr, n: int) -> Expr:
    """Return the exponential average with alpha 2/(n+1), started with the mean of n values."""
    return _average("ema", x, n, 2 / (n + 1))


def rma(x: Expr, n: int) -> Expr:
    """Return Wilder's average (alpha 1/n), started with the mean of n values."""
    return _average("rma", x, n, 1 / n)


def kama(x: Expr, efficiency: Expr) -> Expr:
    """Return Kaufman's adaptive average for a given efficiency ratio (2 and 30 bars)."""
    args = (x, *scale_free("kama", efficiency))
    return Expr("kama", r.ADAPTIVE, args, x.unit, forget=_forget((2 / 31) ** 2))


def streak(x: Expr) -> Expr:
    """Return for how many bars x has had this sign: positive, negative, 0; at most 64."""
    return Expr("streak", r.STREAK, (x,), SCALE_FREE, forget=r.STREAK_LIMIT - 1)


def _session(word: str, code: int, x: Expr, key: Expr) -> Expr:
    return Expr(word, code, (x, *scale_free(word, key)), x.unit, sessions=1)


def session_total(x: Expr, key: Expr) -> Expr:
    """Return the sum since `key` last changed."""
    return _session("session_total", r.SESSION_TOTAL, x, key)


def session_highest(x: Expr, key: Expr) -> Expr:
    """Return the maximum since `key` last changed."""
    return _session("session_highest", r.SESSION_HIGHEST, x, key)


def session_lowest(x: Expr, key: Expr) -> Expr:
    """Return the minimum since `key` last changed."""
    return _session("session_lowest", r.SESSION_LOWEST, x, key)


def previous_session(x: Expr, key: Expr) -> Expr:
    """Return the last x before `key` last changed; x itself as long as it never has."""
    return _session("previous_session", r.PREVIOUS_SESSION, x, key)
