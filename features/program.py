"""The feature program: history in chunks or one live bar, with the same numbers to the last bit."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import state
from features.bars import Bar, bar_row, bar_table
from features.catalogue import FEATURES
from features.catalogue.feature import Feature, find
from features.compiler import compile_plan
from features.errors import BadBar, FeatureError
from features.executor import PIECE, PLACE, SEEN, execute
from features.kernels.arrays import WORK_ROWS
from market.timeframes import bars_per_day, parse_timeframe

Floats = NDArray[np.floating[Any]]


class FeatureProgram:
    """Named features, compiled, with what they remember of the bars seen so far.

    Parameters
    ----------
    names : iterable of str
        Columns of the result, in this order.
    timeframe : str
        Length of a bar; only turns days into bars in `settle`. The default, the shortest, gives
        the largest number.
    features : mapping of str to Feature
        Where the names are looked up.

    Attributes
    ----------
    names : tuple of str
    lookback : int
        Bars before the first row without NaN.
    settle : int
        Bars after which no value depends on where the history started (beyond 1e-9 of the size of
        what it was started with).
    units, hashes : dict of str to str
        Unit ("–" is scale-free) and content hash of each definition.
    lookbacks, settles : dict of str to int
        The same, by name.

    Notes
    -----
    Features count bars, not time: a gap in the candles is not filled. A NaN never enters: candles
    that hold one are refused, so the only NaN in a result are the bars before each look-back. One
    program is one stream of bars; give each thread its own `fork`.

    Examples
    --------
    >>> program = FeatureProgram(["return_1", "rsi_14"])
    >>> program.lookback, program.settle, program.units["rsi_14"]
    (14, 294, '–')
    """

    def __init__(
        self,
        names: Iterable[str],
        timeframe: str = "1m",
        *,
        features: Mapping[str, Feature] = FEATURES,
    ) -> None:
        self.names = tuple(names)
        if isinstance(names, str) or not self.names:
            raise FeatureError(f"names must be a list of feature names, not {names!r}")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise FeatureError(f"asked for twice: {', '.join(twice)}; name each column once")
        self.timeframe = parse_timeframe(timeframe)
        nodes = {name: find(name, features).expression for name in self.names}
        day = bars_per_day(self.timeframe)
        self.units = {name: str(node.unit) for name, node in nodes.items()}
        self.hashes = {name: node.digest for name, node in nodes.items()}
        self.lookbacks = {name: node.lookback for name, node in nodes.items()}
        self.settles = {n: e.settle_bars + e.settle_days * day for n, e in nodes.items()}
        self.lookback = max(self.lookbacks.values())
        self.settle = max(self.settles.values())
        self._plan = compile_plan([nodes[name] for name in self.names])
        self._work = np.empty((WORK_ROWS, PIECE))
        self._rows = np.empty((PIECE, len(self.names)))
        self.reset()

    @property
    def seen(self) -> int:
        """How many bars the program has taken since its start."""
        return int(self._cursor[SEEN])

    def reset(self) -> None:
        """Forget every bar."""
        self._buffer = self._plan.new_buffer()
        self._states = self._plan.new_states()
        self._cursor = np.zeros(2, dtype=np.int64)
        self._latest = -np.inf

    def run(
        self,
        candles: pd.DataFrame,
        *,
        settled: bool = False,
        dtype: type[np.float32] | type[np.float64] = np.float32,
    ) -> Floats:
        """Start afresh and return the features of all candles.

        Parameters
        ----------
        candles : pandas.DataFrame
            Canonical candles, repaired, oldest first.
        settled : bool
            Leave NaN until each feature has settled, instead of until its look-back.
        dtype : type
            Models read float32. Raw prices keep their digits in float64.

        Returns
        -------
        float array [n, F]
            Row i knows candles up to i. The program has seen them all: `push` goes on from there.
        """
        self.reset()
        values = self.extend(candles, dtype=dtype)
        if settled:
            for column, name in enumerate(self.names):
                values[: self.settles[name], column] = np.nan
        return values

    def extend(
        self,
        candles: pd.DataFrame,
        *,
        dtype: type[np.float32] | type[np.float64] = np.float32,
    ) -> Floats:
        """Take further candles and return their features, as `push` would one by one.

        Raises
        ------
        BadBar
            The candles do not follow those already seen.
        """
        bars = bar_table(candles)
        out = np.empty((len(bars), len(self.names)), dtype=dtype)
        for start in range(0, len(bars), PIECE):
            piece = bars[start : start + PIECE]
            out[start : start + len(piece)] = self._step(piece)
        return out

    def push(self, bar: Bar) -> NDArray[np.float32]:
        """Take one closed bar and return its features, float32 [F].

        Raises
        ------
        BadBar
            The bar cannot be true, or is not later than the one before.
        """
        row: NDArray[np.float32] = self._step(bar_row(bar))[0].astype(np.float32)
        return row

    def fork(self) -> FeatureProgram:
        """Return a copy that goes its own way from here."""
        other = copy.copy(self)
        other._buffer = self._buffer.copy()
        other._states = self._states.copy()
        other._cursor = self._cursor.copy()
        other._work = np.empty_like(self._work)
        other._rows = np.empty_like(self._rows)
        return other

    def to_bytes(self) -> bytes:
        """Return what the program remembers, as data for `from_bytes`."""
        history = self._buffer[self._plan.window(int(self._cursor[PLACE]))]
        numbers = np.concatenate([[self.seen, self._latest], self._states, history])
        return state.pack(self.names, self.timeframe, self.hashes, numbers)

    @classmethod
    def from_bytes(
        cls, stored: bytes, *, features: Mapping[str, Feature] = FEATURES
    ) -> FeatureProgram:
        """Return a program that goes on where the stored one was.

        Raises
        ------
        BadState
            Not such bytes, damaged ones, or ones of features that are defined otherwise now.
        """
        names, timeframe, hashes, numbers = state.unpack(stored)
        program = cls(names, timeframe, features=features)
        place = program._plan.window(0)
        states = len(program._states)
        state.check(hashes, program.hashes, len(numbers), 2 + states + len(place))
        program._cursor[SEEN] = int(numbers[0])
        program._latest = float(numbers[1])
        program._states[:] = numbers[2 : 2 + states]
        program._buffer[place] = numbers[2 + states :]
        return program

    def _step(self, bars: NDArray[np.float64]) -> NDArray[np.float64]:
        """Run up to PIECE bars; the result is overwritten by the next step."""
        if bars[0, 0] <= self._latest:
            raise BadBar(
                f"a bar that opens at {bars[0, 0]:.0f} ms does not follow the one at "
                f"{self._latest:.0f} ms; push bars in order, or start with run"
            )
        plan, rows = self._plan, self._rows[: len(bars)]
        execute(
            bars, plan.table, plan.alphas, plan.first, plan.depth, plan.columns, plan.ready,
            self._buffer, self._states, self._work, self._cursor, rows,
        )  # fmt: skip
        self._latest = float(bars[-1, 0])
        return rows


def warm_up() -> None:
    """Compile the executor, or load it from numba's cache: seconds once, then a fraction of one."""
    FeatureProgram(["close"]).push((_FIRST_BAR, 1.0, 1.0, 1.0, 1.0, 0.0))


_FIRST_BAR = 1_500_000_000_000
