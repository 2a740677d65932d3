"""Longer bars from shorter ones, complete buckets only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from market.candles import candle_frame, check_candles, open_ms
from market.errors import BadTimeframe
from market.timeframes import timeframe_ms


def resample(candles: pd.DataFrame, timeframe: str, to: str) -> pd.DataFrame:
    """Return candles of a longer timeframe.

    A bucket becomes a bar only if every one of its shorter bars is there, so a gap of one minute is
    a gap of one bar in every longer timeframe, and a bar that has not closed yet never shows.

    Parameters
    ----------
    candles : pandas.DataFrame
        Canonical candles of `timeframe`.
    timeframe, to : str
        Bar lengths; the second must be a multiple of the first.

    Raises
    ------
    BadTimeframe
        It is not a multiple.
    BadCandles
        The candles were not repaired.
    """
    step, target = timeframe_ms(timeframe), timeframe_ms(to)
    if target % step:
        raise BadTimeframe(f"{to} bars cannot be made of {timeframe} bars; use a multiple of them")
    check_candles(candles)
    if target == step or candles.empty:
        return candles
    bucket = open_ms(candles) // target
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    sizes = np.diff(starts, append=len(bucket))
    ends = starts + sizes - 1
    o, h, low, c, v = candles.to_numpy(np.float64).T
    values = np.column_stack(
        [
            o[starts],
            np.maximum.reduceat(h, starts),
            np.minimum.reduceat(low, starts),
            c[ends],
            np.add.reduceat(v, starts),
        ]
    )
    whole = sizes == target // step
    return candle_frame((bucket[starts] * target)[whole], values[whole])
