"""Candles for trials: made up, the same each time, with what breaks careless functions in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from market.candles import candle_frame

START_MS = 1_700_006_400_000  # 2023-11-15T00:00Z
_MINUTE_MS = 60_000
_TICK = 0.01
DAY = 1_440
"""Bars of a day."""
# Shares of the whole: prices that run one way, and prices that stand with nothing traded.
_TRENDS = ((0.04, 0.08, 2e-3), (0.33, 0.37, -2e-3), (0.62, 0.65, 1.5e-3), (0.81, 0.84, -1.5e-3))
OUTAGES = ((0.21, 0.225), (0.55, 0.56), (0.90, 0.905))


def trial_candles(n: int, seed: int = 0) -> pd.DataFrame:
    """Return `n` candles of one minute: a walk with trends, outages, silent bars and a lost hour.

    Parameters
    ----------
    n : int
        Bars, 100 or more.
    seed : int
        Of the walk; the same one gives the same candles.
    """
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal(n) * 1e-3 * np.where(np.arange(n) // 97 % 5 == 0, 3.0, 1.0)
    for first, end, drift in _TRENDS:
        steps[int(first * n) : int(end * n)] += drift
    c = np.round(100 * np.exp(np.cumsum(steps)) / _TICK) * _TICK
    v = np.exp(rng.standard_normal(n)) * 10 * (rng.random(n) > 0.1)
    quiet = np.zeros(n, dtype=bool)
    for begin, end in OUTAGES:
        quiet[int(begin * n) : int(end * n)] = True
        c[int(begin * n) : int(end * n)] = c[int(begin * n)]
    v[::DAY] = 0  # a day begins in silence: the first sum of a session is 0
    before = np.concatenate([c[:1], c[:-1]])
    o = np.where(rng.random(n) < 0.3, before * (1 + rng.standard_normal(n) * 1e-4), before)
    h = np.maximum(o, c) * (1 + np.abs(rng.standard_normal(n)) * 5e-4)
    low = np.minimum(o, c) * (1 - np.abs(rng.standard_normal(n)) * 5e-4)
    prices = [np.where(quiet, c, column) for column in (o, h, low)]
    times = START_MS + _MINUTE_MS * (np.arange(n) + 60 * (np.arange(n) >= int(0.7 * n)))
    return candle_frame(times, np.column_stack([*prices, c, np.where(quiet, 0.0, v)]))
