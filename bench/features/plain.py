"""The same columns in pandas, as one writes them by hand; what two of them share is made once."""

# ruff: noqa: D102 - the names of columns say what they are
from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
import pandas as pd

Column = pd.Series


def wilder(x: Column, n: int) -> Column:
    return x.ewm(alpha=1 / n, adjust=False).mean()


def ema(x: Column, n: int) -> Column:
    return x.ewm(span=n, adjust=False).mean()


class Plain:
    """Columns of a frame of candles by name.

    Parameters
    ----------
    candles : pandas.DataFrame
        With ``open high low close volume`` and their times as index.
    """

    def __init__(self, candles: pd.DataFrame) -> None:
        self.index = candles.index
        self.o, self.h, self.l, self.c, self.v = (candles[name] for name in candles.columns[:5])

    def columns(self, names: Iterable[str]) -> dict[str, Column]:
        """Return the columns asked for."""
        return {name: self._column(name) for name in names}

    def _column(self, name: str) -> Column:
        if name in _NAMED:
            return _NAMED[name](self)
        prefix, _, number = name.rpartition("_")
        return _FAMILIES[prefix](self, int(number))

    @cached_property
    def log_return(self) -> Column:
        return np.log(self.c / self.c.shift(1))

    @cached_property
    def move(self) -> Column:
        return self.c.diff()

    @cached_property
    def true_range(self) -> Column:
        before = self.c.shift(1)
        spans = [self.h - self.l, (self.h - before).abs(), (self.l - before).abs()]
        return pd.concat(spans[1:], axis=1).max(axis=1).combine(spans[0], np.fmax).iloc[1:]

    @cached_property
    def atr(self) -> Column:
        return wilder(self.true_range, 14)

    @cached_property
    def macd(self) -> Column:
        return ema(self.c, 12) - ema(self.c, 26)

    @cached_property
    def signal(self) -> Column:
        return ema(self.macd, 9)

    @cached_property
    def directed(self) -> tuple[Column, Column]:
        rise, fall = self.h.diff(), -self.l.diff()
        up = rise.where((rise > fall) & (rise > 0), 0.0).iloc[1:]
        down = fall.where((fall > rise) & (fall > 0), 0.0).iloc[1:]
        return wilder(up, 14) / self.atr * 100, wilder(down, 14) / self.atr * 100

    @cached_property
    def gains(self) -> tuple[Column, Column]:
        move = self.move.iloc[1:]
        return wilder(move.clip(lower=0), 14), wilder((-move).clip(lower=0), 14)

    @cached_property
    def center(self) -> Column:
        return self.c.rolling(20).mean()

    @cached_property
    def band(self) -> Column:
        return 2 * self.c.rolling(20).std(ddof=0)

    @cached_property
    def stochastic(self) -> Column:
        low, high = self.l.rolling(14).min(), self.h.rolling(14).max()
        return (self.c - low) / (high - low) * 100

    @cached_property
    def typical(self) -> Column:
        return (self.h + self.l + self.c) / 3

    @cached_property
    def aroon(self) -> tuple[Column, Column]:
        up = self.h.rolling(26).apply(lambda x: 25 - np.argmax(x[::-1]), raw=True) * 4
        down = self.l.rolling(26).apply(lambda x: 25 - np.argmin(x[::-1]), raw=True) * 4
        return up, down

    @cached_property
    def triple(self) -> Column:
        return ema(ema(ema(self.c, 15), 15), 15)

    def vwap(self) -> Column:
        day = self.index.floor("D")
        turnover = (self.typical * self.v).groupby(day).cumsum()
        return turnover / self.v.groupby(day).cumsum()

    def adx(self) -> Column:
        plus, minus = self.directed
        return wilder((plus - minus).abs() / (plus + minus) * 100, 14)

    def cci(self) -> Column:
        mean = self.typical.rolling(20).mean()
        apart = self.typical.rolling(20).apply(lambda x: np.abs(x - x.mean()).mean(), raw=True)
        return (self.typical - mean) / (0.015 * apart)

    def ultimate(self) -> Column:
        floor = pd.concat([self.l, self.c.shift(1)], axis=1).min(axis=1, skipna=False)
        pressure = self.c - floor
        average = {
            n: pressure.rolling(n).sum() / self.true_range.rolling(n).sum() for n in (7, 14, 28)
        }
        return 100 * (4 * average[7] + 2 * average[14] + average[28]) / 7

    def calendar(self, field: str) -> Column:
        return pd.Series(getattr(self.index, field), self.index, dtype=float)


_FAMILIES: dict[str, Callable[[Plain, int], Column]] = {
    "return": lambda p, n: p.c.pct_change(n),
    "log_return": lambda p, n: np.log(p.c / p.c.shift(n)),
    "momentum": lambda p, n: p.c.diff(n),
    "acceleration": lambda p, n: p.c.diff(n) - p.c.diff(n).shift(n),
    "sma": lambda p, n: p.c.rolling(n).mean(),
    "ema": lambda p, n: ema(p.c, n),
    "volatility": lambda p, n: p.log_return.rolling(n).std(),
    "volume_sma": lambda p, n: p.v.rolling(n).mean(),
    "volume_ratio": lambda p, n: p.v / p.v.rolling(n).mean(),
    "min": lambda p, n: p.l.rolling(n).min(),
    "max": lambda p, n: p.h.rolling(n).max(),
    "zscore": lambda p, n: (p.c - p.c.rolling(n).mean()) / p.c.rolling(n).std(),
    "skew": lambda p, n: p.log_return.rolling(n).skew(),
    "roc": lambda p, n: p.c.pct_change(n) * 100,
}
_NAMED: dict[str, Callable[[Plain], Column]] = {
    "close": lambda p: p.c,
    "volume": lambda p: p.v,
    "hl_range": lambda p: p.h - p.l,
    "hl_range_pct": lambda p: (p.h - p.l) / p.c,
    "oc_range": lambda p: p.c - p.o,
    "oc_range_pct": lambda p: (p.c - p.o) / p.o,
    "body_to_range": lambda p: ((p.c - p.o).abs() / (p.h - p.l)).fillna(0.0),
    "macd": lambda p: p.macd,
    "macd_signal": lambda p: p.signal,
    "macd_histogram": lambda p: p.macd - p.signal,
    "adx_14": Plain.adx,
    "plus_di_14": lambda p: p.directed[0],
    "minus_di_14": lambda p: p.directed[1],
    "aroon_up_25": lambda p: p.aroon[0],
    "aroon_down_25": lambda p: p.aroon[1],
    "aroon_osc_25": lambda p: p.aroon[0] - p.aroon[1],
    "trix_15": lambda p: p.triple.pct_change(1) * 100,
    "rsi_14": lambda p: p.gains[0] / (p.gains[0] + p.gains[1]) * 100,
    "cmo_14": lambda p: (p.gains[0] - p.gains[1]) / (p.gains[0] + p.gains[1]) * 100,
    "stoch_k_14": lambda p: p.stochastic,
    "stoch_d_14": lambda p: p.stochastic.rolling(3).mean(),
    "willr_14": lambda p: p.stochastic - 100,
    "ultosc": Plain.ultimate,
    "cci_20": Plain.cci,
    "atr_14": lambda p: p.atr,
    "natr_14": lambda p: p.atr / p.c * 100,
    "bb_upper_20": lambda p: p.center + p.band,
    "bb_middle_20": lambda p: p.center,
    "bb_lower_20": lambda p: p.center - p.band,
    "bb_width_20": lambda p: 2 * p.band / p.center,
    "bb_percent_20": lambda p: (p.c - p.center + p.band) / (2 * p.band),
    "vwap": Plain.vwap,
    "hour": lambda p: p.calendar("hour"),
    "day_of_week": lambda p: p.calendar("day_of_week"),
    "day_of_month": lambda p: p.calendar("day"),
    "month": lambda p: p.calendar("month"),
    "quarter": lambda p: p.calendar("quarter"),
}
