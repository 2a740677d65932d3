"""Where a program's columns lie in memory: narrow for the live bar, wide for pieces of history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.engine.compiled import compiled

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """An arrangement of a program's columns ("slots") in one array.

    Parameters
    ----------
    first : int64 [S]
        Where each slot's next value goes; its history lies before.
    depth : int64 [S]
        How many old values each slot keeps.
    size : int
        Length of the array.
    """

    first: _Integers
    depth: _Integers
    size: int

    @classmethod
    def of(cls, depth: _Integers, room: _Integers, offset: int = 0) -> Layout:
        """Return a layout with `room` for new values after each history, behind `offset`."""
        extent = depth + room
        first = offset + np.cumsum(extent) - extent + depth
        return cls(first, depth, int(offset + extent.sum()))

    def fill(self, memory: _Floats, slot: int, value: float) -> None:
        """Let a slot hold one value, now and for ever."""
        starts = np.append(self.first - self.depth, self.size)
        memory[starts[slot] : starts[slot + 1]] = value

    def history(self) -> _Integers:
        """Return the places of all histories, slot by slot."""
        spans = zip(self.first, self.depth, strict=True)
        return np.concatenate([np.arange(f - d, f, dtype=np.int64) for f, d in spans])


@compiled
def copy_histories(
    source: _Floats, ends: _Integers, target: _Floats, starts: _Integers, depth: _Integers
) -> None:
    """Copy the history of each slot, which ends at `ends` there, to before `starts` here.

    Within one array this moves histories down: `starts` must not be above `ends`.
    """
    for slot in range(len(depth)):
        for i in range(-depth[slot], 0):
            target[starts[slot] + i] = source[ends[slot] + i]
