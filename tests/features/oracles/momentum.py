"""Oracles of the group momentum."""

from __future__ import annotations

import numpy as np
import pandas as pd
import talib

from tests.features.oracles.common import (
    Exempt,
    Exemptions,
    Floats,
    Market,
    Table,
    classic,
    ema,
    family,
    lag,
    last,
    mean,
    ratio,
    rma,
    total,
)

RSI = (7, 14, 28, 9)
ROC = (10, 6)


def _moves(m: Market) -> tuple[Floats, Floats]:
    move = m.C - lag(m.C, 1)
    return np.maximum(move, 0), np.maximum(-move, 0)


def _rsi(m: Market, n: int) -> Floats:
    """Wilder (1978): 100 - 100 / (1 + RS); nothing but rises gives 100, no move at all 50."""
    up, down = (rma(side, n) for side in _moves(m))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = 100 - 100 / (1 + up / down)
    return np.where((up == 0) & (down == 0), 50.0, values)


def _place(x: Floats, lowest: Floats, highest: Floats) -> Floats:
    return 100 * ratio(x - lowest, highest - lowest, 0.5)


def _stochastic(m: Market) -> Floats:
    """Lane: %K of 14 bars."""
    return _place(m.C, last(m.L, 14).min(axis=1), last(m.H, 14).max(axis=1))


def _stochastic_rsi(m: Market) -> Floats:
    """Chande and Kroll (1994), of our own RSI: its exact ties decide where it stands still."""
    rsi = m.own("rsi_14")
    lowest, highest = last(rsi, 14).min(axis=1), last(rsi, 14).max(axis=1)
    return np.where(highest - lowest < 1e-6, 50.0, _place(rsi, lowest, highest))


def _money_flow(m: Market) -> Floats:
    """Quong and Soudack: flow of the bars with a rising typical price, as a share of both."""
    flow, change = m.typical * m.V, m.typical - lag(m.typical, 1)
    into = total(np.where(change > 0, flow, np.where(change == change, 0.0, np.nan)), 14)
    out = total(np.where(change < 0, flow, np.where(change == change, 0.0, np.nan)), 14)
    return 100 * ratio(into, into + out, 0.5)


def _ultimate(m: Market) -> Floats:
    """Williams (1985): buying pressure by true range, weights 4, 2, 1."""
    before = lag(m.C, 1)
    pressure = m.C - np.minimum(m.L, before)
    reach = np.maximum(m.H, before) - np.minimum(m.L, before)
    shares = [ratio(total(pressure, n), total(reach, n), 0.5) for n in (7, 14, 28)]
    return 100 * np.average(shares, axis=0, weights=(4, 2, 1))


def _true_strength(m: Market) -> Floats:
    """Blau (1991): the move smoothed twice, by the size of the move smoothed twice."""
    move = m.C - lag(m.C, 1)
    return 100 * ratio(ema(ema(move, 25), 13), ema(ema(np.abs(move), 25), 13))


def _commodity_channel(m: Market) -> Floats:
    """Lambert (1980): distance to the mean by 0.015 mean deviations."""
    windows = last(m.typical, 20)
    distance = m.typical - windows.mean(axis=1)
    spread = np.abs(windows - windows.mean(axis=1, keepdims=True)).mean(axis=1)
    spread = np.where(np.ptp(windows, axis=1) == 0, 0.0, spread)
    return ratio(distance, 0.015 * spread)


def _ppo(m: Market) -> Floats:
    return 100 * (ema(m.C, 12) - ema(m.C, 26)) / ema(m.C, 26)


TALIB: Table = {
    **family("rsi", RSI, lambda m, n: talib.RSI(m.C, n)),
    "rsi_14_slope_5": lambda m: talib.MOM(talib.RSI(m.C, 14), 5),
    "stoch_k_14": lambda m: talib.STOCHF(*m.HLC, 14, 1, 0)[0],
    "stoch_d_14": lambda m: talib.STOCHF(*m.HLC, 14, 3, 0)[1],
    "willr_14": lambda m: talib.WILLR(*m.HLC, 14),
    "stochrsi_14": lambda m: talib.STOCHRSI(m.C, 14, 14, 1, 0)[0],
    "stochrsi_d_14": lambda m: talib.STOCHRSI(m.C, 14, 14, 3, 0)[1],
    **family("roc", ROC, lambda m, n: talib.ROC(m.C, n)),
    "cmo_14": lambda m: talib.CMO(m.C, 14),
    "mfi_14": lambda m: talib.MFI(*m.HLC, m.V, 14),
    "ultosc": lambda m: talib.ULTOSC(*m.HLC, 7, 14, 28),
    "tsi_25_13": lambda m: talib.TSI(m.C, 25, 13),
    "ppo": lambda m: talib.PPO(m.C, 12, 26, 1),
    "ppo_hist": lambda m: talib.PPO(m.C, 12, 26, 1) - talib.EMA(talib.PPO(m.C, 12, 26, 1), 9),
    "ao_pct": lambda m: talib.AO(m.H, m.L) / m.C,
    "bop_14": lambda m: talib.SMA(talib.BOP(m.O, *m.HLC), 14),
    "cci_20": lambda m: talib.CCI(*m.HLC, 20),
}
CLASSIC: Table = {
    **family("rsi", RSI, lambda m, n: classic("rsi", m.c, length=n)),
    "rsi_14_slope_5": lambda m: classic("mom", pd.Series(classic("rsi", m.c)), length=5),
    "stoch_k_14": lambda m: classic("stochf", *m.hlc, fastk=14, fastd=3),
    "stoch_d_14": lambda m: classic("stochf", *m.hlc, fastk=14, fastd=3, column=1),
    "willr_14": lambda m: classic("willr", *m.hlc),
    "stochrsi_14": lambda m: classic("stochrsi", m.c, k=1, d=3),
    "stochrsi_d_14": lambda m: classic("stochrsi", m.c, k=1, d=3, column=1),
    **family("roc", ROC, lambda m, n: classic("roc", m.c, length=n)),
    "cmo_14": lambda m: classic("cmo", m.c),
    "mfi_14": lambda m: classic("mfi", *m.hlc, m.v),
    "ultosc": lambda m: classic("uo", *m.hlc),
    "tsi_25_13": lambda m: classic("tsi", m.c),
    "ppo": lambda m: classic("ppo", m.c, mamode="ema"),
    "ppo_hist": lambda m: classic("ppo", m.c, mamode="ema", column=1),
    "ao_pct": lambda m: classic("ao", m.h, m.l) / m.C,
    "bop_14": lambda m: mean(classic("bop", m.o, *m.hlc), 14),
    "cci_20": lambda m: classic("cci", *m.hlc, length=20),
}
PLAIN: Table = {
    **family("rsi", RSI, _rsi),
    "rsi_14_slope_5": lambda m: _rsi(m, 14) - lag(_rsi(m, 14), 5),
    "stoch_k_14": _stochastic,
    "stoch_d_14": lambda m: mean(_stochastic(m), 3),
    "willr_14": lambda m: _stochastic(m) - 100,
    "stochrsi_14": _stochastic_rsi,
    "stochrsi_d_14": lambda m: mean(_stochastic_rsi(m), 3),
    **family("roc", ROC, lambda m, n: 100 * (m.C - lag(m.C, n)) / lag(m.C, n)),
    "cmo_14": lambda m: 2 * _rsi(m, 14) - 100,
    "mfi_14": _money_flow,
    "ultosc": _ultimate,
    "tsi_25_13": _true_strength,
    "ppo": _ppo,
    "ppo_hist": lambda m: _ppo(m) - ema(_ppo(m), 9),
    "ao_pct": lambda m: (mean((m.h + m.l) / 2, 5) - mean((m.h + m.l) / 2, 34)) / m.C,
    "bop_14": lambda m: mean(ratio(m.C - m.O, m.H - m.L), 14),
    "cci_20": _commodity_channel,
}
EXCEPTIONS: Exemptions = {
    ("CLASSIC", "cmo_14"): Exempt(
        "Chande's own sums of 14 moves; ours is smoothed as Wilder would, as TA-Lib's is",
        differs=True,
    ),
    ("CLASSIC", "bop_14"): Exempt(
        "a body of nothing counts as 2.2e-16, which is something in a range of 1e-12",
        tolerance=1e-2,
        markets=("cheap",),
    ),
}
RARE: dict[str, str] = {}
