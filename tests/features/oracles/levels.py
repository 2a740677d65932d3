"""Oracles of the group levels."""

from __future__ import annotations

import pandas as pd

from tests.features.oracles.common import Exempt, Market, Table


def _yesterday(m: Market, values: pd.Series, how: str) -> pd.Series:
    """Return a daily statistic of the day before, on each bar."""
    day = m.index.floor("D")
    daily = getattr(values.groupby(day), how)().shift(1)
    return pd.Series(daily.reindex(day).to_numpy(), index=m.index)


def _pivot(m: Market) -> pd.Series:
    days = _yesterday(m, m.h, "max"), _yesterday(m, m.l, "min"), _yesterday(m, m.c, "last")
    return sum(days) / 3


TALIB: Table = {}
CLASSIC: Table = {}
PLAIN: Table = {
    "pivot_dist": lambda m: (
        m.c
        / ((_yesterday(m, m.h, "max") + _yesterday(m, m.l, "min") + _yesterday(m, m.c, "last")) / 3)
        - 1
    ),
    "breakout_up_20": lambda m: m.c > m.h.rolling(20).max().shift(1),
}
EXCEPTIONS: dict[tuple[str, str], Exempt] = {
    ("PLAIN", "pivot_dist"): Exempt("the first day has no yesterday", start=1440)
}
RARE: dict[str, str] = {}
