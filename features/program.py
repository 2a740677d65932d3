"""The feature program: history in chunks or one live bar, with the same numbers to the last bit."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import Bar, bar_numbers, bar_table
from features.catalogue import FEATURES
from features.catalogue.feature import Feature
from features.catalogue.lookup import find
from features.engine import state
from features.engine.compiler import compile_plan
from features.engine.machine import Machine
from features.engine.room import Dtype, Floats, room
from features.errors import BadBar, FeatureError, NotEnoughHistory, RefusedFeature
from features.foreign import modules as modules  # lets names of one's own be found
from features.foreign.windows import Windows
from market.timeframes import bars_per_day, parse_timeframe


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
    inputs : tuple of str
        Columns that candles must have besides: ``benchmark``, ``sentiment``, or none
        (`features.joined` adds them).

    Notes
    -----
    Features count bars, not time: a gap in the candles is not filled. A NaN never enters: candles
    that hold one are refused, so the only NaN in a result are the bars before each look-back. One
    program is one stream of bars; give each thread its own `fork`.

    Examples
    --------
    >>> program = FeatureProgram(["return_1", "rsi_14"])
    >>> program.lookback, program.settle, program.units["rsi_14"]
    (14, 574, '–')
    """

    def __init__(
        self,
        names: Iterable[str],
        timeframe: str = "1m",
        *,
        features: Mapping[str, Feature] = FEATURES,
    ) -> None:
        self.names = tuple(names)
        if isinstance(names, str) or not self.names or set(map(type, self.names)) != {str}:
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
        plan = compile_plan([nodes[name] for name in self.names])
        self.inputs = plan.inputs
        self._machine, self._windows = Machine(plan), Windows(plan.given, self.timeframe)

    @property
    def seen(self) -> int:
        """How many bars the program has taken since its start."""
        return self._machine.seen

    @property
    def machine(self) -> Machine:
        """What has been seen so far, for compiled loops: fork it before it goes on."""
        return self._machine

    def reset(self) -> None:
        """Forget every bar."""
        self._machine.reset()
        self._windows.reset()

    def run(
        self,
        candles: pd.DataFrame,
        *,
        settled: bool = False,
        dtype: Dtype = np.float32,
        out: Floats | None = None,
    ) -> Floats:
        """Start afresh and return the features of all candles.

        Parameters
        ----------
        candles : pandas.DataFrame
            Canonical candles, repaired, oldest first; with the columns `inputs` if there are any.
        settled : bool
            Leave NaN until each feature has settled, instead of until its look-back.
        dtype : type
            Models read float32. Raw prices keep their digits in float64.
        out : float32 or float64 array [n, F], optional
            Written and returned instead of a new array, whatever `dtype` says: a large one costs
            more to allocate than to compute. It may lie in memory in any order.

        Returns
        -------
        float array [n, F]
            Row i knows candles up to i. The program has seen them all: `push` goes on from there.
        """
        bars, values = self._room(candles, dtype, out)
        before = self.fork()
        self.reset()
        try:
            self._take(bars, values)
        except RefusedFeature:  # a function fails on these candles
            self.__dict__.update(before.__dict__)
            raise
        if settled:
            for column, name in enumerate(self.names):
                values[: self.settles[name], column] = np.nan
        return values

    def extend(
        self, candles: pd.DataFrame, *, dtype: Dtype = np.float32, out: Floats | None = None
    ) -> Floats:
        """Take further candles and return their features, as `push` would one by one.

        Raises
        ------
        BadBar
            The candles do not follow those already seen.
        MissingInput
            A column of `inputs` is absent, or has a hole where none is allowed.
        """
        bars, values = self._room(candles, dtype, out)
        if len(bars):
            self._follow(float(bars[0, 0]))
        self._take(bars, values)
        return values

    def replay(self, candles: pd.DataFrame) -> NDArray[np.float32]:
        """Start afresh from the latest candles and return the last row: a cold start.

        Every row pushed afterwards has settled, whatever came before these candles.

        Parameters
        ----------
        candles : pandas.DataFrame
            At least `settle` + 1 candles.

        Raises
        ------
        NotEnoughHistory
            There are fewer.
        """
        if len(candles) <= self.settle:
            slowest = max(self.settles, key=self.settles.__getitem__)
            raise NotEnoughHistory(
                f"a cold start of these features replays {self.settle + 1} bars, and here are "
                f"{len(candles)}: {slowest} takes {self.settle} to settle; fetch more, or go on "
                "from bytes that were kept (to_bytes, from_bytes)"
            )
        row: NDArray[np.float32] = self.run(candles)[-1]
        return row

    def push(self, bar: Bar) -> NDArray[np.float32]:
        """Take one closed bar and return its features, float32 [F].

        Raises
        ------
        BadBar
            The bar cannot be true, or is not later than the one before.
        MissingInput
            It lacks one of `inputs`.
        """
        numbers = bar_numbers(bar, self.inputs)
        self._follow(numbers[0])
        return self._step(np.array(numbers))

    def take(self, bars: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take further bars as plain numbers and return their features with all digits.

        What `push` and `extend` do, for callers who have checked their bars already.

        Parameters
        ----------
        bars : float64 [n, 6 + I], n >= 1
            Open time in epoch milliseconds, prices, volume, `inputs`; see `features.bars`.

        Returns
        -------
        float64 [n, F]
        """
        self._follow(float(bars[0, 0]))
        if len(bars) == 1:
            self._step(np.array(bars[0]))
            return self._machine.digits()[None]
        values = np.empty((len(bars), len(self.names)))
        self._take(np.ascontiguousarray(bars), values)
        return values

    def _step(self, whole: NDArray[np.float64]) -> NDArray[np.float32]:
        if not self._windows.columns:
            return self._machine.step(whole)
        whole = self._windows.beside(whole[None])[0]
        try:
            return self._machine.step(whole)
        finally:  # an interrupt may come when the bar has just been taken
            self._windows.keep(self._machine.latest)

    def fork(self) -> FeatureProgram:
        """Return a copy that goes its own way from here: for a forming bar, or a forecast."""
        other: FeatureProgram = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._machine = self._machine.fork()
        other._windows = copy.copy(self._windows)
        return other

    __copy__ = fork  # a copy with the same memory would take each other's bars

    def to_bytes(self) -> bytes:
        """Return what the program remembers, as data for `from_bytes`."""
        kept = [self._machine.kept(), self._windows.kept()]
        plan = self._machine.plan.digest
        return state.pack(self.names, self.timeframe, self.hashes, plan, np.concatenate(kept))

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
        kept = state.unpack(stored)
        program = cls(kept.names, kept.timeframe, features=features)
        machine, windows = program._machine, program._windows
        end = len(machine.kept())
        kept.check(program.hashes, machine.plan.digest, end + windows.restore(kept.numbers[end:]))
        machine.restore(kept.numbers[:end])
        return program

    def __repr__(self) -> str:
        """Return what it computes and what it needs."""
        return (
            f"FeatureProgram({len(self.names)} features, {self.timeframe}, look-back "
            f"{self.lookback}, settle {self.settle}, {self.seen} bars seen)"
        )

    def _room(
        self, candles: pd.DataFrame, dtype: Dtype, out: Floats | None
    ) -> tuple[NDArray[np.float64], Floats]:
        """Return checked bars, and where their features go."""
        bars = bar_table(candles, self.inputs)
        return bars, room((len(bars), len(self.names)), dtype, out)

    def _follow(self, opened: float) -> None:
        if opened <= self._machine.latest:
            raise BadBar(
                f"a bar that opens at {opened:.0f} ms does not follow the one at "
                f"{self._machine.latest} ms; push bars in order, or start with run"
            )

    def _take(self, bars: NDArray[np.float64], out: Floats) -> None:
        if len(bars):
            bars = self._windows.beside(bars)
            try:
                self._machine.run(bars, out)
            finally:
                self._windows.keep(self._machine.latest)
