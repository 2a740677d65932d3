"""A run: what a strategy did with its account, as tables. Metrics and pictures are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from market.timeframes import DAY_MS, timeframe_ms
from strategies.costs import Costs
from strategies.orders import Fill, Refusal, Trade

DAYS_A_YEAR = 365
FILL_COLUMNS = ("time", "symbol", "side", "quantity", "price", "fee", "slippage", "reason")
TRADE_COLUMNS = (
    "symbol", "side", "quantity", "entry_time", "entry_price", "exit_time", "exit_price",
    "pnl", "return", "fees", "slippage", "bars", "reason", "confidence",
)  # fmt: skip
OPEN = "open"
"""Reason of a trade that had not been closed when the candles ended."""


def bars_per_year(timeframe: str) -> int:
    """Return how many bars make a year of 365 days: 525,600 of 1m, 105,120 of 5m."""
    return DAYS_A_YEAR * DAY_MS // timeframe_ms(timeframe)


@dataclass(frozen=True, eq=False)
class Run:
    """What happened to an account, bar by bar.

    Parameters
    ----------
    initial_cash : float
        Quote currency.
    timeframe : str
        Length of the bars, canonical.
    symbols : tuple of str
        Canonical, in the order in which they were given.
    costs : Costs
        Terms of the fills.
    simulated : bool
        Whether any of the candles were made up. Everything that shows the run says so.
    source : str
        Where the candles came from, ``""`` where they do not say.
    equity : Series
        Cash and positions marked at the close, at the close of each bar: ``DatetimeIndex``
        ``"time"``, UTC, ms; of several symbols, the union of their times. The first value is
        `initial_cash`: nothing can be filled before the first bar has closed.
    exposure : DataFrame
        Signed notional / equity of each symbol, rows as in `equity`; 0 where equity is not
        positive.
    close : DataFrame
        Close of each symbol, rows as in `equity`; its latest where it has no bar, NaN before its
        first.
    fills : DataFrame
        `FILL_COLUMNS`: ``time`` (open of the bar of the fill), ``symbol``, ``side`` (BUY or SELL),
        ``quantity`` (positive), ``price`` (slippage included), ``fee`` and ``slippage`` (money),
        ``reason``. Sorted by time.
    trades : DataFrame
        `TRADE_COLUMNS`, one row for each fill that closes something, by `strategies.orders.Trade`;
        ``return`` is pnl / (quantity × entry_price), ``confidence`` NaN where none is known. What
        is still open at the end is there too, at the last close, without the fee that leaving
        would cost, with reason ``"open"``; so the pnl sum to the change of equity.
    refused : list of Refusal
        Orders, or parts of them, that were not filled, and why.
    bars : int
        Bars that the strategy was asked about, all symbols.
    unanswered : int
        Those of them for which a model had no answer (`strategies.errors.NotAnswered`).
    unsettled : int
        Those of them at which history was too short for the features asked for.
    strategy : str
        Its name.
    """

    initial_cash: float
    timeframe: str
    symbols: tuple[str, ...]
    costs: Costs
    simulated: bool
    source: str
    equity: pd.Series
    exposure: pd.DataFrame
    close: pd.DataFrame
    fills: pd.DataFrame
    trades: pd.DataFrame
    refused: list[Refusal] = field(default_factory=list)
    bars: int = 0
    unanswered: int = 0
    unsettled: int = 0
    strategy: str = ""

    @property
    def bars_per_year(self) -> int:
        """Bars in 365 days."""
        return bars_per_year(self.timeframe)

    @property
    def returns(self) -> pd.Series:
        """Return of the account over each bar but the first; 0 once there is nothing left."""
        values = self.equity.to_numpy(np.float64)
        before = values[:-1]
        alive = before > 0
        change = np.divide(np.diff(values), before, out=np.zeros(len(before)), where=alive)
        return pd.Series(change, self.equity.index[1:], name="return")

    @property
    def closed_trades(self) -> pd.DataFrame:
        """Rows of `trades` that have ended."""
        return self.trades[self.trades["reason"] != OPEN]

    @property
    def bankrupt(self) -> bool:
        """Whether equity reached 0. Positions were then closed, and nothing opened again."""
        return bool((self.equity <= 0).any())


def stamps(milliseconds: Sequence[int] | np.ndarray) -> pd.DatetimeIndex:
    """Return epoch milliseconds as UTC times of millisecond resolution."""
    return pd.DatetimeIndex(
        np.asarray(milliseconds, np.int64).view("M8[ms]"), name="time"
    ).tz_localize("UTC")


def fills_table(fills: Iterable[Fill]) -> pd.DataFrame:
    """Return fills as a table of `FILL_COLUMNS`."""
    rows = [
        (f.ts_ms, f.symbol, f.side, abs(f.quantity), f.price, f.fee, f.slippage, f.order.reason)
        for f in fills
    ]
    return _typed(rows, FILL_COLUMNS)


def trades_table(trades: Iterable[Trade]) -> pd.DataFrame:
    """Return trades as a table of `TRADE_COLUMNS`."""
    rows = [
        (
            t.symbol, t.side, t.quantity, t.entry_ms, t.entry_price, t.exit_ms, t.exit_price,
            t.pnl, t.gain, t.fees, t.slippage, t.bars, t.reason,
            np.nan if t.confidence is None else t.confidence,
        )
        for t in trades
    ]  # fmt: skip
    return _typed(rows, TRADE_COLUMNS)


def _typed(rows: Sequence[tuple[object, ...]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Return rows as a table whose columns have their types even where there is no row."""
    table = pd.DataFrame(rows, columns=list(columns))
    for name in columns:
        if name.endswith("time"):
            table[name] = stamps(table[name].to_numpy(np.int64))
        elif name in ("symbol", "side", "reason"):
            table[name] = table[name].astype("str")
        else:
            table[name] = table[name].astype("int64" if name == "bars" else "float64")
    return table
