"""Oracles of the group time."""

from __future__ import annotations

import numpy as np

from tests.features.oracles.common import Exempt, Table

TALIB: Table = {}
CLASSIC: Table = {}
PLAIN: Table = {
    "hour": lambda m: m.index.hour,
    "day_of_week": lambda m: m.index.day_of_week,
    "day_of_month": lambda m: m.index.day,
    "month": lambda m: m.index.month,
    "quarter": lambda m: m.index.quarter,
    "quarter_hour": lambda m: m.index.hour * 4 + m.index.minute // 15,
    "tod_sin": lambda m: np.sin(2 * np.pi * (m.index.hour * 60 + m.index.minute) / 1440),
}
EXCEPTIONS: dict[tuple[str, str], Exempt] = {}
RARE = {
    "month": "the walks last two days; test_feature_drawn goes through leap years",
    "quarter": "the walks last two days; test_feature_drawn goes through leap years",
}
