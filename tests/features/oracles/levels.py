"""Oracles of the group levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandas_ta_classic as classic
import talib

from tests.features.oracles.common import Exempt, Floats, Market, Table, family, lag, ratio
from tests.features.walks import scaled, spaced, walk

# A bar every 37 minutes: two months of days with yesterdays.
MARKETS = (
    Market("walk", spaced(walk(2600, seed=31), "37min")),
    Market("cheap", spaced(scaled(walk(2600, seed=32), 1e-11, 1e9), "37min")),
    Market("outage", spaced(walk(2600, seed=33, outages=[(700, 900)]), "37min")),
)
FIRST_DAY = Exempt("the first day has no yesterday", start=39)


def pivots(m: Market) -> pd.DataFrame:
    """Return floor traders' pivots of the UTC day before."""
    prices = (m.o, m.h, m.l, m.c)
    return classic.cpr(*prices, timeframe="intraday", interval="1min", lookahead=False)


def range_pos(m: Market) -> pd.Series:
    level = pivots(m)
    high = 2 * level["CPR_PIVOT"] - level["CPR_S1"]
    low = 2 * level["CPR_PIVOT"] - level["CPR_R1"]
    return (m.c - low) / (high - low)


def yesterday(m: Market) -> tuple[Floats, Floats, Floats]:
    """Return high, low and close of the UTC day before; on the first day, of the day so far."""
    days: list[list[float]] = []
    latest, out = "", []
    for date, high, low, close in zip(m.index.strftime("%F"), m.H, m.L, m.C, strict=True):
        if date != latest:
            days.append([high, low, close])
            latest = date
        day = days[-1]
        day[:] = [max(day[0], high), min(day[1], low), close]
        out.append(tuple(days[max(0, len(days) - 2)]))
    high, low, close = np.array(out).T
    return high, low, close


def pivot(m: Market) -> tuple[Floats, Floats, Floats]:
    """Return pivot, first resistance and first support."""
    high, low, close = yesterday(m)
    middle = (high + low + close) / 3
    return middle, 2 * middle - low, 2 * middle - high


TALIB: Table = {
    **family("dist_to_resistance", (20, 50, 33), lambda m, n: lag(talib.MAX(m.H, n), 1) / m.C - 1),
    **family("dist_to_support", (20, 50, 33), lambda m, n: m.C / lag(talib.MIN(m.L, n), 1) - 1),
    **family("breakout_up", (20, 7), lambda m, n: lag(talib.MAX(m.H, n), 1) < m.C),
    **family("breakout_down", (20, 7), lambda m, n: lag(talib.MIN(m.L, n), 1) > m.C),
    "swing_high_dist_5": lambda m: lag(talib.MAX(m.H, 20), 2) / m.C - 1,
}

CLASSIC: Table = {
    "pivot_dist": lambda m: m.c / pivots(m)["CPR_PIVOT"] - 1,
    "pivot_r1_dist": lambda m: pivots(m)["CPR_R1"] / m.c - 1,
    "pivot_s1_dist": lambda m: 1 - pivots(m)["CPR_S1"] / m.c,
    "prev_day_range_pos": range_pos,
}

PLAIN: Table = {
    "pivot_dist": lambda m: m.C / pivot(m)[0] - 1,
    "pivot_r1_dist": lambda m: pivot(m)[1] / m.C - 1,
    "pivot_s1_dist": lambda m: 1 - pivot(m)[2] / m.C,
    "prev_day_range_pos": lambda m: ratio(
        m.C - yesterday(m)[1], yesterday(m)[0] - yesterday(m)[1], 0.5
    ),
}

EXCEPTIONS = {("CLASSIC", name): FIRST_DAY for name in CLASSIC}
RARE: dict[str, str] = {}
