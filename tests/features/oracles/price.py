"""Oracles of the group price."""

from __future__ import annotations

import numpy as np
import talib

from tests.features.oracles.common import (
    Exemptions,
    Floats,
    Market,
    Table,
    classic,
    deviation,
    family,
    lag,
    ratio,
    rma,
)

RETURN, LOG_RETURN, MOMENTUM = (1, 2, 5, 10, 20, 60, 7), (1, 5, 20, 3), (5, 10, 20, 4)


def _acceleration(m: Market, n: int) -> Floats:
    return m.C - 2 * lag(m.C, n) + lag(m.C, 2 * n)


def _momentum_z(m: Market) -> Floats:
    """A sum of 12 independent changes has √12 times the deviation of one."""
    sigma = deviation(m.returns, 60) * np.sqrt(12)
    return np.where(sigma > 1e-10, ratio(np.log(m.C / lag(m.C, 12)), sigma), 0.0)


TALIB: Table = {
    **family("return", RETURN, lambda m, n: talib.ROCP(m.C, n)),
    "returns": lambda m: talib.ROCP(m.C, 1),
    **family("log_return", LOG_RETURN, lambda m, n: talib.LN(talib.ROCR(m.C, n))),
    **family("momentum", MOMENTUM, lambda m, n: talib.MOM(m.C, n)),
    **family("acceleration", (5, 3), lambda m, n: talib.MOM(talib.MOM(m.C, n), n)),
    **family("momentum_{n}_atr", MOMENTUM, lambda m, n: talib.MOM(m.C, n) / talib.ATR(*m.HLC, 14)),
    **family(
        "acceleration_{n}_atr",
        (5, 3),
        lambda m, n: talib.MOM(talib.MOM(m.C, n), n) / talib.ATR(*m.HLC, 14),
    ),
    "hl_range": lambda m: talib.SUB(m.H, m.L),
    "typical_price_dev": lambda m: talib.TYPPRICE(*m.HLC) / m.C - 1,
}
CLASSIC: Table = {
    **family("return", RETURN, lambda m, n: classic("percent_return", m.c, length=n)),
    "returns": lambda m: classic("percent_return", m.c, length=1),
    **family("log_return", LOG_RETURN, lambda m, n: classic("log_return", m.c, length=n)),
    **family("momentum", MOMENTUM, lambda m, n: classic("mom", m.c, length=n)),
    **family(
        "momentum_{n}_atr",
        MOMENTUM,
        lambda m, n: classic("mom", m.c, length=n) / classic("atr", *m.hlc),
    ),
    "typical_price_dev": lambda m: classic("hlc3", *m.hlc) / m.C - 1,
}
PLAIN: Table = {
    "open": lambda m: m.candles["open"],
    "high": lambda m: m.candles["high"],
    "low": lambda m: m.candles["low"],
    "close": lambda m: m.candles["close"],
    **family("return", RETURN, lambda m, n: m.c.pct_change(n)),
    **family("log_return", LOG_RETURN, lambda m, n: np.log(m.C) - np.log(lag(m.C, n))),
    **family("momentum", MOMENTUM, lambda m, n: m.c.diff(n)),
    **family("acceleration", (5, 3), _acceleration),
    **family(
        "momentum_{n}_atr",
        MOMENTUM,
        lambda m, n: ratio(m.C - lag(m.C, n), rma(m.true_range, 14)),
    ),
    **family(
        "acceleration_{n}_atr",
        (5, 3),
        lambda m, n: ratio(_acceleration(m, n), rma(m.true_range, 14)),
    ),
    "hl_range": lambda m: m.h - m.l,
    "hl_range_pct": lambda m: (m.h - m.l) / m.c,
    "oc_range": lambda m: m.c - m.o,
    "oc_range_pct": lambda m: (m.c - m.o) / m.o,
    "body_to_range": lambda m: ratio((m.c - m.o).abs(), m.h - m.l),
    "upper_wick_pct": lambda m: ratio(m.H - np.maximum(m.O, m.C), m.H - m.L),
    "lower_wick_pct": lambda m: ratio(np.minimum(m.O, m.C) - m.L, m.H - m.L),
    "close_location": lambda m: ratio(m.C - m.L, m.H - m.L, 0.5),
    "gap_pct": lambda m: (m.o - m.c.shift(1)) / m.c.shift(1),
    "typical_price_dev": lambda m: (m.h + m.l + m.c) / (3 * m.c) - 1,
    "momentum_z_12": _momentum_z,
}
EXCEPTIONS: Exemptions = {}
RARE: dict[str, str] = {}
