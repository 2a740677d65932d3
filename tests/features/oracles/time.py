"""Oracles of the group time: pandas' calendar, over five years with a leap day."""

from __future__ import annotations

import numpy as np

from tests.features.oracles.common import Exemptions, Floats, Market, Table
from tests.features.walks import spaced, walk

MARKETS = (Market("walk", spaced(walk(6000, seed=41), "7h13min")),)


def minute(m: Market) -> Floats:
    return np.array([60.0 * at.hour + at.minute for at in m.index])


TALIB: Table = {}
CLASSIC: Table = {}
PLAIN: Table = {
    "hour": lambda m: m.index.hour,
    "day_of_week": lambda m: m.index.day_of_week,
    "day_of_month": lambda m: m.index.day,
    "month": lambda m: m.index.month,
    "quarter": lambda m: m.index.quarter,
    "quarter_hour": lambda m: m.index.hour * 4 + m.index.minute // 15,
    "tod_sin": lambda m: np.sin(2 * np.pi * minute(m) / 1440),
    "tod_cos": lambda m: np.cos(2 * np.pi * minute(m) / 1440),
    "dow_sin": lambda m: np.sin(2 * np.pi * m.index.day_of_week / 7),
    "dow_cos": lambda m: np.cos(2 * np.pi * m.index.day_of_week / 7),
    "is_weekend": lambda m: m.index.day_name().isin(["Saturday", "Sunday"]),
    "session_asia": lambda m: m.index.strftime("%H:%M") < "08:00",
    "session_us": lambda m: [13 <= at.hour <= 20 for at in m.index],
}

EXCEPTIONS: Exemptions = {}
RARE: dict[str, str] = {}
