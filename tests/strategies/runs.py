"""Small runs for tests of what is shown: made by the engine from a random walk."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy, Signal
from strategies.exits import MaxBars, OppositeSignal, StopLoss
from strategies.run import Run


def candles(bars: int = 600, seed: int = 3, *, simulated: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 2e-3, bars)))
    opened = np.concatenate([[100.0], close[:-1]])
    spread = np.abs(rng.normal(0, 5e-4, (2, bars)))
    table = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * (1 + spread[0]),
            "low": np.minimum(opened, close) * (1 - spread[1]),
            "close": close,
            "volume": 1.0,
        },
        pd.date_range("2025-05-01", periods=bars, freq="5min", tz="UTC", name="timestamp"),
    )
    table.attrs = {"source": "made-up", "simulated": simulated}
    return table


class Every(BaseStrategy):
    """Wishes for a side at every so many bars, in turn."""

    name: ClassVar[str] = "<every> & more"
    exits = (StopLoss(0.01), MaxBars(12), OppositeSignal())

    def __init__(self, bars: int = 20) -> None:
        self.bars, self.seen = bars, 0

    def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
        self.seen += 1
        if self.seen % self.bars:
            return None
        side = "LONG" if self.seen // self.bars % 2 else "SHORT"
        return Signal(symbol, side, self.name, 0.6)


def small_run(bars: int = 600, symbols: int = 2, *, simulated: bool = True) -> Run:
    names = ("BTC-USDT", "ETH-USDT", "XRP-USDT")[:symbols]
    tables = {n: candles(bars, k, simulated=simulated) for k, n in enumerate(names)}
    return BacktestEngine(Every()).account(tables)


def quiet_run() -> Run:
    """Return a run in which nothing was traded."""
    return BacktestEngine(Every(10_000)).account(candles(60), "BTC-USDT")
