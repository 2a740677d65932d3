"""The compiled function that runs a feature program over a piece of history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.engine.compiled import compiled
from features.engine.kernels import elementwise, memory, windows
from features.engine.kernels.memory import FIRST as FIRST_MEMORY
from features.engine.kernels.memory import STATES
from features.engine.kernels.sources import digest
from features.engine.kernels.windows import FIRST as FIRST_WINDOW

PIECE = 384
"""Most bars the executor takes at once: enough that the work on a column outweighs reaching it,
few enough that a program's columns stay in cache."""

# Columns of the instruction table: kernel, slots of result and arguments, bars it reaches back,
# bars and forgetting of a recursion, bar at which its arguments begin, place of its state.
CODE, OUT, X, Y, Z, REACH, SEED, FORGET, START, STATE, FIELDS = range(11)

_TILE = 32  # rows given at once: their lines of the result stay in the nearest cache

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


def _build(sources: int) -> Callable[..., Any]:
    @compiled
    def execute(
        bars: _Floats, table: _Integers, alphas: _Floats, first: _Integers, seen: int,
        wide: _Floats, states: _Floats, work: _Floats,
    ) -> int:  # fmt: skip
        m = len(bars)
        for j in range(bars.shape[1]):
            for i in range(m):
                wide[first[j] + i] = bars[i, j]
        for k in range(len(table)):
            row = table[k]
            code, reach = row[CODE], row[REACH]
            out, a, b, c = first[row[OUT]], first[row[X]], first[row[Y]], first[row[Z]]
            target = wide[out : out + m]
            x = wide[a - reach : a + m]
            y = wide[b - reach : b + m]
            z = wide[c - reach : c + m]
            if code < FIRST_WINDOW:
                elementwise.apply(code, x, y, z, target)
            elif code < FIRST_MEMORY:
                windows.apply(code, reach + 1, x, y, z, target, work)
            else:
                state = states[row[STATE] : row[STATE] + STATES]
                age = seen - row[START]
                memory.apply(code, row[SEED] + 1, row[FORGET], alphas[k], age, x, y, target, state)
        return sources

    return execute


execute = _build(digest())
"""Run a program over the next bars.

Parameters
----------
bars : float64 [m, I], m <= PIECE
    Open time, open, high, low, close, volume, and the program's further inputs.
table, alphas : arrays
    The program, see `features.engine.compiler.Plan`.
first : int64 [S]
    Where each slot's new values go in `wide`; its history lies before.
seen : int
    Bars that came before.
wide, states : float64
    What is worked on, and what recursions keep; changed in place.
work : float64 [WORK_ROWS, PIECE]
    Scratch.
"""


@compiled
def give(wide: _Floats, places: _Integers, seen: int, ready: _Integers, out: NDArray[Any]) -> None:
    """Write the results as rows, NaN where the bars seen are fewer than a column's look-back.

    Parameters
    ----------
    wide : float64
        What `execute` worked on.
    places, ready : int64 [F]
        Where each column's values begin, and the bar at which they become valid.
    seen : int
        Bars that came before.
    out : float32 or float64 [m, F]
        Written.
    """
    for tile in range(0, len(out), _TILE):
        end = min(tile + _TILE, len(out))
        for j in range(len(places)):
            source = places[j]
            for i in range(tile, end):
                out[i, j] = wide[source + i]
            for i in range(tile, min(end, ready[j] - seen)):
                out[i, j] = np.nan
