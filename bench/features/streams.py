"""TA-Lib's handles, one a function: they remember, as our program does, and take one bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Streams:
    """Handles of every function of `sets.INDICATORS`.

    Parameters
    ----------
    bars : tuple of float64 [n]
        Open, high, low, close, volume of the history.
    """

    def __init__(self, bars: tuple[np.ndarray, ...]) -> None:
        import talib.stream as s

        _, h, l, c, _ = bars  # noqa: E741
        self._close = [s.SMA(c, 20), s.EMA(c, 20), s.TRIX(c, 15), s.RSI(c, 14), s.ROC(c, 10),
                       s.MOM(c, 10), s.MACD(c, 12, 26, 9), s.BBANDS(c, 20, 2, 2)]  # fmt: skip
        self._range = [s.ADX(h, l, c, 14), s.PLUS_DI(h, l, c, 14), s.MINUS_DI(h, l, c, 14),
                       s.WILLR(h, l, c, 14), s.ULTOSC(h, l, c, 7, 14, 28), s.CCI(h, l, c, 20),
                       s.ATR(h, l, c, 14), s.NATR(h, l, c, 14),
                       s.STOCHF(h, l, c, 14, 3, 0)]  # fmt: skip
        self._sides = [s.AROONOSC(h, l, 25), s.AROON(h, l, 25)]
        self._rest = [s.MIN(l, 20), s.MAX(h, 20)]

    def push(self, bar: Sequence[float]) -> list[Any]:
        """Take a bar (time, open, high, low, close, volume) and return each function's answer."""
        _, _, h, l, c, _ = bar  # noqa: E741
        row = [handle.update(c) for handle in self._close]
        row += [handle.update(h, l, c) for handle in self._range]
        row += [handle.update(h, l) for handle in self._sides]
        lowest, highest = self._rest
        return [*row, lowest.update(l), highest.update(h)]

    def copies(self) -> list[Any]:
        """Return a copy of every handle: what a forecast that looks one bar ahead needs."""
        return [h.copy() for h in (*self._close, *self._range, *self._sides, *self._rest)]
