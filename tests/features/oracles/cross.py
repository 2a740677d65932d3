"""Oracles of the group cross."""

from __future__ import annotations

import numpy as np
import pandas as pd
import talib

from tests.features.oracles.common import (
    Exempt,
    Floats,
    Market,
    Table,
    classic,
    deviation,
    family,
    lag,
    last,
    ratio,
)
from tests.features.walks import beside, scaled, walk


def _outages() -> pd.DataFrame:
    """Return candles in which first the symbol, later the benchmark stands still."""
    candles = beside(walk(2600, seed=63, outages=[(700, 800)]), seed=63)
    candles.iloc[1200:1300, candles.columns.get_loc("benchmark")] = 30_000.0
    return candles


MARKETS = (
    Market("walk", beside(walk(2600, seed=61), seed=61)),
    Market("cheap", beside(scaled(walk(2600, seed=62), 1e-11, 1e9), seed=62)),
    Market("outage", _outages()),
)


def benchmark(m: Market) -> pd.Series:
    return m.candles["benchmark"]


def returns(m: Market, n: int = 1) -> Floats:
    """Return log returns of the benchmark."""
    price = benchmark(m).to_numpy()
    return np.log(price) - np.log(lag(price, n))


def moves(m: Market) -> Floats:
    """Return log returns of the benchmark that are exactly 0 where it stands."""
    return np.where(benchmark(m).diff() == 0, 0.0, returns(m))


def correlation(m: Market, n: int, behind: int = 0) -> Floats:
    theirs = moves(m) if behind == 0 else lag(moves(m), behind)
    return talib.CORREL(m.returns, theirs, n)


def beta(m: Market, n: int) -> Floats:
    """Return the slope of the line through n pairs of returns, fitted by least squares."""
    pairs = zip(last(moves(m), n), last(m.returns, n), strict=True)
    return np.array([line(x, y) for x, y in pairs])


def line(x: Floats, y: Floats) -> float:
    if np.isnan(x).any() or np.isnan(y).any():
        return np.nan
    if np.ptp(x) == 0:
        return 0.0
    design = np.column_stack([x / np.abs(x).max(), np.ones_like(x)])
    return np.linalg.lstsq(design, y, rcond=None)[0][0] / np.abs(x).max()


def residual(m: Market) -> Floats:
    return last(m.returns - beta(m, 60) * moves(m), 20).sum(axis=1)


TALIB: Table = {
    **family("btc_corr", (60, 7), correlation),
    **family("btc_lead_corr", (60, 7), lambda m, n: correlation(m, n, 1)),
}
CLASSIC: Table = {
    **family("btc_return", (1, 5, 3), lambda m, n: classic("log_return", benchmark(m), length=n)),
    "btc_lag_return_1": lambda m: lag(classic("log_return", benchmark(m), length=1), 1),
    **family(
        "btc_beta", (60, 33), lambda m, n: classic("beta", m.c, benchmark=benchmark(m), length=n)
    ),
    **family(
        "btc_rel_strength",
        (20, 3),
        lambda m, n: (
            classic("log_return", m.c, length=n) - classic("log_return", benchmark(m), length=n)
        ),
    ),
}
PLAIN: Table = {
    **family("btc_beta", (60, 33), beta),
    "btc_residual_20": residual,
    **family(
        "btc_vol_ratio",
        (20, 7),
        lambda m, n: ratio(deviation(m.returns, n), deviation(moves(m), n), 1),
    ),
}
SIMPLE = Exempt("the library takes simple returns, ours are logs", tolerance=5e-3)
EXCEPTIONS = {("CLASSIC", "btc_beta_60"): SIMPLE, ("CLASSIC", "btc_beta_33"): SIMPLE}
RARE: dict[str, str] = {}
