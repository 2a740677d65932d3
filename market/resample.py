"""Longer bars from shorter ones, complete buckets only."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    bars = np.column_stack([open_ms(candles), candles.to_numpy(np.float64)])
    longer = whole_bars(bars, step, target)
    return candle_frame(longer[:, 0].astype(np.int64), longer[:, 1:])


def whole_bars(bars: NDArray[np.float64], step: int, target: int) -> NDArray[np.float64]:
    """Return longer bars as numbers, of complete buckets only; see `resample`.

    Parameters
    ----------
    bars : float64 [n, 6 + I]
        Open time in epoch milliseconds, prices, volume; then what was known besides when each bar
        closed, of which the last of a bucket counts.
    step, target : int
        Lengths of the bars and of the longer ones, milliseconds.

    Returns
    -------
    float64 [m, 6 + I]
    """
    if not len(bars):
        return bars
    bucket = bars[:, 0].astype(np.int64) // target
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    sizes = np.diff(starts, append=len(bucket))
    longer = bars[starts + sizes - 1]
    longer[:, 0] = bucket[starts] * target
    longer[:, 1] = bars[starts, 1]
    for column, over in ((2, np.maximum), (3, np.minimum), (5, np.add)):
        longer[:, column] = over.reduceat(np.ascontiguousarray(bars[:, column]), starts)
    whole: NDArray[np.float64] = longer[sizes == target // step]
    return whole
