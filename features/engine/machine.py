"""A compiled program with its memory: numbers in, numbers out, in pieces or bar by bar."""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from features.engine.compiler import Plan
from features.engine.executor import PIECE, execute, give
from features.engine.first_use import prepare
from features.engine.kernels.arrays import WORK_ROWS
from features.engine.layout import copy_histories
from features.engine.live import CURSOR, LATEST, PLACE, SEEN, execute_bar

Bars = NDArray[np.float64]
"""Float64 [m, 6 + I]: open time in epoch milliseconds, prices, volume, further inputs."""


class Machine:
    """What runs a plan, and remembers the bars that it has seen.

    Parameters
    ----------
    plan : Plan
        Shared by all copies.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._wide: Bars | None = None
        self.reset()

    @property
    def seen(self) -> int:
        """How many bars it has taken since its start."""
        return int(self._cursor[SEEN])

    @property
    def latest(self) -> int:
        """When the last of them opened, epoch milliseconds; 0 if there was none."""
        return int(self._cursor[LATEST])

    @property
    def memory(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """What it remembers, as `features.engine.live.execute_bar` takes and changes it."""
        return self._memory, self._cursor

    def reset(self) -> None:
        """Forget every bar."""
        self._memory = self.plan.new_memory()
        self._cursor = np.zeros(CURSOR, dtype=np.int64)

    def fork(self) -> Machine:
        """Return a copy that goes its own way from here."""
        other = copy.copy(self)
        other._memory = self._memory.copy()
        other._cursor = self._cursor.copy()
        other._wide = None  # scratch, and two threads must not share it
        return other

    def step(self, bar: Bars) -> NDArray[np.float32]:
        """Take one bar, [6 + I], and return its row, float32 [F]."""
        prepare()
        row = np.empty(len(self.plan.outputs), dtype=np.float32)
        execute_bar(bar, *self.plan.live, self._memory, self._cursor, row)
        return row

    def digits(self) -> NDArray[np.float64]:
        """Return the row that `step` has just returned, with all its digits, float64 [F]."""
        at, moves, ready = self.plan.live[-1].T
        row: NDArray[np.float64] = self._memory[at + (int(self._cursor[PLACE]) - 1) * moves]
        row[ready >= self.seen] = np.nan
        return row

    def run(self, bars: Bars, out: NDArray[np.floating]) -> None:
        """Take a history in pieces and write its rows; an interrupted one leaves no trace."""
        prepare()
        plan, seen = self.plan, self.seen
        if self._wide is None:
            self._wide = plan.new_wide()
        wide, first, depth = self._wide, plan.wide.first, plan.depth
        states, work = self._memory[: plan.states].copy(), np.empty((WORK_ROWS, PIECE))
        copy_histories(self._memory, self._ends(), wide, first, depth)
        for start in range(0, len(bars), PIECE):
            piece = bars[start : start + PIECE]
            execute(piece, plan.table, plan.alphas, first, seen + start, wide, states, work)
            rows = out[start : start + len(piece)]
            give(wide, first[plan.outputs], seen + start, plan.ready, rows)
            copy_histories(wide, first + len(piece), wide, first, depth)
        memory = self._memory.copy()
        copy_histories(wide, first, memory, plan.narrow.first, depth)
        memory[: plan.states] = states
        cursor = np.array([0, seen + len(bars), bars[-1, 0]]).astype(np.int64)
        self._memory, self._cursor = memory, cursor

    def kept(self) -> NDArray[np.float64]:
        """Return what is remembered as one row of numbers, for `restore`."""
        past = np.repeat(int(self._cursor[PLACE]) * self.plan.moves, self.plan.depth)
        history = self._memory[self.plan.narrow.history() + past]
        return np.concatenate([[self.latest, self.seen], self._memory[: self.plan.states], history])

    def restore(self, numbers: NDArray[np.float64]) -> None:
        """Take up what the `kept` of a machine of the same plan returned."""
        # States of old say -inf where there was no bar.
        self._cursor[:] = 0, int(numbers[1]), int(max(numbers[0], 0))
        self._memory[: self.plan.states] = numbers[2 : 2 + self.plan.states]
        self._memory[self.plan.narrow.history()] = numbers[2 + self.plan.states :]

    def _ends(self) -> NDArray[np.int64]:
        """Return where the history of each slot ends."""
        return self.plan.narrow.first + int(self._cursor[PLACE]) * self.plan.moves
