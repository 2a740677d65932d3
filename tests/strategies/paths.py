"""The two ways to an account, over the same candles: events and columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from strategies.base_strategy import BaseStrategy, Signal
from strategies.broker import SimulatedBroker
from strategies.costs import Costs
from strategies.feed import feed
from strategies.orders import Bar, Order, Refusal
from strategies.run import fills_table, stamps, trades_table

STEP = 300_000


def walks(
    symbols: tuple[str, ...] = ("BTC-USDT",),
    bars: int = 600,
    seed: int = 0,
    gaps: float = 0.0,
    deviation: float = 2e-3,
) -> dict[str, pd.DataFrame]:
    """Return 5-minute candles of random walks whose opens differ from the closes before."""
    made = {}
    for j, symbol in enumerate(symbols):
        rng = np.random.default_rng([seed, j])
        index = pd.date_range(
            "2025-03-01", periods=bars, freq="5min", tz="UTC", name="timestamp"
        ).as_unit("ms")
        close = 10.0 ** (2 - j) * np.exp(np.cumsum(rng.normal(0, deviation, bars)))
        opened = np.r_[close[0], close[:-1]] * np.exp(rng.normal(0, deviation / 10, bars))
        beyond = np.exp(rng.exponential(deviation / 2, (2, bars)))
        frame = pd.DataFrame(
            {
                "open": opened,
                "high": np.maximum(opened, close) * beyond[0],
                "low": np.minimum(opened, close) / beyond[1],
                "close": close,
                "volume": rng.lognormal(0, 1, bars),
            },
            index=index,
        )
        frame.attrs["simulated"] = True
        kept = rng.random(bars) >= gaps
        kept[:2] = True
        made[symbol] = frame[kept]
    return made


def by_events(
    candles: Mapping[str, pd.DataFrame], quantity: pd.DataFrame, cash: float, costs: Costs
) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame, list[Refusal]]:
    """Return equity, fills, trades and refusals of orders given as quantities."""
    told = feed(candles)
    broker = SimulatedBroker(cash, costs, told.step_ms)
    wanted = {s: quantity[s].dropna().to_dict() for s in quantity.columns}
    equity = []
    for close_ms, bars, _ in told.moments():
        broker.on_bars(bars)
        equity.append(broker.equity)
        for symbol, bar in bars.items():
            amount = wanted[symbol].get(pd.Timestamp(bar.open_ms, unit="ms", tz="UTC"), 0.0)
            if amount:
                broker.submit([Order(symbol, amount, "order", close_ms)])
    ends = told.closes_ms()
    trades = [*broker.trades, *broker.still_open(int(ends[-1]))]
    return (
        pd.Series(equity, stamps(ends)),
        fills_table(broker.fills),
        trades_table(trades),
        broker.refused,
    )


class Told(BaseStrategy):
    """Says what a table says: above 0 long, below short."""

    name = "told"

    def __init__(self, sides: pd.DataFrame) -> None:
        self._sides = {s: (column.index.asi8, column.to_numpy()) for s, column in sides.items()}

    def detect(self, symbol, price, volume, ts_ms, df, fm):  # type: ignore[no-untyped-def]
        times, sides = self._sides[symbol]
        at = np.searchsorted(times, ts_ms - STEP)
        side = sides[at] if at < len(times) and times[at] == ts_ms - STEP else 0
        if not side > 0 and not side < 0:
            return None
        return Signal(symbol, "LONG" if side > 0 else "SHORT", self.name, 0.5, {"value": side})


class Column:
    """An exit at the bars whose close is given."""

    reason = "exit"

    def __init__(self, exits: pd.DataFrame) -> None:
        self._ends = {int(t) + STEP for t in exits.index[exits.iloc[:, 0]].asi8}

    def ends(self, held: object, bar: Bar) -> bool:
        return bar.close_ms in self._ends

    def rests(self, held: object) -> tuple[None, None]:
        return None, None


def assert_same_tables(found: pd.DataFrame, wanted: pd.DataFrame, rel: float = 1e-12) -> None:
    """Fail unless two tables of fills or trades are the same but for the last bits of money."""
    assert list(found.columns) == list(wanted.columns)
    assert len(found) == len(wanted)
    assert list(found.dtypes) == list(wanted.dtypes)
    for name in found.columns:
        if found[name].dtype == np.float64:
            scale = np.nanmax(np.abs(wanted[name].to_numpy()), initial=1e-300)
            np.testing.assert_allclose(found[name], wanted[name], rtol=rel, atol=rel * scale)
        else:
            assert found[name].tolist() == wanted[name].tolist(), name
