"""Oracles of the group pattern."""

from __future__ import annotations

import numpy as np

from tests.features.oracles.common import Exempt, Market, Table


def _consecutive(m: Market):
    side = np.sign(m.c.diff())
    return (side * (side.groupby((side.diff() != 0).cumsum()).cumcount() + 1)).clip(-64, 64)


TALIB: Table = {}
CLASSIC: Table = {}
PLAIN: Table = {
    "cdl_inside_bar": lambda m: (m.h < m.h.shift(1)) & (m.l > m.l.shift(1)),
    "consecutive_candles": _consecutive,
}
EXCEPTIONS: dict[tuple[str, str], Exempt] = {}
RARE: dict[str, str] = {}
