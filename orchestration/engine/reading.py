"""Candles as they come, whose they are, and their latest closed bars as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import bar_table
from market.candles import COLUMNS, as_candles
from market.errors import BadCandles
from market.resample import whole_bars
from market.symbols import parse_symbol
from market.timeframes import parse_timeframe, timeframe_ms
from orchestration.engine.config import PredictionConfig
from orchestration.engine.errors import BadFrame

Bars = NDArray[np.float64]
"""Float64 [n, 6 + I]: open time in epoch milliseconds, prices, volume, and what is besides."""

BAR = 1 + len(COLUMNS)
_LOOKED_AT = 50  # of the latest bars, to tell how long they are
_LONG = 20_000  # rows
_CANDLES = pd.Index(COLUMNS)
_A_MS = {"us": 1000, "ns": 1_000_000}
_symbol = lru_cache(maxsize=1024)(parse_symbol)
_length = lru_cache(maxsize=256)(timeframe_ms)


@dataclass(frozen=True)
class Candles:
    """A frame of candles, and what it is of.

    Attributes
    ----------
    frame
        As it was given.
    symbol
        Whose, canonical; None where nobody said so.
    given_ms, step_ms, timeframe
        Length of its bars, and of those that the models read.
    simulated
        Whether the frame says that its prices are made up.
    """

    frame: pd.DataFrame
    symbol: str | None
    given_ms: int
    step_ms: int
    timeframe: str
    simulated: bool

    def latest(self, bars: int, inputs: tuple[str, ...], now_ms: float) -> Bars:
        """Return the latest bars that have closed by `now_ms`, at most `bars` of them.

        Raises
        ------
        market.errors.BadCandles
            Columns are missing, or no numbers.
        features.errors.MissingInput
            A column of `inputs` is missing.
        """
        many = self.step_ms // self.given_ms
        # One more for a bar that still forms, and for one that the first bars are only a part of.
        table = _table(self.frame, (bars + 2) * many, inputs)
        closed = len(table)
        while closed and table[closed - 1, 0] + self.given_ms > now_ms:
            closed -= 1
        table = table[:closed]
        if many > 1:
            check_bars(table, self.given_ms)
            table = whole_bars(table, self.given_ms, self.step_ms)
        return table[-bars:]


def read(frame: Any, symbol: str | None, config: PredictionConfig) -> Candles:
    """Return what a frame of candles is of.

    Raises
    ------
    BadFrame
        It is no frame, has under two bars, or bars that those of the configuration cannot be made
        of.
    market.errors.BadSymbol
        The symbol cannot be one.
    """
    if not isinstance(frame, pd.DataFrame) or len(frame) < 2:
        what = f"{len(frame)} rows" if isinstance(frame, pd.DataFrame) else type(frame).__name__
        raise BadFrame(f"candles are a frame of many bars, oldest first, and this is {what}")
    told: Mapping[Any, Any] = frame.attrs
    named = symbol or told.get("symbol") or config.symbol
    given = _spacing(frame)
    timeframe = config.timeframe or _name(given)
    step = _length(timeframe)
    if step % given:
        raise BadFrame(
            f"the candles are of {_name(given)} and {timeframe} bars are asked for, which cannot "
            "be made of them; give shorter candles, or leave the timeframe out"
        )
    noted = told.get("timeframe")
    if noted is not None and _length(str(noted)) != given:
        raise BadFrame(
            f"the candles are {_name(given)} apart and say that they are of {noted}; "
            "resample them with market.resample, or drop attrs['timeframe']"
        )
    return Candles(
        frame,
        None if named is None else _symbol(str(named)),
        given,
        step,
        timeframe,
        bool(told.get("simulated", False)),
    )


def check_bars(bars: Bars, step_ms: int) -> None:
    """Refuse bars that cannot be, do not follow each other, or stand off their grid.

    Raises
    ------
    market.errors.BadCandles
        Says how many.
    """
    when, o, h, low, c, volume = bars[:, :BAR].T
    # Comparisons with what is no number are false, so one line lets through what can be.
    good = (low > 0) & (low <= o) & (o <= h) & (low <= c) & (c <= h) & (h < np.inf)
    good &= (volume >= 0) & (volume < np.inf) & (when % step_ms == 0)
    bad = len(bars) - int(np.count_nonzero(good))
    backwards = int(np.count_nonzero(when[1:] <= when[:-1]))
    if bad or backwards:
        raise BadCandles(
            f"of the last {len(bars)} candles {bad} hold what cannot be and {backwards} do not "
            "follow the one before; call market.candles.repair"
        )


def _table(frame: pd.DataFrame, rows: int, inputs: tuple[str, ...]) -> Bars:
    """Return the last rows of a frame as numbers: quickly where it holds nothing but candles."""
    index = frame.index
    if not inputs and isinstance(index, pd.DatetimeIndex) and frame.columns.equals(_CANDLES):
        # Of a frame in one piece this is a view; of another, a copy that grows with its length.
        values = (frame if len(frame) < _LONG else frame.iloc[-rows:]).to_numpy()[-rows:]
        if values.dtype == np.float64:
            table = np.empty((len(values), BAR))
            table[:, 0] = _opens(index, rows)
            table[:, 1:] = values
            return table
    last = frame.iloc[-rows:]
    candles = as_candles(last)
    for name in inputs:
        if name in last:
            candles[name] = last[name].to_numpy(np.float64)
    return bar_table(candles, inputs) if inputs else _numbers(candles)


def _numbers(candles: pd.DataFrame) -> Bars:
    opens = pd.DatetimeIndex(candles.index).asi8
    return np.column_stack([opens.astype(np.float64), candles.to_numpy(np.float64)])


def _opens(index: pd.DatetimeIndex, rows: int) -> NDArray[np.int64]:
    """Return the last open times as epoch milliseconds."""
    opens: NDArray[np.int64] = index.asi8[-rows:]
    if index.unit == "ms":
        return opens
    return opens * 1000 if index.unit == "s" else opens // _A_MS[index.unit]


def _spacing(frame: pd.DataFrame) -> int:
    """Return the milliseconds between two bars: the least of the latest, since gaps are longer."""
    index = frame.index
    if isinstance(index, pd.DatetimeIndex):
        opens = _opens(index, _LOOKED_AT)
    else:
        opens = pd.DatetimeIndex(as_candles(frame.iloc[-_LOOKED_AT:]).index).asi8
    between = np.diff(opens)
    least = int(between.min())
    if least <= 0:
        raise BadFrame("the candles are not in order, oldest first, each once; sort them")
    return least


@lru_cache(maxsize=256)
def _name(milliseconds: int) -> str:
    return parse_timeframe(f"{milliseconds // 1000}s")
