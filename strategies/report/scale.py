"""Scales: round numbers and round dates along an axis, for the page's charts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.timeframes import DAY_MS, utc

Floats = NDArray[np.float64]

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_HOUR_MS = DAY_MS // 24
_SPANS_MS = (
    *(_HOUR_MS * hours for hours in (1, 2, 3, 6, 12)),
    *(DAY_MS * days for days in (1, 2, 3, 5, 7, 14, 28, 91, 182, 364)),
)


@dataclass(frozen=True)
class Scale:
    """Where numbers lie on an axis, and where its ticks are.

    Attributes
    ----------
    low, high
        What the axis begins and ends with.
    ticks
        Round numbers between them.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, values: Floats) -> Floats:
        """Return where values lie, 0 at the low end and 1 at the high one."""
        return (values - self.low) / (self.high - self.low)


def numbers(low: float, high: float, count: int = 4) -> Scale:
    """Return a scale of round numbers that holds both ends; a flat one gets room around it."""
    if not math.isfinite(low + high):
        low, high = 0.0, 1.0
    if high <= low:
        room = abs(low) * 0.01 or 1.0
        low, high = low - room, high + room
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in _STEPS if power * one >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(k * step, 12) for k in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks)


def moments(first_ms: int, last_ms: int, count: int = 7) -> Scale:
    """Return a scale of round times between two moments, epoch milliseconds, UTC."""
    if last_ms <= first_ms:
        last_ms = first_ms + 1
    rough = (last_ms - first_ms) / count
    step = next((one for one in _SPANS_MS if one >= rough), _SPANS_MS[-1])
    begin = -(-first_ms // step) * step
    ticks = tuple(float(at) for at in range(begin, last_ms + 1, step))
    return Scale(float(first_ms), float(last_ms), ticks)


def moment_label(scale: Scale, at_ms: float) -> str:
    """Return a tick of time in as many words as its axis needs."""
    when: pd.Timestamp = utc(int(at_ms))
    if scale.high - scale.low <= 3 * DAY_MS:
        return f"{when:%d %b %H:%M}"
    return f"{when:%d %b}" if scale.high - scale.low <= 300 * DAY_MS else f"{when:%b %Y}"
