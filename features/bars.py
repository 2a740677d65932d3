"""Candles and single bars as the numbers a program reads, checked on the way in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import BadBar, MissingInput
from market.candles import COLUMNS, as_candles, check_candles, open_ms
from market.timeframes import instant_ms

Bar = Mapping[str, Any] | pd.Series | Sequence[float]
"""A bar: keys ``timestamp open high low close volume`` (or the time as a Series' name), or the six
in this order. Times are epoch milliseconds, or datetimes or ISO text with a zone."""

BENCHMARK, SENTIMENT = "benchmark", "sentiment"
"""What a bar may bring besides; the columns of candles that hold it."""

_BAR = 1 + len(COLUMNS)
_FIRST_MS, _LAST_MS = 10**11, 10**14  # 1973 and 5138: outside, these are seconds or microseconds
_REFUSED = "{name} is {value} ({where}); it must be a finite number, and a benchmark a price"


def bar_table(candles: pd.DataFrame, inputs: Sequence[str] = ()) -> NDArray[np.float64]:
    """Return candles as float64 [n, 6 + I]: open time in epoch ms, prices, volume, `inputs`.

    Raises
    ------
    market.errors.BadCandles
        Columns are missing, or there are rows that `market.candles.repair` would drop.
    MissingInput
        A column of `inputs` is absent, or a benchmark is not a price.
    """
    frame = candles if tuple(candles.columns) == COLUMNS else as_candles(candles)
    check_candles(frame)
    table = np.empty((len(frame), _BAR + len(inputs)))
    table[:, 0] = open_ms(frame)
    table[:, 1:_BAR] = frame.to_numpy(np.float64)
    for column, name in enumerate(inputs, start=_BAR):
        if name not in candles:
            raise _lacking(name)
        table[:, column] = candles[name].to_numpy(np.float64)
        for row in np.flatnonzero(~_allowed(name, table[:, column]))[:1]:
            raise MissingInput(_REFUSED.format(name=name, value=table[row, column], where=row))
    return table


def bar_numbers(bar: Bar, inputs: Sequence[str] = ()) -> list[float]:
    """Return one bar as 6 + I numbers: open time in epoch ms, prices, volume, `inputs`.

    Raises
    ------
    BadBar
        A field is missing, is not a finite number, or cannot be true.
    market.errors.BadInstant
        The time cannot be read, or has no zone.
    MissingInput
        One of `inputs` is absent, or a benchmark is not a price.
    """
    numbers = _fields(bar, inputs)
    when, o, h, low, c, volume = numbers[:_BAR]
    # Comparisons with what is no number are false, so one line lets through what can be.
    if not (
        _FIRST_MS <= when < _LAST_MS
        and 0.0 < low <= o <= h < math.inf
        and low <= c <= h
        and 0.0 <= volume < math.inf
    ):
        raise _refused(numbers)
    for name, value in zip(inputs, numbers[_BAR:], strict=True):
        if not _allowed(name, value):
            raise MissingInput(_REFUSED.format(name=name, value=value, where=f"at {when:.0f} ms"))
    return numbers


def _refused(numbers: list[float]) -> BadBar:
    finite = all(map(math.isfinite, numbers[:_BAR]))
    if not finite or not _FIRST_MS <= numbers[0] < _LAST_MS:
        return BadBar(f"bar {numbers} needs an open time in epoch milliseconds and finite numbers")
    return BadBar(
        f"bar {numbers} cannot be: 0 < low <= open, close <= high and volume >= 0 must hold; "
        "drop it as market.candles.repair does"
    )


def _allowed(name: str, value: Any) -> Any:
    """Return where a value may enter: sentiment may be missing, but neither may be infinite."""
    if name == SENTIMENT:
        return np.abs(value) != math.inf
    return (value > 0.0) & (value < math.inf)


def _lacking(name: str) -> MissingInput:
    return MissingInput(
        f"these features need {name} beside the candles; features.joined.with_{name} adds it"
    )


def _fields(bar: Bar, inputs: Sequence[str]) -> list[float]:
    # Plain sequences first: to ask what a mapping is takes longer than to read the numbers.
    if isinstance(bar, tuple | list) or not isinstance(bar, Mapping | pd.Series):
        fields = list(bar)
        if len(fields) != _BAR + len(inputs):
            wanted = ", ".join(("timestamp", *COLUMNS, *inputs))
            raise BadBar(f"a bar is {_BAR + len(inputs)} numbers ({wanted}), not {fields}")
        return _numbers(fields[0], fields[1:])
    when = bar["timestamp"] if "timestamp" in bar else getattr(bar, "name", None)
    missing = [name for name in COLUMNS if name not in bar]
    if when is None or missing:
        absent = ["timestamp"] * (when is None) + missing
        raise BadBar(f"the bar lacks {', '.join(absent)}; it needs timestamp, {', '.join(COLUMNS)}")
    for name in inputs:
        if name not in bar:
            raise _lacking(name)
    return _numbers(when, [bar[name] for name in (*COLUMNS, *inputs)])


def _numbers(when: Any, values: Sequence[Any]) -> list[float]:
    """Return a time and values as floats."""
    plain = isinstance(when, int | float | np.floating)
    opened = float(when if plain else instant_ms(when))
    try:
        return [opened, *map(float, values)]
    except (TypeError, ValueError) as error:
        raise BadBar(f"bar {[when, *values]} holds what is no number: {error}") from error
