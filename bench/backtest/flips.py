"""The same orders for everybody: one unit, long while a fast mean is above a slow one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy, Signal
from strategies.costs import Costs
from strategies.run import Run
from strategies.vectorised import Quantities, run_signals

SYMBOL = "BTC-USDT"
CASH = 10_000_000.0
COSTS = Costs(fee_bps=5.0, slippage_bps=0.0)
FAST, SLOW = 20, 100


def walk(bars: int, seed: int = 0) -> pd.DataFrame:
    """Return candles of 1m that walk at random around 50,000."""
    rng = np.random.default_rng(seed)
    close = 50_000 * np.exp(np.cumsum(rng.normal(0, 4e-4, bars)))
    opened = np.concatenate([[50_000.0], close[:-1]])
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 1e-4, bars)))
    low = np.minimum(opened, close) * (1 - np.abs(rng.normal(0, 1e-4, bars)))
    index = pd.date_range("2024-01-01", periods=bars, freq="min", tz="UTC", name="timestamp")
    columns = {"open": opened, "high": high, "low": low, "close": close, "volume": 1.0}
    return pd.DataFrame(columns, index)


def sides(candles: pd.DataFrame) -> NDArray[np.int64]:
    """Return 1 where the fast mean is above the slow one at a close, -1 below; 0 before."""
    close = candles["close"]
    gap = close.rolling(FAST).mean() - close.rolling(SLOW).mean()
    return np.sign(gap.fillna(0.0)).to_numpy(np.int64)


def quantities(side: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is ordered at each close: the change of the position, in units."""
    return np.diff(side, prepend=0).astype(np.float64)


@dataclass(frozen=True)
class OneUnit:
    """Sizing: one unit of the base currency."""

    def notional(self, signal: Signal, equity: float, price: float, seen: object) -> float:
        """Return the price of one."""
        return price


class Flips(BaseStrategy):
    """Wishes for the side that a column says."""

    name: ClassVar[str] = "flips"
    sizing = OneUnit()

    def __init__(self, candles: pd.DataFrame, side: NDArray[np.int64]) -> None:
        closes = candles.index.as_unit("ms").asi8 + 60_000
        long, short = (Signal(SYMBOL, one, self.name, 0.5) for one in ("LONG", "SHORT"))
        made = {1: long, -1: short, 0: None}
        self._wishes = {int(ts): made[int(one)] for ts, one in zip(closes, side, strict=True)}

    def detect(self, symbol, price, volume, ts_ms, df, fm):  # type: ignore[no-untyped-def]
        """Return the wish of the column."""
        return self._wishes[ts_ms]


def by_events(candles: pd.DataFrame, side: NDArray[np.int64]) -> Run:
    return BacktestEngine(Flips(candles, side), CASH, costs=COSTS).account(candles, SYMBOL)


def by_columns(candles: pd.DataFrame, side: NDArray[np.int64]) -> Run:
    table = pd.DataFrame({SYMBOL: quantities(side)}, candles.index)
    return run_signals(candles, Quantities(table), CASH, COSTS, symbol=SYMBOL)
