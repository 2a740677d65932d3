"""Window statistics that look at the shape of the sample: skewness, kurtosis, median."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from features.kernels.arrays import Column, Scratch


@njit(error_model="numpy")
def skew(n: int, out: Column, work: Scratch) -> None:
    """Write the adjusted sample skewness (G1) of power sums in `work`; 0 for a flat window."""
    factor = math.sqrt(n * (n - 1.0)) / (n - 2.0)
    for i in range(len(out)):
        v = work[0, i] / n
        spread = v * math.sqrt(v)
        out[i] = factor * (work[1, i] / n) / spread if spread > 0.0 else 0.0


@njit(error_model="numpy")
def kurtosis(n: int, out: Column, work: Scratch) -> None:
    """Write the adjusted excess kurtosis (G2) of power sums in `work`; 0 for a flat window."""
    scale = n * (n + 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))
    normal = 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))
    for i in range(len(out)):
        spread = work[0, i] * work[0, i]
        out[i] = scale * work[2, i] / spread - normal if spread > 0.0 else 0.0


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
