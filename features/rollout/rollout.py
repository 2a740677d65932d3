"""A program's forecasts of the bars to come, from one bar or from thousands of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import bar_table
from features.engine.machine import Machine
from features.errors import FeatureError, NotEnoughHistory
from features.program import FeatureProgram
from features.rollout.forest import Forest
from features.rollout.kernel import CANDLE, RETURN, roll
from market.timeframes import timeframe_ms

Floats = NDArray[np.float64]
Row = NDArray[np.float32]

_AHEAD = 4  # starts that wait for a thread, for each thread


@dataclass(frozen=True)
class Rollout:
    """A forest over a program's columns, run forward on its own forecasts.

    Parameters
    ----------
    program : FeatureProgram
        Names, order and definitions of the columns; only its plan is used.
    forest : Forest
        Sums over those columns, in units of a scale: one, the log return of the next close; or
        four, the next bar's gap ln(open/close before), body ln(close/open), upper wick
        ln(high/max(open, close)) and lower wick ln(min(open, close)/low). Wicks below nought
        count as nought.
    wick : float
        By how much the wicks that are fed back are longer than forecast: forecast bodies are
        expectations and hence short, and without this the ranges that features see would shrink.

    Raises
    ------
    FeatureError
        The forest reads another number of columns, or has another number of sums; or the program
        needs more than candles.
    """

    program: FeatureProgram
    forest: Forest
    wick: float = 1.0

    def __post_init__(self) -> None:
        plan = self.program.machine.plan
        if self.forest.columns != len(self.program.names):
            raise FeatureError(
                f"the forest reads {self.forest.columns} columns, the program has "
                f"{len(self.program.names)}; give both the same"
            )
        if len(self.forest.ends) not in (RETURN, CANDLE):
            raise FeatureError(
                f"the forest has {len(self.forest.ends)} sums; a return needs 1, a candle 4"
            )
        if plan.inputs or plan.given:
            beside = [*plan.inputs, *(part.word for part in plan.given)]
            raise FeatureError(
                f"these features need {', '.join(beside)}, which no forecast brings; leave them out"
            )

    def one(
        self, live: FeatureProgram, row: Row, latest: Floats, unit: float, steps: int
    ) -> Floats:
        """Return the forecasts after the latest bar of a live program, which stays as it is.

        Parameters
        ----------
        live : FeatureProgram
            Of the same names; it has seen more bars than its look-back.
        row : float32 [F]
            What it answered to its latest bar.
        latest : float64 [6]
            That bar: open time, prices, volume.
        unit : float
            What the forest's sums are multiplied with.
        steps : int
            How many bars ahead.

        Returns
        -------
        float64 [steps, K]
            See `features.rollout.kernel.roll`.

        Raises
        ------
        NotEnoughHistory
            It has seen fewer.
        """
        if live.seen <= live.lookback:
            raise NotEnoughHistory(
                f"a forecast begins after {live.lookback + 1} bars, and the program saw "
                f"{live.seen}; push or replay more"
            )
        return self._roll(live.machine.fork(), row, latest, unit, steps)

    def many(
        self, candles: pd.DataFrame, starts: NDArray[np.int64], units: Floats, steps: int
    ) -> Floats:
        """Return the forecasts after each of the rows `starts` of a history, on all cores.

        Parameters
        ----------
        candles : pandas.DataFrame
            Canonical candles.
        starts : int64 [n]
            Rows to start from, ascending, the look-back behind them.
        units : float64 [n]
            What the forest's sums are multiplied with.

        Returns
        -------
        float64 [n, steps, K]
        """
        bars = bar_table(candles)
        program = self.program
        if len(starts) and (starts[0] < program.lookback or (np.diff(starts) <= 0).any()):
            raise NotEnoughHistory(
                f"starts must ascend and have {program.lookback} bars before them, not "
                f"{int(starts[0])}; begin later"
            )
        answers = np.empty((len(starts), steps, len(self.forest.ends)))
        threads = len(os.sched_getaffinity(0))
        waiting: deque[Future[Floats]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for i, (machine, row) in enumerate(self._states(bars, starts)):
                if len(waiting) >= _AHEAD * threads:
                    waiting.popleft().result()
                told = row, bars[starts[i]], float(units[i]), steps, answers[i]
                waiting.append(pool.submit(self._roll, machine, *told))
            for one in waiting:
                one.result()
        return answers

    def _states(self, bars: Floats, starts: NDArray[np.int64]) -> Iterator[tuple[Machine, Row]]:
        """Yield what is remembered after each start, and its row."""
        machine, done = Machine(self.program.machine.plan), 0
        for start in starts:
            rows = np.empty((start + 1 - done, len(self.program.names)), dtype=np.float32)
            machine.run(bars[done : start + 1], rows)
            done = int(start) + 1
            yield machine.fork(), rows[-1]

    def _roll(
        self,
        machine: Machine,
        row: Row,
        latest: Floats,
        unit: float,
        steps: int,
        out: Floats | None = None,
    ) -> Floats:
        out = np.empty((steps, len(self.forest.ends))) if out is None else out
        step_ms = float(timeframe_ms(self.program.timeframe))
        first = np.array(latest[:6], dtype=np.float64), np.array(row, dtype=np.float32)
        told = *machine.plan.live, *machine.memory, *self.forest.arrays
        roll(unit, self.wick, step_ms, *first, *told, out)
        return out
