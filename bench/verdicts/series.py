"""Loss differences hour by hour: overlapping labels, changing spread, and who is better for days.

Verdicts look at days, so that sums over an hour tell them all that bars do: `bench.verdicts.grid`
compares the two. Every line has noise of its own; what the lines of a slot share has no influence
on their difference and is not drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]

HOURS = 24
SLOTS = {
    "direction": 5 / 60, "risk": 1.0, "price": 1.0, "momentum": 12 / 60, "volatility": 4.0,
    "autoregressive": 1.0, "multi_ohlc": 5.0,
}  # fmt: skip
"""Hours until a label is known, slot by slot, on bars of one minute."""
TEMPER = 0.5
"""What is left after a day of one model's being better for a while."""
_FINE = 6  # steps of ten minutes
_SPREAD, _SPREAD_HOURS = 0.35, 12.0  # of the log of the noise's size, and its half-life


def lines(rng: np.random.Generator, count: int, days: int, horizon: float, wander: float) -> Floats:
    """Return gains of `count` lines, float64[count, 24 · days].

    Parameters
    ----------
    horizon : float
        Hours that labels overlap.
    wander : float
        Standard deviation of the difference of two lines' true skill, as a day's mean, in units of
        what chance alone does to that difference in a day. It is nought in the long run.

    Notes
    -----
    The difference of two lines has a long-run variance of 1 an hour without `wander`: an advantage
    of μ/√24 an hour gives z = μ√D over D days.
    """
    steps = days * HOURS * _FINE
    box = max(1, round(horizon * _FINE))
    noise = rng.standard_normal((count, steps + box - 1)) * np.sqrt(_FINE / 2)
    noise *= np.repeat(_size(rng, count, days), _FINE, axis=1)[:, : noise.shape[1]]
    running = np.cumsum(np.pad(noise, ((0, 0), (1, 0))), axis=1)
    overlapping = (running[:, box:] - running[:, :-box]) / box
    gains = overlapping.reshape(count, days * HOURS, _FINE).mean(axis=2)
    if wander:
        phi = TEMPER ** (1 / HOURS)
        gains += wander / np.sqrt(2 * HOURS) * _autoregression(rng, count, days * HOURS, phi)
    return np.asarray(gains)


def _size(rng: np.random.Generator, count: int, days: int) -> Floats:
    """Return how large the noise is, hour by hour; its mean square is 1."""
    phi = 0.5 ** (1 / _SPREAD_HOURS)
    common = _autoregression(rng, 1, days * HOURS + HOURS, phi)
    return np.repeat(np.exp(_SPREAD * common - _SPREAD**2), count, axis=0)


def _autoregression(rng: np.random.Generator, count: int, hours: int, phi: float) -> Floats:
    noise = rng.standard_normal((count, hours))
    noise[:, 1:] *= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=1))
