"""Bars that are not there, and bars in which nothing moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from market.timeframes import utc

Millis = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Gap:
    """A run of bars that should be there and are not.

    Parameters
    ----------
    start, end : pandas.Timestamp
        Open of the first missing bar; open of the next bar that is there (exclusive end).
    bars : int
        How many are missing.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    bars: int


def find_gaps(
    times: Millis, step: int, start: int | None = None, end: int | None = None
) -> tuple[Gap, ...]:
    """Return the runs of missing bars between strictly increasing open times.

    Parameters
    ----------
    times : int64 [n]
        Open times in epoch milliseconds, multiples of `step`.
    step : int
        Bar length in milliseconds.
    start, end : int, optional
        Look from this open time on and up to this one (exclusive), multiples of `step`.
        By default from the first to the last bar.
    """
    edges = [times]
    if start is not None:
        edges.insert(0, np.array([start - step], dtype=np.int64))
    if end is not None:
        edges.append(np.array([end], dtype=np.int64))
    marks = np.concatenate(edges)
    holes = np.flatnonzero(np.diff(marks) > step)
    return tuple(
        Gap(
            start=utc(int(marks[i]) + step),
            end=utc(int(marks[i + 1])),
            bars=int((marks[i + 1] - marks[i]) // step) - 1,
        )
        for i in holes
    )


def flat_runs(values: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return how many bars have four equal prices, and the length of the longest run of them.

    Parameters
    ----------
    values : float64 [n, 5]
        Open, high, low, close, volume.
    """
    prices = values[:, :4]
    flat = (prices == prices[:, :1]).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(np.int8)))
    return int(flat.sum()), int((edges[1::2] - edges[::2]).max(initial=0))
