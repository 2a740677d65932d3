"""Oracles of the group volume."""

from __future__ import annotations

import numpy as np
import pandas as pd
import talib

from tests.features.oracles.common import (
    SETTLED,
    Exempt,
    Market,
    Table,
    correlation,
    deviation,
    last,
    ratio,
)


def _flow(m: Market) -> np.ndarray:
    return ratio((m.C - m.L) - (m.H - m.C), m.H - m.L) * m.V


def _by_day(m: Market, values: pd.Series) -> pd.Series:
    return values.groupby(m.index.floor("D")).cumsum()


TALIB: Table = {
    "adosc_norm": lambda m: talib.ADOSC(m.H, m.L, m.C, m.V, 3, 10) / talib.SMA(m.V, 20),
}
CLASSIC: Table = {}
PLAIN: Table = {
    "price_volume_corr_20": lambda m: correlation(m.c.pct_change(), m.V, 20),
    "volume_ratio_20": lambda m: ratio(m.V, last(m.V, 20).mean(axis=1), 1),
    "dollar_volume_z_60": lambda m: ratio(
        m.C * m.V - last(m.C * m.V, 60).mean(axis=1), deviation(m.C * m.V, 60)
    ),
    "cmf_20": lambda m: ratio(last(_flow(m), 20).sum(axis=1), last(m.V, 20).sum(axis=1)),
    "vwap": lambda m: _by_day(m, m.typical * m.v) / _by_day(m, m.v),
    "close_to_vwap_20": lambda m: (
        m.C / ratio(last(m.typical * m.V, 20).sum(axis=1), last(m.V, 20).sum(axis=1), m.typical) - 1
    ),
}
EXCEPTIONS = {
    ("TALIB", "adosc_norm"): Exempt(
        "TA-Lib starts both averages at the first bar, ours with a mean", start=SETTLED
    )
}
RARE: dict[str, str] = {}
