"""Candles and single bars as the numbers a program reads, checked on the way in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import BadBar
from market.candles import COLUMNS, as_candles, check_candles, open_ms
from market.timeframes import instant_ms

Bar = Mapping[str, Any] | pd.Series | Sequence[float]
"""A bar: keys ``timestamp open high low close volume`` (or the time as a Series' name), or six
numbers in this order. Times are epoch milliseconds, or datetimes or ISO text with a zone."""

_FIRST_MS = 10**11  # before 1973 in milliseconds: these are seconds


def bar_table(candles: pd.DataFrame) -> NDArray[np.float64]:
    """Return candles as float64 [n, 6]: open time in epoch ms, open, high, low, close, volume.

    Raises
    ------
    market.errors.BadCandles
        Columns are missing, or there are rows that `market.candles.repair` would drop.
    """
    if tuple(candles.columns) != COLUMNS:
        candles = as_candles(candles)
    check_candles(candles)
    table = np.empty((len(candles), 1 + len(COLUMNS)))
    table[:, 0] = open_ms(candles)
    table[:, 1:] = candles.to_numpy(np.float64)
    return table


def bar_row(bar: Bar) -> NDArray[np.float64]:
    """Return one bar as float64 [1, 6].

    Raises
    ------
    BadBar
        A field is missing, is not a finite number, or cannot be true.
    """
    numbers = _fields(bar)
    when, o, h, low, c, volume = numbers
    if not all(map(math.isfinite, numbers)) or when < _FIRST_MS:
        raise BadBar(f"bar {numbers} needs an open time in epoch milliseconds and finite numbers")
    if not 0 < low <= min(o, c) or not max(o, c) <= h or volume < 0:
        raise BadBar(
            f"bar {numbers} cannot be: 0 < low <= open, close <= high and volume >= 0 must hold; "
            "drop it as market.candles.repair does"
        )
    return np.array([numbers], dtype=np.float64)


def _fields(bar: Bar) -> list[float]:
    if not isinstance(bar, Mapping | pd.Series):
        numbers = [float(value) for value in bar]
        if len(numbers) != 6:
            raise BadBar(f"a bar is six numbers (timestamp, {', '.join(COLUMNS)}), not {numbers}")
        return numbers
    when = bar["timestamp"] if "timestamp" in bar else getattr(bar, "name", None)
    missing = [name for name in COLUMNS if name not in bar]
    if when is None or missing:
        absent = ["timestamp"] * (when is None) + missing
        raise BadBar(f"the bar lacks {', '.join(absent)}; it needs timestamp, {', '.join(COLUMNS)}")
    when = float(when) if isinstance(when, float | np.floating) else instant_ms(when)
    return [when, *(float(bar[name]) for name in COLUMNS)]
