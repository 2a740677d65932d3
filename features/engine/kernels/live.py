"""The same operations on one bar, in registers instead of columns.

Each does what its counterpart in `elementwise` or `windows` does for the last bar of a piece: the
same additions in the same order, so the same bits. `x`, `y`, `z` are the bar's own places in
memory; a window of n bars begins n - 1 before.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from features.engine.kernels import elementwise as e
from features.engine.kernels import paths, shapes
from features.engine.kernels import windows as w
from features.engine.kernels.arrays import Column


@njit(error_model="numpy")
def value(code: int, x: float, y: float, z: float) -> float:  # noqa: C901 - a switch
    """Return the operation `code` of three numbers."""
    if code == e.ADD:
        return x + y
    if code == e.SUBTRACT:
        return x - y
    if code == e.MULTIPLY:
        return x * y
    if code == e.DIVIDE:
        return x / y
    if code == e.RATIO:
        return x / y if y != 0.0 else z
    if code == e.LARGER:
        return x if x > y else y
    if code == e.SMALLER:
        return x if x < y else y
    if code == e.GREATER:
        return 1.0 if x > y else 0.0
    if code == e.GREATER_EQUAL:
        return 1.0 if x >= y else 0.0
    if code == e.EQUAL:
        return 1.0 if x == y else 0.0
    if code == e.BOTH:
        return 1.0 if (x != 0.0) & (y != 0.0) else 0.0
    if code == e.WHERE:
        return y if x != 0.0 else z
    if code == e.FLOOR_DIVIDE:
        return np.floor(x / y)
    if code == e.MODULO:
        return x - np.floor(x / y) * y
    return _function(code, x)


@njit(error_model="numpy")
def _function(code: int, x: float) -> float:  # noqa: C901 - a switch
    if code == e.NEGATE:
        return -x
    if code == e.MAGNITUDE:
        return abs(x)
    if code == e.SIGN:
        return (1.0 if x > 0.0 else 0.0) - (1.0 if x < 0.0 else 0.0)
    if code == e.ROOT:
        return math.sqrt(x)
    if code == e.LOG:
        return math.log(x)
    if code == e.EXP:
        return math.exp(x)
    if code == e.SINE:
        return math.sin(x)
    if code == e.COSINE:
        return math.cos(x)
    if code == e.NORMAL_CDF:
        return e.normal_cdf(x)
    if code == e.MISSING:
        return 1.0 if math.isnan(x) else 0.0
    return e.calendar(x, code == e.MONTH)


@njit(error_model="numpy")
def statistic(code: int, n: int, mem: Column, x: int, y: int, z: int, out: int) -> float:
    """Return the operation `code` over the `n` bars that end at x, y, z in memory."""
    a, b = x - n + 1, y - n + 1
    if code == w.LAG:
        return mem[a]
    if code == w.TOTAL:
        return _total(mem, a, n)
    if code == w.MEAN:
        return _mean(mem, a, n)
    if code == w.VARIANCE:
        return _variance(mem, a, n)
    if code in (w.COVARIANCE, w.CORRELATION):
        return _comoment(code, mem, a, b, n)
    if code in (w.HIGHEST, w.LOWEST):
        return _extreme(mem, a, n, 1.0 if code == w.HIGHEST else -1.0)
    return _shape(code, n, mem, x, y, z, out)


@njit(error_model="numpy")
def _shape(code: int, n: int, mem: Column, x: int, y: int, z: int, out: int) -> float:
    """Return the rarer statistics; the median by its kernel for pieces, which goes bar by bar."""
    a, b, c = x - n + 1, y - n + 1, z - n + 1
    if code in (w.SINCE_HIGHEST, w.SINCE_LOWEST):
        return _since_extreme(mem, a, n, 1.0 if code == w.SINCE_HIGHEST else -1.0)
    if code == w.RANK:
        return _rank(mem, a, n)
    if code in (w.SLOPE, w.R_SQUARED):
        return _trend(code, mem, a, n)
    if code in (w.SKEW, w.KURTOSIS):
        return _moment(code, mem, a, n)
    if code == w.MEAN_DEVIATION:
        return _mean_deviation(mem, a, n)
    if code == w.SUPERTREND:
        return paths.supertrend_at(mem, a, b, c, n)
    if code == w.PSAR:
        return paths.psar_at(mem, a, b, n)
    shapes.median(mem[a : x + 1], n, mem[out : out + 1])
    return mem[out]


@njit(error_model="numpy")
def _total(mem: Column, a: int, n: int) -> float:
    total = mem[a]
    for j in range(1, n):
        total += mem[a + j]
    return total


@njit(error_model="numpy")
def _mean(mem: Column, a: int, n: int) -> float:
    pivot, total = mem[a], 0.0
    for j in range(1, n):
        total += mem[a + j] - pivot
    return pivot + total / n


@njit(error_model="numpy")
def _variance(mem: Column, a: int, n: int) -> float:
    pivot, s, q = mem[a], 0.0, 0.0
    for j in range(1, n):
        d = mem[a + j] - pivot
        s += d
        q += d * d
    return w.spread(s, q, n)


@njit(error_model="numpy")
def _comoment(code: int, mem: Column, a: int, b: int, n: int) -> float:
    sx, sy, sxy, sxx, syy = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(1, n):
        dx = mem[a + j] - mem[a]
        dy = mem[b + j] - mem[b]
        sx += dx
        sy += dy
        sxy += dx * dy
        sxx += dx * dx
        syy += dy * dy
    covariance = (sxy - sx * sy / n) / (n - 1)
    if code == w.COVARIANCE:
        return covariance
    return w.correlation(covariance, sx, sy, sxx, syy, n)


@njit(error_model="numpy")
def _extreme(mem: Column, a: int, n: int, side: float) -> float:
    best = side * mem[a]
    for j in range(1, n):
        here = side * mem[a + j]
        best = here if here > best else best
    return side * best


@njit(error_model="numpy")
def _since_extreme(mem: Column, a: int, n: int, side: float) -> float:
    best, at = side * mem[a], 0
    for j in range(1, n):
        here = side * mem[a + j]
        if here >= best:
            best, at = here, j
    return n - 1.0 - at


@njit(error_model="numpy")
def _rank(mem: Column, a: int, n: int) -> float:
    own, below = mem[a + n - 1], 0.0
    for j in range(n - 1):
        below += (1.0 if mem[a + j] < own else 0.0) + (0.5 if mem[a + j] == own else 0.0)
    return below / (n - 1)


@njit(error_model="numpy")
def _trend(code: int, mem: Column, a: int, n: int) -> float:
    middle = (n - 1) / 2.0
    lean, s, q = 0.0, 0.0, 0.0
    for j in range(1, n):
        d = mem[a + j] - mem[a]
        lean += (j - middle) * d
        s += d
        q += d * d
    return w.slope(lean, n) if code == w.SLOPE else w.r_squared(lean, s, q, n)


@njit(error_model="numpy")
def _moment(code: int, mem: Column, a: int, n: int) -> float:
    mean = _mean(mem, a, n)
    m2, m3, m4 = 0.0, 0.0, 0.0
    for j in range(n):
        d = mem[a + j] - mean
        m2 += d * d
        m3 += d * d * d
        m4 += d * d * d * d
    return shapes.skew(m2, m3, n) if code == w.SKEW else shapes.kurtosis(m2, m4, n)


@njit(error_model="numpy")
def _mean_deviation(mem: Column, a: int, n: int) -> float:
    mean, total = _mean(mem, a, n), 0.0
    for j in range(n):
        total += abs(mem[a + j] - mean)
    return total / n
