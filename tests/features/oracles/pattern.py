"""Oracles of the group pattern: TA-Lib's recognition where it is ours, rules read bar by bar.

Where ours is simpler than TA-Lib's, `tests.features.oracles.simpler` says by what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import talib

from tests.features.oracles.common import (
    Exemptions,
    Floats,
    Market,
    Table,
    classic,
    lag,
    last,
)
from tests.features.walks import frame


def jumpy(n: int, seed: int) -> pd.DataFrame:
    """Return candles of all shapes, with gaps between them, in which every pattern occurs."""
    rng = np.random.default_rng(seed)
    body = rng.standard_normal(n) * rng.choice([0.0, 0.1, 0.5, 1.0, 3.0], n)
    gap = rng.standard_normal(n) * rng.choice([0.0, 0.0, 0.3, 1.0], n)
    o, c = np.empty(n), np.empty(n)
    close = 100.0
    for t in range(n):
        o[t] = close + gap[t] - 0.05 * (close - 100)  # back to 100: shapes keep their size
        c[t] = close = o[t] + body[t]
    o, c = np.round(o, 1), np.round(c, 1)
    up, down = (np.abs(rng.standard_normal(n)) * rng.choice([0, 0.03, 0.3, 1.5], n) for _ in "ud")
    return frame(o, np.maximum(o, c) + up, np.minimum(o, c) - down, c, np.ones(n))


MARKETS = (
    Market("walk", jumpy(6000, seed=51)),
    Market("cheap", jumpy(6000, seed=52)),
)


# ---------------------------------------------------------------- ours, read bar by bar
class Bar(NamedTuple):
    """One candle, and what is usual before it."""

    o: float
    h: float
    l: float  # noqa: E741 - the field's own name
    c: float
    usual_range: float
    usual_body: float

    @property
    def body(self) -> float:
        return abs(self.c - self.o)

    @property
    def upper(self) -> float:
        return self.h - max(self.o, self.c)

    @property
    def lower(self) -> float:
        return min(self.o, self.c) - self.l

    @property
    def color(self) -> int:
        return (self.c > self.o) - (self.c < self.o)

    @property
    def long(self) -> bool:
        return self.body > self.usual_body

    @property
    def bald(self) -> bool:
        return self.upper <= self.usual_range / 10

    @property
    def legless(self) -> bool:
        return self.lower <= self.usual_range / 10

    @property
    def half(self) -> float:
        return (self.o + self.c) / 2


Rule = Callable[[Bar, Bar, Bar], float]


def read(rule: Rule) -> Callable[[Market], Floats]:
    """Return the rule's verdict on each bar, given the two before it, oldest first."""

    def verdicts(m: Market) -> Floats:
        usual = [lag(last(x, 10).mean(axis=1), 1) for x in (m.H - m.L, np.abs(m.C - m.O))]
        bars = [Bar(*map(float, row)) for row in zip(m.O, m.H, m.L, m.C, *usual, strict=True)]
        befores = zip([bars[0], *bars[:-2]], bars[:-1], bars[1:], strict=True)
        return np.array([np.nan, *(float(rule(*three)) for three in befores)])

    return verdicts


def harami(_: Bar, mother: Bar, child: Bar) -> float:
    low, high = sorted((mother.o, mother.c))
    within = low < child.o < high and low < child.c < high
    return -mother.color if mother.long and within else 0


def star(one: Bar, two: Bar, three: Bar, color: int) -> bool:
    past_half = (three.c - one.half) * color > 0
    colors = one.color == -color and three.color == color
    return one.long and not two.long and colors and past_half


def three_alike(one: Bar, two: Bar, three: Bar, color: int) -> bool:
    colors = one.color == two.color == three.color == color
    return colors and (two.c - one.c) * color > 0 and (three.c - two.c) * color > 0 and three.long


def streaks(m: Market) -> Floats:
    """Return how many closes in a row rose (fell, negative), at most 64."""
    count, out = 0, [np.nan]
    for before, close in zip(m.C[:-1], m.C[1:], strict=True):
        if close == before:
            count = 0
        elif close > before:
            count = count + 1 if count > 0 else 1
        else:
            count = count - 1 if count < 0 else -1
        out.append(max(-64, min(64, count)))
    return np.array(out)


PLAIN: Table = {
    "cdl_hammer": read(lambda _, __, b: b.body > 0 and b.lower >= 2 * b.body and b.bald),
    "cdl_shooting_star": read(lambda _, __, b: b.body > 0 and b.upper >= 2 * b.body and b.legless),
    "cdl_harami": read(harami),
    "cdl_morning_star": read(lambda *bars: star(*bars, 1)),
    "cdl_evening_star": read(lambda *bars: star(*bars, -1)),
    "cdl_three_white_soldiers": read(lambda *bars: three_alike(*bars, 1)),
    "cdl_three_black_crows": read(lambda *bars: three_alike(*bars, -1)),
    "cdl_outside_bar": read(lambda _, a, b: b.h > a.h and b.l < a.l),
    "cdl_piercing": read(
        lambda _, a, b: a.color < 0 < b.color and b.o < a.l and b.c > a.half
    ),
    "cdl_dark_cloud": read(
        lambda _, a, b: b.color < 0 < a.color and b.o > a.h and b.c < a.half
    ),
    "consecutive_candles": streaks,
    "bull_count_10": lambda m: [np.nan] * 9
    + [sum(m.C[s] > m.O[s] for s in range(t - 9, t + 1)) for t in range(9, len(m.C))],
}  # fmt: skip


# ---------------------------------------------------------------- TA-Lib's
def prices(m: Market) -> tuple[Floats, Floats, Floats, Floats]:
    return m.O, m.H, m.L, m.C


def engulfing(m: Market) -> Floats:
    """Return TA-Lib's, without the falling bars that engulf a doji: to TA-Lib a doji is white."""
    found = np.sign(talib.CDLENGULFING(*prices(m)))
    return np.where(lag(m.O, 1) == lag(m.C, 1), 0, found)


TALIB: Table = {
    "cdl_doji": lambda m: talib.CDLDOJI(*prices(m)) / 100,
    # Ours does not tell black from white.
    "cdl_marubozu": lambda m: np.abs(talib.CDLMARUBOZU(*prices(m))) / 100,
    "cdl_engulfing": engulfing,
}

CLASSIC: Table = {
    "cdl_inside_bar": lambda m: classic("cdl_inside", m.o, m.h, m.l, m.c, asbool=True)
}

EXCEPTIONS: Exemptions = {}
RARE: dict[str, str] = {}
