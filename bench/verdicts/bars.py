"""Forecasts of a direction and what became of them, bar by bar: the ground of all simulations.

A signal with a memory (AR(1), .9 a bar) moves the next returns a little. A model sees it through
noise of its own, is calibrated, and says p. Labels look five bars ahead and overlap; three symbols
share most of their shocks. The strength of the signal may wander from day to day, may be switched
off, or turn round: that is drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr

Floats = NDArray[np.float64]

DAY = 1440
HORIZON = 5
MEMORY = 0.9
SHOCKS_SHARED = 0.7
"""Correlation of one-minute shocks between symbols (of signals: half of it)."""
_POWERS = MEMORY ** np.arange(HORIZON)
_REACH = float(_POWERS.sum())
_LAGS = np.abs(np.subtract.outer(np.arange(HORIZON), np.arange(HORIZON)))
_SPREAD = float((MEMORY**_LAGS).sum())


def correlation_of(accuracy: float | Floats) -> Floats:
    """Return the correlation of a forecast with its target such that its sign is right so often."""
    return np.asarray(np.sin(np.pi * (np.asarray(accuracy) - 0.5)))


def strength_of(accuracy: float | Floats) -> Floats:
    """Return the weight of the signal in a return such that knowing it is right so often."""
    c = correlation_of(accuracy)
    return np.asarray(np.sign(c) * np.sqrt(HORIZON * c**2 / (_REACH**2 - c**2 * _SPREAD)))


@dataclass(frozen=True)
class Path:
    """What a slot's symbols did.

    Attributes
    ----------
    signal : float64[bars, symbols]
        What an ideal model would see when the bar closes.
    up : bool[bars, symbols]
        Whether the close five bars later is above this one.
    """

    signal: Floats
    up: NDArray[np.bool_]


def path(rng: np.random.Generator, accuracy_by_day: Floats, symbols: int = 3) -> Path:
    """Return whole days in which the ideal model is right as often as asked for each day."""
    bars = len(accuracy_by_day) * DAY
    signal = remembered(rng, bars + HORIZON, symbols, SHOCKS_SHARED / 2)
    weight = np.repeat(strength_of(accuracy_by_day), DAY)[:, None]
    weight = np.concatenate([weight, np.repeat(weight[-1:], HORIZON, axis=0)])
    moves = weight * signal + _mixed(rng, bars + HORIZON, symbols, SHOCKS_SHARED)
    level = np.concatenate([np.zeros((1, symbols)), np.cumsum(moves, axis=0)])
    return Path(signal[:bars], level[HORIZON : HORIZON + bars] > level[:bars])


def said(seen: Floats, accuracy: float) -> Floats:
    """Return the calibrated probability of a model that is right so often, from what it sees."""
    c = float(correlation_of(accuracy))
    return np.asarray(ndtr(c * seen / np.sqrt(1 - c**2)))


def blurred(rng: np.random.Generator, signal: Floats, share: float, noise: Floats) -> Floats:
    """Return what a model sees: a part of the signal, and noise that is half `noise`."""
    own = remembered(rng, *signal.shape, SHOCKS_SHARED / 2)
    mixed = np.sqrt(0.5) * noise + np.sqrt(0.5) * own
    return np.asarray(share * signal + np.sqrt(1 - share**2) * mixed)


def log_loss(p: Floats, up: NDArray[np.bool_]) -> Floats:
    """Return the loss of each row."""
    return -np.log(np.where(up, p, 1 - p))


def remembered(rng: np.random.Generator, bars: int, symbols: int, shared: float) -> Floats:
    """Return unit-variance AR(1) noise, float64[bars, symbols]."""
    noise = _mixed(rng, bars, symbols, shared) * np.sqrt(1 - MEMORY**2)
    noise[0] /= np.sqrt(1 - MEMORY**2)
    return np.asarray(lfilter([1.0], [1.0, -MEMORY], noise, axis=0))


def _mixed(rng: np.random.Generator, bars: int, symbols: int, shared: float) -> Floats:
    common, own = rng.standard_normal((bars, 1)), rng.standard_normal((bars, symbols))
    return np.asarray(np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
