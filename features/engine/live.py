"""The compiled function that runs a feature program over one closed bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.engine.compiled import compiled
from features.engine.kernels import live, memory
from features.engine.kernels.memory import FIRST as FIRST_MEMORY
from features.engine.kernels.memory import STATES
from features.engine.kernels.sources import digest
from features.engine.kernels.windows import FIRST as FIRST_WINDOW

LIVE_BARS = 64
"""Bars that are written before histories are moved back to their start."""

# Entries of the cursor.
PLACE, SEEN, LATEST, CURSOR = range(4)
# Columns of the instruction table: as in `features.engine.executor`, but with places in memory
# instead of slots, and beside each of them whether it moves on with every bar.
(
    CODE, BARS, OUT, OUT_MOVES, X, X_MOVES, Y, Y_MOVES, Z, Z_MOVES, SEED, FORGET, START, STATE,
    FIELDS,
) = range(15)  # fmt: skip
# Columns of the tables of inputs and outputs, and of the histories that move.
AT, MOVES, READY = range(3)
END, DEPTH = range(2)

_Floats = NDArray[np.float64]
_Table = NDArray[np.int64]


def _build(sources: int) -> Callable[..., Any]:
    @compiled
    def execute_bar(
        bar: _Floats, inputs: _Table, table: _Table, alphas: _Floats, histories: _Table,
        outputs: _Table, mem: _Floats, cursor: NDArray[np.int64], row: NDArray[np.float32],
    ) -> int:  # fmt: skip
        if cursor[PLACE] == LIVE_BARS:
            for s in range(len(histories)):
                start = histories[s, END] - histories[s, DEPTH]
                for i in range(start, histories[s, END]):
                    mem[i] = mem[i + LIVE_BARS]
            cursor[PLACE] = 0
        place, seen = cursor[PLACE], cursor[SEEN]
        for j in range(len(bar)):
            mem[inputs[j, AT] + place * inputs[j, MOVES]] = bar[j]
        for k in range(len(table)):
            code = table[k, CODE]
            out = table[k, OUT] + place * table[k, OUT_MOVES]
            x = table[k, X] + place * table[k, X_MOVES]
            y = table[k, Y] + place * table[k, Y_MOVES]
            z = table[k, Z] + place * table[k, Z_MOVES]
            if code < FIRST_WINDOW:
                mem[out] = live.value(code, mem[x], mem[y], mem[z])
            elif code < FIRST_MEMORY:
                mem[out] = live.statistic(code, table[k, BARS], mem, x, y, z, out)
            else:
                state = table[k, STATE]
                memory.apply(
                    code, table[k, SEED] + 1, table[k, FORGET], alphas[k], seen - table[k, START],
                    mem[x : x + 1], mem[y : y + 1], mem[out : out + 1], mem[state : state + STATES],
                )  # fmt: skip
        for j in range(len(outputs)):
            value = mem[outputs[j, AT] + place * outputs[j, MOVES]]
            row[j] = value if seen >= outputs[j, READY] else np.nan
        cursor[PLACE] += 1
        cursor[SEEN] += 1
        cursor[LATEST] = int(bar[0])  # here, so that no interrupt comes between bar and time
        return sources

    return execute_bar


execute_bar = _build(digest())
"""Run a program over one bar.

Parameters
----------
bar : float64 [I]
    Open time, open, high, low, close, volume, and the program's further inputs.
inputs, table, alphas, histories, outputs : arrays
    The program, see `features.engine.compiler.Plan`.
mem, cursor : arrays
    What the program remembers; changed in place.
row : float32 [F]
    Written.
"""
