"""Streams: the features of each symbol's latest bar, computed once and gone on with.

A frame that continues the one before costs its new bars only. One that does not, because a bar was
repaired or it is of another time, is computed anew from as many bars as its features need.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURES
from features.catalogue.lookup import find
from features.errors import NotEnoughHistory
from features.hashes import is_listed
from features.program import FeatureProgram
from orchestration.engine.reading import Bars, Candles, check_bars

KEPT = 64
"""Streams that are remembered."""
CLOSE = 4
SHARE = 0.85
"""Of the bars in which a recursion forgets all but 1e-9 of its start, those that are asked for.
All but 2e-8 of it is forgotten then; float32, which models read, rounds to 6e-8."""


@dataclass(frozen=True)
class Latest:
    """The latest closed bar: when it opened, where it closed, its features and their digest."""

    ts_ms: int
    close: float
    row: NDArray[np.float32]
    digest: bytes


class Stream:
    """One symbol's bars of one length, as far as they were seen, and their features.

    Parameters
    ----------
    names : tuple of str
        Columns of a row.
    timeframe : str
        Length of its bars.
    """

    def __init__(self, names: tuple[str, ...], timeframe: str) -> None:
        self.program = FeatureProgram(names, timeframe)
        self.bars = self.program.settle + 1
        self.least = least_bars(self.program)
        self._lock = threading.Lock()
        self._seen: Bars | None = None
        self._latest: Latest | None = None

    def latest(self, candles: Candles, now_ms: float) -> Latest:
        """Return the latest closed bar of `candles` with its features.

        Raises
        ------
        NotEnoughHistory
            There are too few bars for the features to settle.
        market.errors.BadCandles
            They were not repaired.
        """
        bars = candles.latest(self.bars, self.program.inputs, now_ms)
        if len(bars) < self.least:
            slowest = max(self.program.settles, key=self.program.settles.__getitem__)
            raise NotEnoughHistory(
                f"{slowest} must settle, and here are {len(bars)} closed {candles.timeframe} bars; "
                f"give {self.least} or more"
            )
        with self._lock:
            return self._take(bars, candles.step_ms)

    def _take(self, bars: Bars, step_ms: int) -> Latest:
        new = self._new(bars)
        if self._latest is not None and new is not None and not len(new):
            return self._latest
        check_bars(bars if new is None else new, step_ms)
        self._seen = None  # until these bars have been taken whole
        if new is None:
            new = bars
            self.program.reset()
        row = self.program.take(new)[-1].astype(np.float32)
        row.flags.writeable = False
        when, close = float(bars[-1, 0]), float(bars[-1, CLOSE])
        digest = blake2b(row.tobytes(), digest_size=16, key=bars[-1, CLOSE].tobytes()).digest()
        self._seen, self._latest = bars, Latest(int(when), close, row, digest)
        return self._latest

    def _new(self, bars: Bars) -> Bars | None:
        """Return those of `bars` that were not seen; None where the others are not those seen."""
        seen = self._seen
        if seen is None:
            return None
        place = int(np.searchsorted(bars[:, 0], seen[-1, 0]))
        if place == len(bars):
            return None
        holes = bool(self.program.inputs)  # sentiment may be missing
        same = np.array_equal(bars[: place + 1], seen[-(place + 1) :], equal_nan=holes)
        return bars[place + 1 :] if same else None


def least_bars(program: FeatureProgram) -> int:
    """Return how many bars a row takes until it is what a longer history would give as well.

    Exactly so for windows, sums since midnight and features of the user's own; for recursive
    averages up to 2e-8 of what they were started with, see `SHARE`.
    """
    return 1 + max(_settled(program, name) for name in program.names)


def _settled(program: FeatureProgram, name: str) -> int:
    settle, lookback = program.settles[name], program.lookbacks[name]
    if not is_listed(name) or find(name, FEATURES).expression.settle_days:
        return settle
    return lookback + math.ceil(SHARE * (settle - lookback))


class Streams:
    """The streams that were asked for last."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._streams: OrderedDict[tuple[str | None, str, tuple[str, ...]], Stream] = OrderedDict()

    def of(self, symbol: str | None, timeframe: str, names: tuple[str, ...]) -> Stream:
        """Return the stream of a symbol's bars with these columns.

        Raises
        ------
        UnknownFeature, RefusedFeature
            A column that nobody defined, or that cannot be computed.
        """
        key = symbol, timeframe, names
        with self._lock:
            stream = self._streams.get(key)
            if stream is None:
                stream = self._streams[key] = Stream(names, timeframe)
                if len(self._streams) > self._kept:
                    self._streams.popitem(last=False)
            else:
                self._streams.move_to_end(key)
            return stream
