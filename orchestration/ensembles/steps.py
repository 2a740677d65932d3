"""Steps along a ledger: when something is learnt anew, and what is known by then."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, timeframe_ms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOURS = 12.0
"""Length of a step."""
_HOUR_MS = 3_600_000
_LEAST = 0.25  # days; on fewer so much is asked that nothing passes


def steps(ts: Ints, warm_days: float, hours: float = HOURS) -> tuple[Ints, Ints]:
    """Return when each step begins, and the places of its rows: step j has ``edges[j:j+2]``.

    Parameters
    ----------
    ts
        Opening time of each row, int64 [n] in milliseconds, never falling.
    warm_days
        Days at the beginning that belong to no step.
    hours
        Length of a step; steps lie on the clock's own grid, the same at every turn.
    """
    length = int(hours * _HOUR_MS)
    if not len(ts):
        return np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    first = -(-(int(ts[0]) + int(warm_days * DAY_MS)) // length) * length
    starts = np.arange(first, int(ts[-1]) + 1, length, dtype=np.int64)
    return starts, np.append(np.searchsorted(ts, starts), len(ts)).astype(np.int64)


def known_by(ts: Ints, horizon: int, timeframe: str, moment_ms: int) -> int:
    """Return how many of the first rows had their outcome when the bar at `moment_ms` opened.

    A bar's outcome is known once its horizon has closed: ``horizon + 1`` bars after it opened.
    """
    wait = (horizon + 1) * timeframe_ms(timeframe)
    return int(np.searchsorted(ts, moment_ms - wait, side="right"))


def z_asked(z: float, days: float, full_days: float) -> float:
    """Return the z that something learnt must reach on so many days of walked ledger.

    As of a promotion, of a young ledger more is asked, for it is looked at turn after turn while it
    grows: z times ``sqrt(full_days / days)``.

    Examples
    --------
    >>> [round(z_asked(1.64, days, 14), 2) for days in (3.5, 14, 28)]
    [3.28, 1.64, 1.64]
    """
    return z * max(1.0, math.sqrt(full_days / max(days, _LEAST)))


class Means:
    """Means over the symbols of each time."""

    def __init__(self, ts: Ints) -> None:
        _, self._where, self._count = np.unique(ts, return_inverse=True, return_counts=True)

    @property
    def rows(self) -> Ints:
        """How many rows share the time of each row, int64 [n]."""
        return np.asarray(self._count[self._where])

    def __call__(self, values: Floats) -> Floats:
        """Return the mean of `values` [n] at each different time."""
        return np.asarray(np.bincount(self._where, weights=values) / self._count)
