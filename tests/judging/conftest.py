"""Candles made for the tests of labels, splits and verdicts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

START = pd.Timestamp("2025-05-01T00:00:00Z")


def make_candles(
    n: int = 600, timeframe: str = "1min", seed: int = 0, start: pd.Timestamp = START
) -> pd.DataFrame:
    """Return n candles of a random walk with ticks, so that some bars do not move."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n))), 1)
    opened = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opened, close) + np.round(rng.exponential(0.05, n), 1)
    low = np.minimum(opened, close) - np.round(rng.exponential(0.05, n), 1)
    index = pd.date_range(start, periods=n, freq=timeframe, name="timestamp").as_unit("ms")
    columns = {"open": opened, "high": high, "low": low, "close": close, "volume": np.ones(n)}
    return pd.DataFrame(columns, index=index)


@pytest.fixture
def candles() -> Callable[..., pd.DataFrame]:
    """Return the maker of candles."""
    return make_candles
