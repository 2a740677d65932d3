"""Sums of the past with geometric weights: the AR(1) recursion without a loop over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def decaying_sum(x: Floats, phi: float) -> Floats:
    """Return y(t) = x(t) + φ·y(t−1) along the last axis, from y(−1) = 0.

    A sum over the last 2s values is the sum over the last s and, s back, φˢ times another one: the
    whole recursion takes log₂(n) passes (Hillis and Steele 1986). A value does not depend on how
    much follows it. It stands in for ``scipy.signal.lfilter``, whose import costs .7 s and 65 MB.

    Parameters
    ----------
    x : float64 [..., n]
        Innovations.
    phi : float
        0 to 1; 1 gives the running sum.
    """
    y, reach = x.copy(), 1
    while reach < x.shape[-1]:
        y[..., reach:] = y[..., reach:] + phi**reach * y[..., :-reach]
        reach *= 2
    return y


def autoregression(noise: Floats, half_life: float, std: float) -> Floats:
    """Return the AR(1) process [..., n] of unit-variance noise with this half-life and spread.

    It starts from 0 and reaches the standard deviation after some half-lives.
    """
    phi = 0.5 ** (1 / half_life)
    return np.asarray(decaying_sum(noise, phi) * (std * np.sqrt(1 - phi**2)))
