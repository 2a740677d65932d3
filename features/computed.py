"""Columns of features of one history, each computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from features.engine.room import Floats
from features.feature_manager import expanded
from features.hashes import is_listed
from features.program import FeatureProgram
from market.candles import COLUMNS, open_ms
from market.resample import resample
from market.timeframes import timeframe_ms

Answer = tuple[pd.DataFrame, int, dict[Hashable, Any]]
"""The columns asked for, how many bars they take to settle, and definitions of one's own."""


class Table:
    """Candles of one timeframe, and all features computed of them so far.

    Parameters
    ----------
    candles : pandas.DataFrame
        Canonical, with what features need besides.
    timeframe : str
        Length of their bars.
    """

    def __init__(self, candles: pd.DataFrame, timeframe: str) -> None:
        self._candles = candles
        self.timeframe = timeframe
        self._closes = open_ms(candles) + timeframe_ms(timeframe)
        self._columns: dict[str, Floats] = {}  # by hash
        self._frames: dict[tuple[str, ...] | str, Answer] = {}

    def closed_by(self, moment: int) -> int:
        """Return how many bars had closed."""
        return int(np.searchsorted(self._closes, moment, side="right"))

    def settled(self, asked: tuple[str, ...] | str) -> Answer:
        """Return the columns asked for, of all bars, and how many bars they take to settle."""
        if asked not in self._frames:
            self._frames[asked] = self._compute(expanded(asked))
        return self._frames[asked]

    def _compute(self, names: tuple[str, ...]) -> Answer:
        asked = FeatureProgram(names, self.timeframe)
        key = asked.hashes  # a feature of one's own may be defined anew
        new = [name for name in names if key[name] not in self._columns]
        if new:
            values = FeatureProgram(new, self.timeframe).run(self._candles, dtype=np.float64)
            self._columns |= {key[name]: values[:, j] for j, name in enumerate(new)}
        if len(new) < len(names):
            values = np.column_stack([self._columns[key[name]] for name in names])
        frame = pd.DataFrame(values, self._candles.index, list(names), copy=False)
        foreign = {n: asked.hashes[n] for n in names if not is_listed(n)}
        return frame, asked.settle, {"definitions": foreign} if foreign else {}


def alone(frame: pd.DataFrame, first: int, stop: int) -> pd.DataFrame:
    """Return rows in memory of their own: behind a view lie the bars that come later."""
    values, index = frame.to_numpy()[first:stop].copy(), frame.index[first:stop]
    return pd.DataFrame(values, index.copy(deep=True), frame.columns, copy=False)


def longer_candles(candles: pd.DataFrame, timeframe: str, to: str) -> pd.DataFrame:
    """Return candles of a longer timeframe, complete bars only, with what they hold besides."""
    if to == timeframe:
        return candles
    longer = resample(candles[list(COLUMNS)], timeframe, to)
    # What is known besides price and volume is what was known when the bar closed.
    last = open_ms(longer) + timeframe_ms(to) - timeframe_ms(timeframe)
    rows = np.searchsorted(open_ms(candles), last)
    for name in candles.columns[len(COLUMNS) :]:
        longer[name] = candles[name].to_numpy()[rows]
    return longer
