"""Oracles of the group rolling."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import talib

from tests.features.oracles.common import (
    Exemptions,
    Floats,
    Market,
    Table,
    classic,
    family,
    lag,
    rolled,
)


def log_return(m: Market) -> pd.Series:
    return pd.Series(m.returns, index=m.index)


def place(x: Floats) -> float:
    """Return the share of the other values below the last, equal ones counting half."""
    below = sum(1.0 for other in x[:-1] if other < x[-1])
    equal = sum(1.0 for other in x[:-1] if other == x[-1])
    return (below + equal / 2) / (len(x) - 1)


def hits(x: Floats) -> float:
    rises = sum(1 for before, after in pairwise(x) if after > before)
    return rises / (len(x) - 1)


def autocorrelation(m: Market, behind: int, n: int) -> Floats:
    return talib.CORREL(m.returns, lag(m.returns, behind), n)


TALIB: Table = {
    **family("min", (5, 10, 20, 3), lambda m, n: talib.MIN(m.L, n)),
    **family("max", (5, 10, 20, 3), lambda m, n: talib.MAX(m.H, n)),
    **family("close_to_min", (5, 10, 20, 3), lambda m, n: m.C / talib.MIN(m.L, n) - 1),
    **family("close_to_max", (5, 10, 20, 3), lambda m, n: m.C / talib.MAX(m.H, n) - 1),
    **family(
        "range_pos", (5, 10, 20, 50, 3), lambda m, n: talib.STOCHF(m.H, m.L, m.C, n, 1, 0)[0] / 100
    ),
    **family("drawdown", (50, 7), lambda m, n: m.C / talib.MAX(m.C, n) - 1),
    **family("runup", (50, 7), lambda m, n: m.C / talib.MIN(m.C, n) - 1),
    **family(
        "bars_since_high",
        (50, 2),
        lambda m, n: (np.arange(len(m.H)) - talib.MAXINDEX(m.H, n)) / n,
    ),
    **family(
        "bars_since_low",
        (50, 2),
        lambda m, n: (np.arange(len(m.L)) - talib.MININDEX(m.L, n)) / n,
    ),
    "autocorr_1_20": lambda m: autocorrelation(m, 1, 20),
    "autocorr_5_60": lambda m: autocorrelation(m, 5, 60),
}

CLASSIC: Table = {
    **family("zscore", (5, 10, 20, 50, 33), lambda m, n: classic("zscore", m.c, length=n)),
    **family("skew", (20, 60, 7), lambda m, n: classic("skew", log_return(m), length=n)),
    **family("kurt", (60, 4), lambda m, n: classic("kurtosis", log_return(m), length=n)),
    **family("median_dev", (20, 7), lambda m, n: m.C / classic("median", m.c, length=n) - 1),
    **family("return_zscore", (20, 7), lambda m, n: classic("zscore", log_return(m), length=n)),
    **family(
        "sharpe",
        (20, 7),
        lambda m, n: (
            classic("sma", log_return(m), length=n)
            / classic("stdev", log_return(m), length=n, ddof=1)
        ),
    ),
}

PLAIN: Table = {
    # In the outage all are equal: ages of 0, since of equal extremes the latest counts.
    "bars_since_high_50": lambda m: rolled(m.H, 50, lambda x: np.argmax(x[::-1]) / 50),
    "bars_since_low_50": lambda m: rolled(m.L, 50, lambda x: np.argmin(x[::-1]) / 50),
    **family("close_rank", (50, 2), lambda m, n: rolled(m.C, n, place)),
    **family("hit_rate", (20, 1), lambda m, n: rolled(m.C, n + 1, hits)),
}

EXCEPTIONS: Exemptions = {}
RARE: dict[str, str] = {}
