"""The project's own HAC z (`ml_pipeline.hac.hac_mean`), for many windows at once."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from ml_pipeline.hac import hac_z, student_match
from ml_pipeline.skill import LAG_SHARE, judging_lag

Floats = NDArray[np.float64]

_AT_ONCE = 4_000_000  # values of windows held in memory


def z_of_rows(rows: Floats, lag: int, overlap: float) -> Floats:
    """Return `hac_z` of each row of float64[n, T]."""
    n, times = rows.shape
    width = lag + 1
    kept, dof = student_match(min(width / times, 0.5), overlap / (3 * width))
    mean = rows.mean(axis=1)
    padded = np.zeros((n, times + width + lag))
    np.cumsum(rows - mean[:, None], axis=1, out=padded[:, width : width + times])
    padded[:, width + times :] = padded[:, width + times - 1, None]
    sums = padded[:, width:] - padded[:, :-width]
    variance = np.einsum("ij,ij->i", sums, sums) / (times * width) / kept
    t = mean / np.sqrt(variance / times)
    return np.copysign(ndtri(stdtr(dof, -np.abs(t))), t)


def z_at(
    series: Floats, ends: NDArray[np.int64], length: int, overlap: float, share: int = LAG_SHARE
) -> Floats:
    """Return z of the last `length` values before each of `ends`: float64[series, ends].

    Parameters
    ----------
    series : float64[n, T]
        Loss differences, one a step of the grid.
    ends : int[m]
        Where windows end, each at least `length`.
    overlap : float
        Horizon of the labels in steps of the grid, as a verdict is told it in bars.
    share : int
        The lag is at least this part of the window; what a verdict uses unless told.
    """
    lag = max(judging_lag(max(1, round(overlap)), length), length // share)
    windows = sliding_window_view(series, length, axis=1)[:, ends - length]
    chunk = max(1, _AT_ONCE // (length * len(ends)))
    found = [
        z_of_rows(windows[i : i + chunk].reshape(-1, length), lag, overlap)
        for i in range(0, len(series), chunk)
    ]
    return np.concatenate(found).reshape(len(series), len(ends))


def check(rng: np.random.Generator) -> float:
    """Return the largest difference from the project's own function over some windows."""
    rows = rng.standard_normal((8, 336)) + 0.1
    ours = z_of_rows(rows, 14, 4.0)
    return float(max(abs(z - hac_z(row, 14, 4.0)) for z, row in zip(ours, rows, strict=True)))
