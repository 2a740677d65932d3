"""Columns computed by functions, for history and for the live bar, with the same numbers.

Time is cut into blocks of a fixed number of bar lengths, counted from 1970. The values of a block
are what the function answers on the block's own bars and the `window` bars before it, nothing
earlier: so they do not depend on where history starts, and a live bar, computed with its block as
far as it has come, gets the number that history will give it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.errors import RefusedFeature
from features.expression import Expr
from features.foreign.answers import Table, columns_of
from features.foreign.column import Call, Column
from market.candles import candle_frame
from market.timeframes import timeframe_ms

Floats = NDArray[np.float64]

BAR_NUMBERS = 6
"""Numbers of a bar: open time in epoch milliseconds, open, high, low, close, volume."""


class Windows:
    """The bars that the functions still need, and their columns.

    Parameters
    ----------
    columns : sequence of Expr
        What is computed, in this order; each a `Column`. There may be none.
    timeframe : str
        Length of a bar, of which a block counts a fixed number.
    """

    def __init__(self, columns: Sequence[Expr], timeframe: str) -> None:
        self.columns = tuple(node for node in columns if isinstance(node, Column))
        self._step = timeframe_ms(timeframe)
        self._calls = tuple(dict.fromkeys(column.call for column in self.columns))
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.bars: Floats = np.empty((0, BAR_NUMBERS))
        self._next = self.bars

    def kept(self) -> Floats:
        """Return what is remembered as one row of numbers, for `restore`."""
        return self.bars.ravel()

    def restore(self, numbers: Floats) -> int:
        """Take up what `kept` returned; return how many numbers that should have been."""
        bars = len(numbers) // BAR_NUMBERS if self.columns else 0
        if len(numbers) == bars * BAR_NUMBERS:
            self.bars = self._next = numbers.reshape(bars, BAR_NUMBERS).copy()
        return bars * BAR_NUMBERS

    def beside(self, bars: Floats) -> Floats:
        """Return further bars with their columns added, see `take`; not yet remembered."""
        if not self.columns:
            return bars
        return np.concatenate([bars, self.take(bars[:, :BAR_NUMBERS])], axis=1)

    def keep(self, latest: int) -> None:
        """Remember the bars that `beside` was given last, if they were taken: up to `latest`."""
        if len(self._next) and self._next[-1, 0] == latest:
            self.bars = self._next

    def take(self, new: Floats) -> Floats:
        """Return the columns of further bars, float64 [n, F]; also before their look-back.

        Parameters
        ----------
        new : float64 [n, 6]
            Open time in epoch milliseconds, open, high, low, close, volume; later than all before.

        Raises
        ------
        RefusedFeature
            A function fails on these bars, or answers with something else than columns.
        """
        first = len(self.bars)
        bars = np.concatenate([self.bars, new])
        out = np.full((len(new), len(self.columns)), np.nan)
        for call in self._calls:
            self._compute(call, bars, first, out)
        self._next = self._needed(bars)
        return out

    def _compute(self, call: Call, bars: Floats, first: int, out: Floats) -> None:
        """Fill in the columns of one call, block by block."""
        blocks = self._blocks(call, bars)
        begins = np.flatnonzero(np.diff(blocks, prepend=blocks[:1] - 1))
        ends = np.append(begins[1:], len(bars))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            if end > first:
                table = _answer(call, bars[max(0, begin - call.window) : end])
                rows = end - max(begin, first)
                for j, column in enumerate(self.columns):
                    if column.call == call and column.column in table:
                        out[end - rows - first : end - first, j] = table[column.column][-rows:]

    def _blocks(self, call: Call, bars: Floats) -> NDArray[np.int64]:
        return (bars[:, 0] // (self._step * call.block)).astype(np.int64)

    def _needed(self, bars: Floats) -> Floats:
        """Return the bars that a block to come will need."""
        start = len(bars)
        for call in self._calls if len(bars) else ():
            blocks = self._blocks(call, bars)
            start = min(start, int(np.searchsorted(blocks, blocks[-1])) - call.window)
        return bars[max(0, start) :].copy()


def _answer(call: Call, bars: Floats) -> Table:
    candles = candle_frame(bars[:, 0].astype(np.int64), bars[:, 1:])
    try:
        return columns_of(call.function, call.text, candles)
    except RefusedFeature:
        if len(bars) > call.window:
            raise
        return {}  # the beginning of history: too few bars for this function
