"""Weeks of hours cut out of a series on real bars, z of each, and errors drawn for forecasts."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

from bench.verdicts.batch import z_of_rows
from bench.verdicts.outcomes import DAY, Floats
from ml_pipeline.skill import judging_lag

HOURS, WINDOW = 24, 28  # a day's, and days that are judged
SYMBOLS_SHARE = 0.95
"""Correlation of a forecast's errors between symbols."""


def hourly(values: Floats) -> Floats:
    """Return means over symbols and hours: float64[k, hours] of float64[k, T, S]."""
    bars = DAY // HOURS
    whole = values[:, : values.shape[1] // bars * bars].mean(axis=2)
    return np.asarray(whole.reshape(len(values), -1, bars).mean(axis=2))


def windows(series: Floats, length: int, ends: np.ndarray) -> Floats:
    """Return the last `length` hours before each of `ends`."""
    return np.asarray(sliding_window_view(series, length, axis=-1)[..., ends - length, :])


def z_of(rows: Floats, length: int, overlap: int = 4) -> Floats:
    """Return z of each row, as the judge gives it; labels overlap so many hours."""
    return z_of_rows(rows, judging_lag(overlap, length), float(overlap))


def errors(rng: np.random.Generator, shape: tuple[int, ...], size: float, hours: float) -> Floats:
    """Return errors in ln RV² that halve within so many hours; the forecast stays unbiased."""
    _, bars, symbols = shape
    phi = 0.5 ** (HOURS / (hours * DAY))
    noise = np.sqrt(SYMBOLS_SHARE) * rng.standard_normal((bars, 1))
    noise = noise + np.sqrt(1 - SYMBOLS_SHARE) * rng.standard_normal((bars, symbols))
    noise[1:] *= np.sqrt(1 - phi**2)
    return np.asarray(size * lfilter([1.0], [1.0, -phi], noise, axis=0) + size**2 / 2)
