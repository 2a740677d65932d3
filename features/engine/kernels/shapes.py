"""Window statistics that look at the shape of the sample: skewness, kurtosis, median."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from features.engine.kernels.arrays import Column


@njit(error_model="numpy")
def skew(m2: float, m3: float, n: int) -> float:
    """Return the adjusted sample skewness (G1) of sums of powers; 0 for a flat window."""
    v = m2 / n
    spread = v * math.sqrt(v)
    factor = math.sqrt(n * (n - 1.0)) / (n - 2.0)
    return factor * (m3 / n) / spread if spread > 0.0 else 0.0


@njit(error_model="numpy")
def kurtosis(m2: float, m4: float, n: int) -> float:
    """Return the adjusted excess kurtosis (G2) of sums of powers; 0 for a flat window."""
    scale = n * (n + 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))
    normal = 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))
    spread = m2 * m2
    return scale * m4 / spread - normal if spread > 0.0 else 0.0


@njit(error_model="numpy")
def median(x: Column, n: int, out: Column) -> None:
    """Write the median of each window."""
    ordered = np.empty(n)
    for i in range(len(out)):
        for j in range(n):
            value, k = x[i + j], j
            while k > 0 and ordered[k - 1] > value:
                ordered[k] = ordered[k - 1]
                k -= 1
            ordered[k] = value
        out[i] = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
