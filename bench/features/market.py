"""Candles to measure on: a simulated market, with what cross and sentiment features read."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.joined import with_benchmark, with_sentiment
from market.source import open_source
from market.timeframes import instant_ms, utc

_END = instant_ms("2025-05-28T00:00:00Z")
_MINUTE = 60_000


def candles(rows: int) -> pd.DataFrame:
    """Return 1m candles with ``benchmark`` and ``sentiment``, the same for the same number."""
    source, span = open_source("simulated"), (utc(_END - rows * _MINUTE), utc(_END))
    own, btc = (source.fetch(symbol, "1m", *span) for symbol in ("ETH-USDT", "BTC-USDT"))
    hours = pd.date_range(own.index[0], own.index[-1], freq="1h")
    mood = pd.Series(np.random.default_rng(1).uniform(-1, 1, len(hours)), hours)
    return with_sentiment(with_benchmark(own, btc), mood, "1m", "50min")


def bare(frame: pd.DataFrame) -> pd.DataFrame:
    """Return price and volume alone."""
    return frame[["open", "high", "low", "close", "volume"]]


def pushable(frame: pd.DataFrame, inputs: tuple[str, ...]) -> list[list[float]]:
    """Return bars as `FeatureProgram.push` takes them fastest: numbers in order."""
    names = ["open", "high", "low", "close", "volume", *inputs]
    times = pd.DatetimeIndex(frame.index).asi8.astype(np.float64)
    table: list[list[float]] = np.column_stack([times, frame[names].to_numpy()]).tolist()
    return table
