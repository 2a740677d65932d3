"""Patterns that we take less narrowly than TA-Lib, and what exactly each of the two asks alone.

Held to what only the other asks for, ours and TA-Lib's must be equal on every bar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import talib
from numpy.typing import NDArray

from tests.features.oracles.common import Floats, Market, lag, last
from tests.features.oracles.pattern import prices

Flags = NDArray[np.bool_]


class Shapes:
    """TA-Lib's words for bars: what is usual is the mean of the ten (five) bars before."""

    def __init__(self, m: Market) -> None:
        self.o, self.h, self.l, self.c = prices(m)
        self.body, self.range = np.abs(m.C - m.O), m.H - m.L
        self.top, self.bottom = np.maximum(m.O, m.C), np.minimum(m.O, m.C)
        self.usual_body, self.usual_range = self.usual(self.body, 10), self.usual(self.range, 10)
        self.short, self.long = self.body < self.usual_body, self.body > self.usual_body
        self.bald = m.H - self.top < 0.1 * self.usual_range
        self.legless = self.bottom - m.L < 0.1 * self.usual_range
        self.near, self.far = 0.2 * self.usual(self.range, 5), 0.6 * self.usual(self.range, 5)

    @staticmethod
    def usual(x: Floats, n: int) -> Floats:
        return lag(last(x, n).mean(axis=1), 1)


def was(x: Flags, n: int = 1) -> Flags:
    """Return whether it was so n bars ago."""
    return lag(x.astype(np.float64), n) == 1


def always(s: Shapes) -> Flags:
    return np.full(len(s.o), True)


@dataclass(frozen=True)
class Simpler:
    """A pattern that we take less narrowly than TA-Lib.

    Parameters
    ----------
    talib : callable
        Market to TA-Lib's verdict.
    asked : callable
        What TA-Lib asks for besides what ours does.
    ours : callable
        What ours asks for besides what TA-Lib does.
    reason : str
        Why the two differ.
    """

    talib: Callable[[Market], Floats]
    asked: Callable[[Shapes], Flags]
    reason: str
    ours: Callable[[Shapes], Flags] = always


def within_body(s: Shapes, color: int) -> Flags:
    """Return whether the open lies within the body before, or at most a bit beyond its close."""
    beyond = lag(s.near, 1) if color > 0 else 0.0
    further = (s.o - lag(s.o, 1)) * color > 0
    return further & ((s.o <= lag(s.c, 1) + beyond) if color > 0 else (s.o > lag(s.c, 1)))


def soldiers(s: Shapes) -> Flags:
    opens = within_body(s, 1)
    sturdy = s.body > lag(s.body, 1) - lag(s.far, 1)
    bald = s.bald & was(s.bald) & was(s.bald, 2)
    return opens & was(opens) & sturdy & was(sturdy) & bald


def crows(s: Shapes) -> Flags:
    opens = within_body(s, -1)
    legless = s.legless & was(s.legless) & was(s.legless, 2)
    top = was(s.c >= s.o, 3) & (lag(s.h, 3) > lag(s.c, 2))
    return opens & was(opens) & legless & top


SIMPLER = {
    "cdl_hammer": Simpler(
        lambda m: talib.CDLHAMMER(*prices(m)),
        lambda s: s.short & (s.bottom <= lag(s.l + s.near, 1)) & s.bald,
        "TA-Lib wants a short body near the low before; ours a wick of twice the body",
        lambda s: (s.bottom - s.l >= 2 * s.body) & (s.body > 0),
    ),
    "cdl_shooting_star": Simpler(
        lambda m: -talib.CDLSHOOTINGSTAR(*prices(m)),
        lambda s: s.short & (s.bottom > lag(s.top, 1)) & s.legless,
        "TA-Lib wants a short body that gapped up; ours a wick of twice the body",
        lambda s: (s.h - s.top >= 2 * s.body) & (s.body > 0),
    ),
    "cdl_harami": Simpler(
        lambda m: np.where(
            np.abs(talib.CDLHARAMI(*prices(m))) == 100, talib.CDLHARAMI(*prices(m)), 0
        ),
        lambda s: s.body <= s.usual_body,
        "TA-Lib wants a short second body, and gives 80 where the two end at one price",
    ),
    "cdl_morning_star": Simpler(
        lambda m: talib.CDLMORNINGSTAR(*prices(m), penetration=0.5),
        lambda s: was(s.top < lag(s.bottom, 1)) & s.long,
        "TA-Lib wants the star to gap down and a long third body; markets that never close "
        "hardly gap",
    ),
    "cdl_evening_star": Simpler(
        lambda m: -talib.CDLEVENINGSTAR(*prices(m), penetration=0.5),
        lambda s: was(s.bottom > lag(s.top, 1)) & s.long,
        "TA-Lib wants the star to gap up and a long third body",
    ),
    "cdl_three_white_soldiers": Simpler(
        lambda m: talib.CDL3WHITESOLDIERS(*prices(m)),
        soldiers,
        "TA-Lib wants no upper wicks, opens near the bodies before, bodies of like size; to it a "
        "doji is white",
        lambda s: was(s.c != s.o) & was(s.c != s.o, 2),
    ),
    "cdl_three_black_crows": Simpler(
        lambda m: -talib.CDL3BLACKCROWS(*prices(m)),
        crows,
        "TA-Lib wants no lower wicks, opens within the bodies before, a white bar first; ours a "
        "long third body",
        lambda s: s.long,
    ),
    "cdl_piercing": Simpler(
        lambda m: talib.CDLPIERCING(*prices(m)),
        lambda s: s.long & was(s.long) & (s.c < lag(s.o, 1)),
        "TA-Lib wants two long bodies, and a close within the first",
    ),
    "cdl_dark_cloud": Simpler(
        lambda m: -talib.CDLDARKCLOUDCOVER(*prices(m), penetration=0.5),
        lambda s: was(s.long) & (s.c > lag(s.o, 1)),
        "TA-Lib wants a long first body, and a close within it",
    ),
}
