"""One list of orders, and the accounts that the engine and the columns make of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from market.candles import as_candles
from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import Signal
from strategies.columns import Quantities
from strategies.costs import Costs
from strategies.run import Run
from strategies.vectorised import run_signals
from strategies.window import Seen
from tests.strategies.paths import Told, walks

SYMBOLS = ("ETH-USDT", "BTC-USDT", "XRP-USDT")
CANDLES = Path(
    os.environ.get("TIDEWHEEL_REAL_CANDLES", Path(__file__).parents[3] / "shared" / "data")
)
CASH = 1_000_000.0
ABSENT = "is not installed here; `make oracles` compares with it in an environment of its own"


@dataclass(frozen=True)
class Units:
    """A sizing: always as many units of a symbol."""

    units: Mapping[str, float]

    def notional(self, signal: Signal, equity: float, price: float, seen: Seen) -> float:
        return self.units[signal.symbol] * price


@dataclass(frozen=True)
class Case:
    """Candles, wishes of sides, and the quantities that they come to.

    A first wish opens, the opposite one turns around; equal ones are not heard. All quantities are
    whole numbers, because backtesting.py knows no others.
    """

    candles: Mapping[str, pd.DataFrame]
    sides: pd.DataFrame
    units: Mapping[str, float]

    @property
    def orders(self) -> pd.DataFrame:
        """Signed quantities in the row that decides on them; 0 is none."""
        position = self.sides.ffill().fillna(0.0) * pd.Series(self.units)
        return position.diff().fillna(position)

    def by_engine(self, costs: Costs) -> Run:
        sizing = Units(self.units)
        return BacktestEngine(Told(self.sides), CASH, costs=costs, sizing=sizing).account(
            dict(self.candles)
        )

    def by_columns(self, costs: Costs) -> Run:
        return run_signals(dict(self.candles), Quantities(self.orders), CASH, costs)


def case(symbols: tuple[str, ...] = SYMBOLS, bars: int = 1500, seed: int = 0) -> Case:
    """Return random wishes on random walks; about 15 % of equity in each symbol."""
    return wished(walks(symbols, bars=bars, seed=seed), seed)


def real_case(bars: int = 5000) -> Case:
    """Return random wishes on the latest real 5-minute candles."""
    tables = {s: as_candles(pd.read_parquet(CANDLES / f"{s}_5m.parquet")) for s in SYMBOLS}
    shared = tables[SYMBOLS[0]].index
    for table in tables.values():
        shared = shared.intersection(table.index)
    return wished({s: table.loc[shared[-bars:]] for s, table in tables.items()}, seed=0)


def wished(candles: Mapping[str, pd.DataFrame], seed: int) -> Case:
    """Return random wishes on candles of the same times."""
    symbols, bars = list(candles), len(next(iter(candles.values())))
    rng = np.random.default_rng(seed)
    drawn = rng.random((bars, len(symbols)))
    sides = np.where(drawn < 0.03, 1.0, np.where(drawn > 0.97, -1.0, np.nan))
    sides[[0, -1]] = np.nan  # backtesting.py asks from the second bar on
    units = {s: float(round(150_000 / f["close"].iloc[0])) for s, f in candles.items()}
    return Case(candles, pd.DataFrame(sides, candles[symbols[0]].index, symbols), units)
