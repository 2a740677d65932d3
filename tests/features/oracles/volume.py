"""Oracles of the group volume.

The running sums of the literature (OBV, A/D, PVT) begin where the history begins; ours are what
they gained over a window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import talib

from tests.features.oracles.common import (
    SETTLED,
    Exempt,
    Floats,
    Market,
    Table,
    classic,
    family,
    last,
    ratio,
)
from tests.features.walks import scaled, spaced, walk

MARKETS = (
    Market("walk", spaced(walk(2600, seed=21), "11min")),
    Market("cheap", spaced(scaled(walk(2600, seed=22), 1e-11, 1e9), "11min")),
    Market("outage", spaced(walk(2600, seed=23, outages=[(700, 1000)]), "11min")),
)


def gain(running: Floats, n: int) -> Floats:
    """Return what a running sum gained over n bars, the one that it started with included."""
    return running - np.concatenate([np.zeros(n), running[:-n]])


def traded(m: Market) -> Floats:
    return talib.SMA(m.V, 20)


def daily_vwap(m: Market) -> Floats:
    """Return the library's, which is 0 / 0 until something was traded: ours shows the price."""
    here = m.index.tz_localize(None)  # the library groups by the day of a local index
    columns = (s.set_axis(here) for s in (m.h, m.l, m.c, m.v))
    daily = classic("vwap", *columns, anchor="D")
    return np.where(np.isnan(daily), m.typical, daily)


def windows(m: Market, of: Callable[[Floats, Floats], float]) -> Floats:
    """Return `of` the last 20 volumes and the 21 closes around them, for each bar."""
    volumes, closes = last(m.V, 20), last(m.C, 21)
    return np.array([of(v, c) for v, c in zip(volumes, closes, strict=True)])


def up_share(v: Floats, c: Floats) -> float:
    up = sum(v[i] for i in range(20) if c[i + 1] > c[i])
    return up / sum(v) if sum(v) else 0.5


def vwap(m: Market) -> Floats:
    """Return each day's turnover at typical prices over its volume; the typical price before."""
    paid: dict[str, float] = {}
    coins: dict[str, float] = {}
    out = []
    for day, price, volume in zip(m.index.strftime("%F"), m.typical, m.V, strict=True):
        paid[day] = paid.get(day, 0.0) + price * volume
        coins[day] = coins.get(day, 0.0) + volume
        out.append(paid[day] / coins[day] if coins[day] else price)
    return np.array(out)


def vwap_20(m: Market) -> Floats:
    paid, coins = last(m.typical * m.V, 20).sum(axis=1), last(m.V, 20).sum(axis=1)
    return ratio(paid, coins, m.typical)


TALIB: Table = {
    **family("volume_sma", (20, 33), lambda m, n: talib.SMA(m.V, n)),
    **family("volume_ratio", (5, 10, 20, 50, 33), lambda m, n: m.V / talib.SMA(m.V, n)),
    "volume_trend_5_20": lambda m: talib.SMA(m.V, 5) / traded(m) - 1,
    "obv_norm_20": lambda m: pd.Series(talib.OBV(m.C, m.V)).diff(20) / talib.SUM(m.V, 20),
    "cmf_20": lambda m: gain(talib.AD(m.H, m.L, m.C, m.V), 20) / talib.SUM(m.V, 20),
    "adosc_norm": lambda m: talib.ADOSC(m.H, m.L, m.C, m.V, 3, 10) / traded(m),
    "price_volume_corr_20": lambda m: talib.CORREL(talib.ROCP(m.C, 1), m.V, 20),
}

CLASSIC: Table = {
    "force_index_13": lambda m: (
        classic("efi", m.c, m.v, length=13) / (talib.ATR(m.H, m.L, m.C, 14) * traded(m))
    ),
    "vwap": daily_vwap,
    "close_to_vwap": lambda m: m.C / daily_vwap(m) - 1,
    "vwap_20": lambda m: classic("vwma", (m.h + m.l + m.c) / 3, m.v, length=20),
    "close_to_vwap_20": lambda m: m.c / classic("vwma", (m.h + m.l + m.c) / 3, m.v, length=20) - 1,
    "pvt_20": lambda m: (
        gain(np.nan_to_num(classic("pvt", m.c, m.v)), 20) / 100 / talib.SUM(m.V, 20)
    ),
    # The squared close stands where Arms has the volume: the feature must not depend on the unit.
    "eom_14": lambda m: classic("eom", m.h, m.l, m.c, m.c**2, length=14, divisor=1),
    **family("volume_zscore", (20, 33), lambda m, n: classic("zscore", m.v, length=n)),
    "dollar_volume_z_60": lambda m: classic("zscore", m.c * m.v, length=60),
}

PLAIN: Table = {
    "volume": lambda m: m.V,
    "vwap": vwap,
    "close_to_vwap": lambda m: m.C / vwap(m) - 1,
    "vwap_20": vwap_20,
    "close_to_vwap_20": lambda m: m.C / vwap_20(m) - 1,
    "up_volume_ratio_20": lambda m: windows(m, up_share),
    "volume_spike": lambda m: windows(m, lambda v, _: v[-1] > 2 * sum(v) / 20),
    "volume_dry_up": lambda m: windows(m, lambda v, _: v[-1] < sum(v) / 20 / 2),
}

EXCEPTIONS = {
    ("TALIB", "adosc_norm"): Exempt(
        "TA-Lib starts both averages at the first bar, ours with a mean", start=SETTLED
    )
}
RARE: dict[str, str] = {}
