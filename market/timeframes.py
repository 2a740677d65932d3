"""Bar lengths and points in time: every common spelling in, milliseconds UTC out."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import pandas as pd

from market.errors import BadInstant, BadTimeframe

DAY_MS = 86_400_000
Instant = datetime | str | int
"""A point in time: a datetime with a zone, ISO text with a zone, or epoch milliseconds."""

_UNITS_MS = {"d": DAY_MS, "h": 3_600_000, "m": 60_000, "s": 1_000}
_SPELLINGS = {
    "s": "s", "sec": "s", "second": "s", "seconds": "s",
    "m": "m", "min": "m", "minute": "m", "minutes": "m", "t": "m",
    "h": "h", "hr": "h", "hour": "h", "hours": "h",
    "d": "d", "day": "d", "days": "d",
}  # fmt: skip


def parse_timeframe(text: str) -> str:
    """Return the canonical spelling of a bar length.

    Parameters
    ----------
    text : str
        ``1m``, ``1min``, ``60s``, ``1h``, ``60 minutes``, ``1d``, … The number may be left out
        (``h``). ``1M`` means a month on exchanges, so it is refused.

    Returns
    -------
    str
        Number and the largest of the units ``d h m s`` that keeps the number whole.

    Raises
    ------
    BadTimeframe
        Not a bar length, or one that does not divide a day into whole bars.

    Examples
    --------
    >>> parse_timeframe("60s"), parse_timeframe("60min"), parse_timeframe("24h")
    ('1m', '1h', '1d')
    """
    match = re.fullmatch(r"(\d{0,6})\s*([A-Za-z]+)", str(text).strip())
    unit = _SPELLINGS.get(match[2].lower()) if match and match[2] != "M" else None
    if match is None or unit is None:
        raise BadTimeframe(f"{text!r} is not a bar length; write it as 1m, 5m, 15m, 1h, 4h or 1d")
    length = int(match[1] or 1) * _UNITS_MS[unit]
    if length == 0 or DAY_MS % length:
        raise BadTimeframe(
            f"{text!r} does not divide a day into whole bars; use one that does, such as 1m, 5m, 1h"
        )
    name = next(u for u, ms in _UNITS_MS.items() if length % ms == 0)
    return f"{length // _UNITS_MS[name]}{name}"


def timeframe_ms(timeframe: str) -> int:
    """Return the length of one bar in milliseconds."""
    name = parse_timeframe(timeframe)
    return int(name[:-1]) * _UNITS_MS[name[-1]]


def bars_per_day(timeframe: str) -> int:
    """Return how many bars make a day of 24 hours."""
    return DAY_MS // timeframe_ms(timeframe)


def bars_in(timeframe: str, minutes: float) -> int:
    """Return how many bars cover a span given in minutes: rounded up, at least 1.

    Examples
    --------
    >>> bars_in("1m", 60), bars_in("5m", 60), bars_in("1h", 5)
    (60, 12, 1)
    """
    return max(1, -int(-minutes * 60_000 // timeframe_ms(timeframe)))


def instant_ms(value: Instant) -> int:
    """Return a point in time as epoch milliseconds.

    Raises
    ------
    BadInstant
        Not a time, or a time without a zone: whose midnight would it be?

    Examples
    --------
    >>> instant_ms("2025-05-28T00:00:00Z")
    1748390400000
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    try:
        stamp = pd.Timestamp(value)
        if pd.isna(stamp):
            raise ValueError("not a time")
        nanoseconds = stamp.as_unit("ns").value
    except (ValueError, TypeError) as error:
        raise BadInstant(f"{value!r} is not a time; write 2025-05-28T00:00:00Z") from error
    if stamp.tzinfo is None:
        raise BadInstant(f"{value!r} has no time zone; write {stamp.isoformat()}Z if UTC is meant")
    return int(nanoseconds // 1_000_000)


def utc(milliseconds: int) -> pd.Timestamp:
    """Return epoch milliseconds as a UTC timestamp of millisecond resolution."""
    return pd.Timestamp(milliseconds, unit="ms", tz="UTC").as_unit("ms")
