"""Oracles of the group volatility."""

from __future__ import annotations

import numpy as np
import talib

from tests.features.oracles.common import (
    Exempt,
    Exemptions,
    Floats,
    Market,
    Table,
    classic,
    deviation,
    ema,
    family,
    lag,
    last,
    mean,
    ratio,
    rma,
    rolled,
    total,
)

VOLATILITY, HAR = (5, 10, 20, 60, 8), (12, 72, 288, 30)
LOG_RV = (3, 12, 15, 48, 60, 240, 288, 1440, 2016, 7)


def _bands(m: Market) -> tuple[Floats, Floats]:
    """Bollinger: the mean of 20 bars, and 2 deviations of the population."""
    windows = last(m.C, 20)
    flat = np.ptp(windows, axis=1) == 0
    return windows.mean(axis=1), np.where(flat, 0.0, 2 * windows.std(axis=1))


def _parkinson(m: Market) -> Floats:
    """Parkinson (1980): sum of ln(H/L)² over 4 n ln 2."""
    return np.sqrt(total(np.log(m.H / m.L) ** 2, 20) / (4 * 20 * np.log(2)))


def _garman_klass(m: Market) -> Floats:
    """Garman and Klass (1980): 0.511 (u-d)² - … in its practical form; no drift, no gaps."""
    bars = 0.5 * np.log(m.H / m.L) ** 2 - (2 * np.log(2) - 1) * np.log(m.C / m.O) ** 2
    return np.sqrt(np.maximum(mean(bars, 20), 0))


def _rogers_satchell(m: Market) -> Floats:
    """Rogers and Satchell (1991): u (u - c) + d (d - c) of the moves since the open, squared."""
    u, d, c = np.log(m.H / m.O), np.log(m.L / m.O), np.log(m.C / m.O)
    return np.maximum(mean(u * (u - c) + d * (d - c), 20), 0)


def _yang_zhang(m: Market) -> Floats:
    """Yang and Zhang (2000): V(open) + k V(close) + (1 - k) V(RS), k of n = 20 bars."""
    n = 20
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    overnight = deviation(np.log(m.O / lag(m.C, 1)), n) ** 2
    day = deviation(np.log(m.C / m.O), n) ** 2
    return np.sqrt(overnight + k * day + (1 - k) * _rogers_satchell(m))


def _semi(m: Market, side: float) -> Floats:
    falls = np.where(side * m.returns < 0, 0, m.returns)
    return np.sqrt(mean(falls**2, 20))


def _choppiness(m: Market) -> Floats:
    """Dreiss: 100 log10 (sum of true ranges / range of the window) / log10 n."""
    reach = last(m.H, 14).max(axis=1) - last(m.L, 14).min(axis=1)
    way = ratio(total(m.true_range, 14), reach, 1.0)
    return 100 * np.log10(way) / np.log10(14)


def _ulcer(m: Market) -> Floats:
    """Martin (1987): root mean square of the drawdowns, in percent, from the high of 14."""
    falls = 100 * (m.C / last(m.C, 14).max(axis=1) - 1)
    return np.sqrt(mean(falls**2, 14))


def _jumps(m: Market) -> Floats:
    """Barndorff-Nielsen and Shephard (2004): 1 - bipower variation / realised variance."""
    size = np.abs(m.returns)
    bipower = np.pi / 2 * total(size * lag(size, 1), 20)
    return np.maximum(1 - ratio(bipower, total(size**2, 20), 1.0), 0)


def _rank(m: Market) -> Floats:
    """Share of the other 199 values below, of volatilities as we compute them: ties stay ties."""
    below = rolled(m.own("volatility_20"), 200, lambda w: (w < w[-1]).sum())
    same = rolled(m.own("volatility_20"), 200, lambda w: (w == w[-1]).sum() - 1)
    return (below + same / 2) / 199


def _realised_skewness(m: Market) -> Floats:
    """Amaya, Christoffersen, Jacobs and Vasquez (2015): √n Σr³ / (Σr²)^1.5."""
    r = m.returns
    return np.sqrt(20) * ratio(total(r**3, 20), total(r**2, 20) ** 1.5)


def _log_rv(m: Market, n: int) -> Floats:
    return np.log(np.maximum(total(m.returns**2, n), 1e-12))


def _band_ratio(m: Market) -> Floats:
    upper, middle, _ = talib.BBANDS(m.C, 20, 2, 2)
    return (upper - middle) / (1.5 * talib.ATR(*m.HLC, 20))


def _talib_band(m: Market) -> list[Floats]:
    return talib.BBANDS(m.C, 20, 2, 2)


def _classic_band(m: Market, column: int) -> Floats:
    return classic("bbands", m.c, length=20, column=column)


def _keltner(m: Market) -> Floats:
    upper, middle, _ = talib.KC(*m.HLC, 20, 14, 2.0)
    return (m.C - middle) / (upper - middle)


TALIB: Table = {
    **family(
        "volatility",
        VOLATILITY,
        lambda m, n: talib.STDDEV(m.returns, n, 1) * np.sqrt(n / (n - 1)),
    ),
    **family("atr", (14, 9), lambda m, n: talib.ATR(*m.HLC, n)),
    **family("natr", (14, 9), lambda m, n: talib.NATR(*m.HLC, n)),
    "true_range_pct": lambda m: talib.TRANGE(*m.HLC) / m.C,
    "bb_upper_20": lambda m: _talib_band(m)[0],
    "bb_middle_20": lambda m: _talib_band(m)[1],
    "bb_lower_20": lambda m: _talib_band(m)[2],
    "bb_width_20": lambda m: (_talib_band(m)[0] - _talib_band(m)[2]) / _talib_band(m)[1],
    "bb_percent_20": lambda m: ratio(
        m.C - _talib_band(m)[2], _talib_band(m)[0] - _talib_band(m)[2]
    ),
    "keltner_pos_20": _keltner,
    "squeeze_20": _band_ratio,
    "vol_rank_200": lambda m: talib.PERCENTRANK(m.own("volatility_20"), 199) / 100,
}
CLASSIC: Table = {
    **family(
        "volatility",
        VOLATILITY,
        lambda m, n: classic("hvol", m.c, length=n, annualization=1) / 100,
    ),
    **family("atr", (14, 9), lambda m, n: classic("atr", *m.hlc, length=n)),
    **family("natr", (14, 9), lambda m, n: classic("natr", *m.hlc, length=n)),
    "true_range_pct": lambda m: classic("true_range", *m.hlc) / m.C,
    "bb_upper_20": lambda m: _classic_band(m, 2),
    "bb_middle_20": lambda m: _classic_band(m, 1),
    "bb_lower_20": lambda m: _classic_band(m, 0),
    "bb_width_20": lambda m: _classic_band(m, 3) / 100,
    "bb_percent_20": lambda m: _classic_band(m, 4),
    "keltner_pos_20": lambda m: ratio(
        m.C - classic("kc", *m.hlc, length=20, column=1), 2 * classic("atr", *m.hlc)
    ),
    "squeeze_20": lambda m: (
        (_classic_band(m, 2) - _classic_band(m, 1)) / (1.5 * classic("atr", *m.hlc, length=20))
    ),
    "chop_14": lambda m: classic("chop", *m.hlc),
    "ulcer_14": lambda m: classic("ui", m.c),
}
PLAIN: Table = {
    **family("volatility", VOLATILITY, lambda m, n: deviation(m.returns, n)),
    **family("atr", (14, 9), lambda m, n: rma(m.true_range, n)),
    **family("natr", (14, 9), lambda m, n: 100 * rma(m.true_range, n) / m.C),
    "true_range_pct": lambda m: m.true_range / m.C,
    "bb_upper_20": lambda m: np.add(*_bands(m)),
    "bb_middle_20": lambda m: _bands(m)[0],
    "bb_lower_20": lambda m: np.subtract(*_bands(m)),
    "bb_width_20": lambda m: 2 * _bands(m)[1] / _bands(m)[0],
    "bb_percent_20": lambda m: ratio(m.C - _bands(m)[0] + _bands(m)[1], 2 * _bands(m)[1], 0.5),
    "keltner_pos_20": lambda m: ratio(m.C - ema(m.C, 20), 2 * rma(m.true_range, 14)),
    "squeeze_20": lambda m: ratio(_bands(m)[1], 1.5 * rma(m.true_range, 20)),
    "parkinson_20": _parkinson,
    "garman_klass_20": _garman_klass,
    "rogers_satchell_20": lambda m: np.sqrt(_rogers_satchell(m)),
    "yang_zhang_20": _yang_zhang,
    "ewma_vol_94": lambda m: np.sqrt(ema(m.returns**2, 32)),
    "downside_vol_20": lambda m: _semi(m, -1),
    "upside_vol_20": lambda m: _semi(m, 1),
    "vol_ratio_5_20": lambda m: ratio(deviation(m.returns, 5), deviation(m.returns, 20), 1.0),
    "vol_of_vol_20": lambda m: ratio(
        deviation(deviation(m.returns, 20), 20), mean(deviation(m.returns, 20), 20)
    ),
    "chop_14": _choppiness,
    "ulcer_14": _ulcer,
    "jump_ratio_20": _jumps,
    "realized_skew_20": _realised_skewness,
    **family("har_rv", HAR, lambda m, n: np.sqrt(mean(m.returns**2, n))),
    "vol_rank_200": _rank,
    **family("log_rv", LOG_RV, _log_rv),
}
EXCEPTIONS: Exemptions = {
    ("TALIB", "keltner_pos_20"): Exempt(
        "Keltner's channel around the average typical price; ours is around that of the close, "
        "as Raschke's and pandas-ta-classic's",
        differs=True,
    ),
    ("TALIB", "vol_rank_200"): Exempt(
        "does not count equal values, we count them half; volatilities are rarely equal",
        share=0.998,
    ),
}
RARE: dict[str, str] = {}
