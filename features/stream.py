"""One symbol's bars of one length as they come, and the features of those that have closed.

Nothing is computed until somebody asks. Then the program takes the bars that came since it was last
asked, one or thousands, and gives the same bits either way: so a name that is asked for late is
caught up from the bars seen before, and a strategy that seldom asks costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import BENCHMARK
from features.errors import MissingInput, NotEnoughHistory
from features.feature_manager import DEFAULT_BARS, expanded
from features.growing import Growing
from features.hashes import is_listed
from features.program import FeatureProgram
from market.timeframes import timeframe_ms, utc

Floats = NDArray[np.float64]
Beside = Callable[[Floats], Floats]

BAR, BESIDES = 6, ("benchmark", "sentiment")
"""Numbers of a bar, and what stands behind them, NaN where it is not known."""

_PIECE = 4096  # bars that are caught up at once


@dataclass(frozen=True)
class _View:
    """Columns that are asked for together, and where they stand in a row."""

    names: pd.Index
    at: NDArray[np.intp] | None
    settle: int
    definitions: Mapping[Hashable, Any]


class FeatureStream:
    """Closed bars of one symbol and one length, with whatever features are asked for.

    Parameters
    ----------
    symbol, timeframe : str
        Whose bars, of which length.
    told : mapping
        What frames say of the bars besides, such as whether they are simulated.
    benchmark : function, optional
        Closes of the benchmark as known at moments [n], epoch milliseconds; NaN where there is
        none.

    Notes
    -----
    A feature of one's own is taken as it was defined when it was first asked for.
    """

    def __init__(
        self,
        symbol: str,
        timeframe: str,
        told: Mapping[Hashable, Any] | None = None,
        benchmark: Beside | None = None,
    ) -> None:
        self.symbol, self.timeframe = symbol, timeframe
        self.step = timeframe_ms(timeframe)
        self.bars = Growing(BAR + len(BESIDES))
        self._told, self._benchmark = dict(told or {}), benchmark
        self._program: FeatureProgram | None = None
        self._rows = Growing(0)
        self._kept = DEFAULT_BARS
        self._views: dict[tuple[str, ...] | None, _View] = {}

    def declare(self, names: tuple[str, ...] | None) -> None:
        """Make the program hold `names`: what is declared at first need not be learnt later.

        Raises
        ------
        UnknownFeature
            A name that nobody defined.
        """
        self._view(names)

    def row(self, names: tuple[str, ...] | None) -> NDArray[np.float32]:
        """Return the latest closed bar's features, float32 [F]: what a bound model reads.

        Raises
        ------
        NotEnoughHistory
            They have not settled.
        """
        view = self._views.get(names) or self._view(names)
        self._catch_up()
        self._check_settled(view, len(self.bars))
        row = self._rows.last
        return (row if view.at is None else row[view.at]).astype(np.float32)

    def frame(
        self, names: tuple[str, ...] | None, rows: int, moment: int | None = None
    ) -> pd.DataFrame:
        """Return the last `rows` settled rows, of bars closed by `moment`, as a feature manager.

        Raises
        ------
        NotEnoughHistory
            No row had settled by then.
        """
        view = self._view(names)
        stop = len(self.bars)
        if moment is not None:
            opens = self.bars.all[:, 0]
            stop = int(np.searchsorted(opens, moment - self.step, side="right"))
        self._check_settled(view, stop)
        first = max(view.settle, stop - rows)
        self._keep(len(self.bars) - first)
        self._catch_up()
        values = self._rows.between(first, stop)
        values = values.copy() if view.at is None else values[:, view.at]
        times = self.bars.all[first:stop, 0].astype(np.int64).view("datetime64[ms]")
        index = pd.DatetimeIndex(times, name="timestamp").tz_localize("UTC")
        shown = pd.DataFrame(values, index, view.names, copy=False)
        shown.attrs = {"symbol": self.symbol, "timeframe": self.timeframe, **self._told}
        shown.attrs |= view.definitions
        return shown

    # ------------------------------------------------------------------ what is asked for

    def _view(self, names: tuple[str, ...] | None) -> _View:
        known = self._views.get(names)
        if known is not None:
            return known
        asked = FeatureProgram(expanded(names), self.timeframe)
        self._hold(asked)
        assert self._program is not None
        place = {name: i for i, name in enumerate(self._program.names)}
        at = np.array([place[name] for name in asked.names], dtype=np.intp)
        whole = asked.names == self._program.names
        foreign = {n: asked.hashes[n] for n in asked.names if not is_listed(n)}
        view = self._views[names] = _View(
            pd.Index(asked.names),
            None if whole else at,
            asked.settle,
            {"definitions": foreign} if foreign else {},
        )
        return view

    def _hold(self, asked: FeatureProgram) -> None:
        """Have a program that computes what is asked for and all that was asked before."""
        known = self._program.names if self._program else ()
        new = tuple(name for name in asked.names if name not in known)
        if not new:
            return
        program = FeatureProgram((*known, *new), self.timeframe) if known else asked
        rows = Growing(len(program.names), self._kept)
        self._run(program, rows)
        self._program, self._rows = program, rows
        # Columns that were the whole row are its beginning now.
        for key, view in self._views.items():
            if view.at is None:
                self._views[key] = _View(
                    view.names, np.arange(len(known)), view.settle, view.definitions
                )

    def _keep(self, rows: int) -> None:
        """Remember at least so many rows; further back they are computed anew."""
        if rows > self._kept and self._program is not None:
            program, kept = self._program.fork(), Growing(len(self._program.names), 2 * rows)
            program.reset()
            self._run(program, kept)
            self._program, self._rows, self._kept = program, kept, 2 * rows

    # ------------------------------------------------------------------ what is computed

    def _catch_up(self) -> None:
        assert self._program is not None
        self._run(self._program, self._rows)

    def _run(self, program: FeatureProgram, rows: Growing) -> None:
        """Let `program` take the bars that it has not seen."""
        columns: slice | list[int] = slice(0, BAR)
        if program.inputs:
            columns = [*range(BAR), *(BAR + BESIDES.index(name) for name in program.inputs)]
        while len(rows) < len(self.bars):
            bars = self.bars.all[len(rows) : len(rows) + _PIECE]
            if program.inputs:
                bars = self._beside(bars, program.inputs)
            rows.add(program.take(bars[:, columns]))

    def _beside(self, bars: Floats, inputs: tuple[str, ...]) -> Floats:
        if BENCHMARK in inputs:
            close = bars[:, BAR]
            missing = np.isnan(close)
            if missing.any() and self._benchmark is not None:
                # Written where bars are kept: it stays what it was when first asked for.
                close[missing] = self._benchmark(bars[missing, 0] + self.step)
            if np.isnan(close).any():
                when = utc(int(bars[np.isnan(close), 0][0]))
                raise MissingInput(
                    f"these features compare {self.symbol} with a benchmark, and at {when} none is "
                    "known; push the benchmark's bars too, and before asking, or leave them out"
                )
        return bars

    def _check_settled(self, view: _View, bars: int) -> None:
        if bars <= view.settle:
            raise NotEnoughHistory(
                f"these features take {view.settle} bars to settle, and {bars} {self.timeframe} "
                f"bars of {self.symbol} have closed; begin with more history, or ask later"
            )
