"""The one compiled function that runs a feature program over a piece of history or a live bar."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernels import elementwise, memory, paths, shapes, windows
from features.kernels.memory import FIRST as FIRST_MEMORY
from features.kernels.memory import STATES
from features.kernels.windows import FIRST as FIRST_WINDOW

PIECE = 256
"""Most bars the executor takes at once: a column of them is 2 KB, so a program stays in cache."""

INPUTS = 6
"""Columns of a bar: open time in epoch milliseconds, open, high, low, close, volume."""

# Columns of the instruction table.
CODE, OUT, X, Y, Z, REACH, SEED, FORGET, START, FIELDS = range(10)
# Entries of the cursor.
PLACE, SEEN = range(2)

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


def _sources() -> int:
    """Return a number that changes with the source of any kernel.

    Numba's cache on disk notices a change of this file only. A number captured by the compiled
    function is part of the cache key, so a changed kernel is compiled anew.
    """
    text = "".join(inspect.getsource(m) for m in (elementwise, memory, paths, shapes, windows))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


@njit(error_model="numpy")
def _keep_history(buffer: _Floats, first: _Integers, depth: _Integers, place: int) -> None:
    """Move the history of each column, which ends at `place`, to before its start."""
    for slot in range(len(first)):
        for i in range(first[slot] - depth[slot], first[slot]):
            buffer[i] = buffer[i + place]


@njit(error_model="numpy")
def _take_bars(bars: _Floats, buffer: _Floats, first: _Integers, place: int) -> None:
    for j in range(INPUTS):
        for i in range(len(bars)):
            buffer[first[j] + place + i] = bars[i, j]


@njit(error_model="numpy")
def _give_rows(
    buffer: _Floats, first: _Integers, place: int,
    columns: _Integers, seen: int, ready: _Integers, out: _Floats,
) -> None:  # fmt: skip
    """Write the results, NaN where the bars seen are fewer than a column's look-back."""
    for j in range(len(columns)):
        source = first[columns[j]] + place
        for i in range(len(out)):
            out[i, j] = buffer[source + i] if seen + i >= ready[j] else np.nan


def _build(sources: int) -> Callable[..., Any]:
    @njit(cache=True, nogil=True, error_model="numpy")
    def execute(
        bars: _Floats, table: _Integers, alphas: _Floats, first: _Integers, depth: _Integers,
        columns: _Integers, ready: _Integers,
        buffer: _Floats, states: _Floats, work: _Floats, cursor: _Integers, out: _Floats,
    ) -> int:  # fmt: skip
        m = len(bars)
        if cursor[PLACE] + m > PIECE:
            _keep_history(buffer, first, depth, cursor[PLACE])
            cursor[PLACE] = 0
        place, seen = cursor[PLACE], cursor[SEEN]
        _take_bars(bars, buffer, first, place)
        for k in range(len(table)):
            row = table[k]
            code, reach = row[CODE], row[REACH]
            end = place + m
            target = buffer[first[row[OUT]] + place : first[row[OUT]] + end]
            x = buffer[first[row[X]] + place - reach : first[row[X]] + end]
            y = buffer[first[row[Y]] + place - reach : first[row[Y]] + end]
            z = buffer[first[row[Z]] + place - reach : first[row[Z]] + end]
            if code < FIRST_WINDOW:
                elementwise.apply(code, x, y, z, target)
            elif code < FIRST_MEMORY:
                windows.apply(code, reach + 1, x, y, z, target, work)
            else:
                state = states[k * STATES : (k + 1) * STATES]
                age = seen - row[START]
                memory.apply(code, row[SEED] + 1, row[FORGET], alphas[k], age, x, y, target, state)
        _give_rows(buffer, first, place, columns, seen, ready, out)
        cursor[PLACE] += m
        cursor[SEEN] += m
        return sources

    return execute


execute = _build(_sources())
"""Run a program over the next bars.

Parameters
----------
bars : float64 [m, 6], m <= PIECE
    Open time, open, high, low, close, volume.
table, alphas, first, depth, columns : arrays
    The program, see `features.compiler.Plan`.
ready : int64 [F]
    Bar at which each column becomes valid; NaN before.
buffer, states, cursor : arrays
    What the program remembers; changed in place.
work : float64 [WORK_ROWS, PIECE]
    Scratch.
out : float64 [m, F]
    Written.
"""
