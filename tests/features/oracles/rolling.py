"""Oracles of the group rolling."""

from __future__ import annotations

import numpy as np
import talib

from tests.features.oracles.common import (
    Exempt,
    Table,
    correlation,
    deviation,
    lag,
    last,
    ratio,
    rolled,
    shape,
)

TALIB: Table = {
    "min_20": lambda m: talib.MIN(m.L, 20),
    "max_20": lambda m: talib.MAX(m.H, 20),
}
CLASSIC: Table = {}
PLAIN: Table = {
    "close_rank_50": lambda m: (m.c.rolling(50).rank() - 1) / 49,
    "zscore_20": lambda m: ratio(m.C - last(m.C, 20).mean(axis=1), deviation(m.C, 20)),
    "median_dev_20": lambda m: m.C / np.median(last(m.C, 20), axis=1) - 1,
    "skew_60": lambda m: shape(m.returns, 60, "skew"),
    "kurt_60": lambda m: shape(m.returns, 60, "kurt"),
    "bars_since_high_50": lambda m: rolled(m.H, 50, lambda x: np.argmax(x[::-1])) / 50,
    "bars_since_low_50": lambda m: rolled(m.L, 50, lambda x: np.argmin(x[::-1])) / 50,
    "autocorr_5_60": lambda m: correlation(m.returns, lag(m.returns, 5), 60),
}
EXCEPTIONS: dict[tuple[str, str], Exempt] = {}
RARE: dict[str, str] = {}
