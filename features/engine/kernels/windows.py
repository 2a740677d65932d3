"""Operations on the trailing n bars, summed oldest to newest.

Each kernel gets columns of n - 1 + m values and writes m: value i is made of x[i] (oldest) to
x[i + n - 1] (its own bar). The outer loop goes through the window, the inner one through the bars,
so that the inner one vectorises, while each bar's sum still runs in the same order however many
bars come at once: that keeps history and live bar equal to the last bit.
Sums of values are taken of their distance to the window's oldest value. That makes moments of a
flat window exactly zero, and bounds cancellation, since the pivot is one of the values summed.
"""

from __future__ import annotations

import math

from numba import njit

from features.engine.kernels import paths, shapes
from features.engine.kernels.arrays import Column, Scratch

(
    LAG, TOTAL, MEAN, VARIANCE, COVARIANCE, CORRELATION, HIGHEST, LOWEST, SINCE_HIGHEST,
    SINCE_LOWEST, RANK, SLOPE, R_SQUARED, SKEW, KURTOSIS, MEAN_DEVIATION, MEDIAN, SUPERTREND, PSAR,
) = range(100, 119)  # fmt: skip
FIRST, LAST = LAG, PSAR


@njit(error_model="numpy")
def apply(  # noqa: C901 - a switch
    code: int, n: int, x: Column, y: Column, z: Column, out: Column, work: Scratch
) -> None:
    """Write the operation `code` over `n` bars of x, y, z (each [n - 1 + m]) to out [m]."""
    if code == LAG:
        for i in range(len(out)):
            out[i] = x[i]
    elif code == TOTAL:
        _total(x, n, out)
    elif code == MEAN:
        _mean(x, n, out)
    elif code in (VARIANCE, COVARIANCE, CORRELATION):
        _comoments(code, x, y, n, out, work)
    elif code in (HIGHEST, LOWEST):
        _extreme(x, n, 1.0 if code == HIGHEST else -1.0, out)
    elif code in (SINCE_HIGHEST, SINCE_LOWEST):
        _since_extreme(x, n, 1.0 if code == SINCE_HIGHEST else -1.0, out, work)
    elif code == RANK:
        _rank(x, n, out)
    elif code in (SLOPE, R_SQUARED):
        _trend(code, x, n, out, work)
    elif code in (SKEW, KURTOSIS):
        _moments(code, x, n, out, work)
    elif code == MEAN_DEVIATION:
        _mean_deviation(x, n, out, work)
    elif code == MEDIAN:
        shapes.median(x, n, out)
    elif code == SUPERTREND:
        paths.supertrend(x, y, z, n, out, work)
    elif code == PSAR:
        paths.psar(x, y, n, out, work)


@njit(error_model="numpy")
def _total(x: Column, n: int, out: Column) -> None:
    for i in range(len(out)):
        out[i] = x[i]
    for j in range(1, n):
        for i in range(len(out)):
            out[i] += x[i + j]


@njit(error_model="numpy")
def _mean(x: Column, n: int, out: Column) -> None:
    for i in range(len(out)):
        out[i] = 0.0
    for j in range(1, n):
        for i in range(len(out)):
            out[i] += x[i + j] - x[i]
    for i in range(len(out)):
        out[i] = x[i] + out[i] / n


@njit(error_model="numpy")
def _comoments(code: int, x: Column, y: Column, n: int, out: Column, work: Scratch) -> None:
    """Write sample variance, covariance (ddof 1) or correlation (0 where one side is flat)."""
    m = len(out)
    sx, sy, sxy, sxx, syy = work[0, :m], work[1, :m], work[2, :m], work[3, :m], work[4, :m]
    work[:, :m] = 0.0
    if code == VARIANCE:
        for j in range(1, n):
            for i in range(m):
                dx = x[i + j] - x[i]
                sx[i] += dx
                sxx[i] += dx * dx
        for i in range(m):
            out[i] = spread(sx[i], sxx[i], n)
        return
    for j in range(1, n):
        for i in range(m):
            dx = x[i + j] - x[i]
            dy = y[i + j] - y[i]
            sx[i] += dx
            sy[i] += dy
            sxy[i] += dx * dy
            sxx[i] += dx * dx
            syy[i] += dy * dy
    for i in range(m):
        out[i] = (sxy[i] - sx[i] * sy[i] / n) / (n - 1)
    if code == CORRELATION:
        for i in range(m):
            out[i] = correlation(out[i], sx[i], sy[i], sxx[i], syy[i], n)


@njit(error_model="numpy")
def spread(s: float, q: float, n: int) -> float:
    """Return the sample variance (ddof 1) of a sum and a sum of squares."""
    return max(q - s * s / n, 0.0) / (n - 1)


@njit(error_model="numpy")
def correlation(covariance: float, sx: float, sy: float, sxx: float, syy: float, n: int) -> float:
    """Return Pearson's correlation of sums and sums of squares; 0 where one side is flat."""
    scale = math.sqrt(spread(sx, sxx, n)) * math.sqrt(spread(sy, syy, n))
    return min(max(covariance / scale, -1.0), 1.0) if scale > 0.0 else 0.0


@njit(error_model="numpy")
def _extreme(x: Column, n: int, side: float, out: Column) -> None:
    for i in range(len(out)):
        out[i] = side * x[i]
    for j in range(1, n):
        for i in range(len(out)):
            value = side * x[i + j]
            out[i] = value if value > out[i] else out[i]
    for i in range(len(out)):
        out[i] = side * out[i]


@njit(error_model="numpy")
def _since_extreme(x: Column, n: int, side: float, out: Column, work: Scratch) -> None:
    """Write how many bars ago the extreme was; of equal ones the latest counts."""
    best = work[0, : len(out)]
    for i in range(len(out)):
        best[i] = side * x[i]
        out[i] = n - 1.0
    for j in range(1, n):
        for i in range(len(out)):
            value = side * x[i + j]
            newer = value >= best[i]
            best[i] = value if newer else best[i]
            out[i] = n - 1.0 - j if newer else out[i]


@njit(error_model="numpy")
def _rank(x: Column, n: int, out: Column) -> None:
    """Write the share of the other n - 1 values that lie below this bar's; equal ones count ½."""
    for i in range(len(out)):
        out[i] = 0.0
    for j in range(n - 1):
        for i in range(len(out)):
            own = x[i + n - 1]
            out[i] += (1.0 if x[i + j] < own else 0.0) + (0.5 if x[i + j] == own else 0.0)
    for i in range(len(out)):
        out[i] /= n - 1


@njit(error_model="numpy")
def slope(lean: float, n: int) -> float:
    """Return the slope a bar of the least squares line; `lean` is the sum of (j - middle) x."""
    return lean / (n * (n * n - 1.0) / 12.0)


@njit(error_model="numpy")
def r_squared(lean: float, s: float, q: float, n: int) -> float:
    """Return the R² of the least squares line; 0 where the window is flat."""
    total = max(q - s * s / n, 0.0)
    return min(lean * lean / (n * (n * n - 1.0) / 12.0 * total), 1.0) if total > 0.0 else 0.0


@njit(error_model="numpy")
def _trend(code: int, x: Column, n: int, out: Column, work: Scratch) -> None:
    """Write slope a bar of the least squares line through the window, or its R²."""
    m = len(out)
    s, q = work[0, :m], work[1, :m]
    middle = (n - 1) / 2.0
    for i in range(m):
        out[i] = 0.0
        s[i] = 0.0
        q[i] = 0.0
    for j in range(1, n):
        for i in range(m):
            d = x[i + j] - x[i]
            out[i] += (j - middle) * d
            s[i] += d
            q[i] += d * d
    for i in range(m):
        out[i] = slope(out[i], n) if code == SLOPE else r_squared(out[i], s[i], q[i], n)


@njit(error_model="numpy")
def _moments(code: int, x: Column, n: int, out: Column, work: Scratch) -> None:
    """Write skewness or kurtosis, of the 2nd to 4th powers of distances to the mean."""
    m = len(out)
    m2, m3, m4 = work[0, :m], work[1, :m], work[2, :m]
    work[:, :m] = 0.0
    _mean(x, n, out)
    for j in range(n):
        for i in range(m):
            d = x[i + j] - out[i]
            m2[i] += d * d
            m3[i] += d * d * d
            m4[i] += d * d * d * d
    for i in range(m):
        skewed = code == SKEW
        out[i] = shapes.skew(m2[i], m3[i], n) if skewed else shapes.kurtosis(m2[i], m4[i], n)


@njit(error_model="numpy")
def _mean_deviation(x: Column, n: int, out: Column, work: Scratch) -> None:
    """Write the mean absolute distance to the mean."""
    mean = work[0, : len(out)]
    _mean(x, n, mean)
    for i in range(len(out)):
        out[i] = 0.0
    for j in range(n):
        for i in range(len(out)):
            out[i] += abs(x[i + j] - mean[i])
    for i in range(len(out)):
        out[i] /= n
