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

from features.kernels import paths, shapes
from features.kernels.arrays import Column, Scratch

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
        _trend(code == SLOPE, x, n, out, work)
    elif code in (SKEW, KURTOSIS):
        _moments(x, n, out, work)
        if code == SKEW:
            shapes.skew(n, out, work)
        else:
            shapes.kurtosis(n, out, work)
    elif code == MEAN_DEVIATION:
        _mean_deviation(x, n, out, work)
    elif code == MEDIAN:
        shapes.median(x, n, out)
    elif code == SUPERTREND:
        paths.supertrend(x, y, z, n, out)
    elif code == PSAR:
        paths.psar(x, y, n, out)


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
            out[i] = max(sxx[i] - sx[i] * sx[i] / n, 0.0) / (n - 1)
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
            vx = max(sxx[i] - sx[i] * sx[i] / n, 0.0) / (n - 1)
            vy = max(syy[i] - sy[i] * sy[i] / n, 0.0) / (n - 1)
            spread = math.sqrt(vx) * math.sqrt(vy)
            out[i] = min(max(out[i] / spread, -1.0), 1.0) if spread > 0.0 else 0.0


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
def _trend(slope: bool, x: Column, n: int, out: Column, work: Scratch) -> None:
    """Write slope a bar of the least squares line through the window, or its R² (0 if flat)."""
    m = len(out)
    s, q = work[0, :m], work[1, :m]
    middle = (n - 1) / 2.0
    spread = n * (n * n - 1.0) / 12.0
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
        if slope:
            out[i] = out[i] / spread
        else:
            total = max(q[i] - s[i] * s[i] / n, 0.0)
            out[i] = min(out[i] * out[i] / (spread * total), 1.0) if total > 0.0 else 0.0


@njit(error_model="numpy")
def _moments(x: Column, n: int, out: Column, work: Scratch) -> None:
    """Leave the sums of the 2nd, 3rd and 4th powers of distances to the mean in `work`."""
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
