"""Candles for the tests of features: walks with ticks, gaps between bars, silent bars, outages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.candles import candle_frame

START_MS = 1_700_006_400_000  # 2023-11-15T00:00Z
MINUTE_MS = 60_000


def frame(o: NDArray, h: NDArray, low: NDArray, c: NDArray, v: NDArray) -> pd.DataFrame:
    """Return 1m candles of these columns."""
    times = START_MS + MINUTE_MS * np.arange(len(c))
    return candle_frame(times, np.column_stack([o, h, low, c, v]).astype(np.float64))


def beside(candles: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return candles with a benchmark that they follow, and a sentiment with holes."""
    rng = np.random.default_rng((seed, 7))
    n = len(candles)
    shared = np.diff(np.log(candles["close"].to_numpy()), prepend=np.log(candles["close"].iloc[0]))
    path = 30_000 * np.exp(np.cumsum(0.5 * shared + 5e-4 * rng.standard_normal(n)))
    mood = np.repeat(rng.uniform(-1, 1, n // 60 + 1), 60)[:n]
    mood[np.repeat(rng.random(n // 60 + 1) < 0.3, 60)[:n]] = np.nan
    return candles.assign(benchmark=np.round(path, 1), sentiment=mood)


def flat(n: int, price: float, volume: float) -> pd.DataFrame:
    """Return candles in which nothing moves."""
    level = np.full(n, price)
    return frame(level, level, level, level, np.full(n, volume))


def spaced(candles: pd.DataFrame, step: str) -> pd.DataFrame:
    """Return the candles with open times this far apart, to see more days with fewer bars."""
    times = pd.date_range(candles.index[0], periods=len(candles), freq=step, unit="ms")
    return candles.set_axis(times.rename(candles.index.name))


def walk(n: int, seed: int = 0, outages: Iterable[tuple[int, int]] = ()) -> pd.DataFrame:
    """Return a random walk; in an outage the price stands and nothing is traded."""
    rng = np.random.default_rng(seed)
    c = 100 * np.exp(np.cumsum(rng.standard_normal(n) * 1e-3))
    v = np.exp(rng.standard_normal(n)) * 10 * (rng.random(n) > 0.1)
    for first, end in outages:
        c[first:end] = c[first]
        v[first:end] = 0
    c = np.round(c, 2)
    before = np.concatenate([[c[0]], c[:-1]])
    o = np.where(rng.random(n) < 0.3, before * (1 + rng.standard_normal(n) * 1e-4), before)
    h = np.maximum(o, c) * (1 + np.abs(rng.standard_normal(n)) * 5e-4)
    low = np.minimum(o, c) * (1 - np.abs(rng.standard_normal(n)) * 5e-4)
    for first, end in outages:
        o[first:end] = h[first:end] = low[first:end] = c[first:end]
    return frame(o, h, low, c, v)


def scaled(candles: pd.DataFrame, price: float, volume: float) -> pd.DataFrame:
    """Return the candles in other units of money and coins."""
    return candles * [price, price, price, price, volume]


def records(candles: pd.DataFrame, extras: Sequence[str] = ()) -> list[tuple[float, ...]]:
    """Return bars as numbers, with the columns `extras` behind their own."""
    rows = candles[[*candles.columns[:5], *extras]].to_numpy().tolist()
    return [(t, *row) for t, row in zip(candles.index.asi8.tolist(), rows, strict=True)]
