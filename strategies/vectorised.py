"""Vectorised backtest: columns of signals instead of a strategy, the same fills and costs.

For research, where signals are known as columns: a million bars take less than a second. A wish of
row t is filled at the open of row ``t + latency_bars``, as by the event engine, to which the tests
compare it; what the columns themselves were made of is not looked at, so causality of the
columns is theirs to keep.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.candles import open_ms
from strategies import codes as c
from strategies import tally as t
from strategies.codes import Floats, Terms, Whole
from strategies.columns import Columns, Frame, Quantities, Targets, leavings, matrix, sides
from strategies.costs import Costs
from strategies.errors import BadTerms
from strategies.feed import Candles, Feed, feed
from strategies.orders import Order, Refusal
from strategies.run import FILL_COLUMNS, OPEN, TRADE_COLUMNS, Run, stamps
from strategies.tally import tally
from strategies.walk import walk

WHY_NOT = {
    c.NO_SHORTS: "short positions are not allowed",
    c.MONEY: "money: room for a notional of {room:.2f}",
    c.LEAST: "least notional",
    c.CUT: "money: cut to a notional of {room:.2f}",
    c.NOTHING_HELD: "nothing is held that it could reduce",
}


def run_signals(
    candles: Candles,
    signals: Columns | Frame,
    initial_cash: float = 10_000.0,
    costs: Costs | None = None,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
) -> Run:
    """Trade columns of signals and return the account.

    Parameters
    ----------
    candles : DataFrame or mapping of str to DataFrame
        Of one symbol, or of several by symbol, which then share the cash.
    signals : Targets, Entries or Quantities, or DataFrame or Series
        What is wished for at the close of each bar; a bare table is `Targets`.
    initial_cash : float
        Quote currency.
    costs : Costs, optional
        Fees, slippage, latency and what the account may do.
    symbol : str, optional
        Whose candles, where it is one table that does not say.
    timeframe : str, optional
        Length of the bars, if it is to be checked.

    Raises
    ------
    BadTerms
        Signals that do not fit the candles, or cash that cannot be.
    market.errors.BadCandles
        As for the event engine.

    Examples
    --------
    >>> fast, slow = close.rolling(20).mean(), close.rolling(100).mean()  # doctest: +SKIP
    >>> entries = Entries(long=fast > slow, exits=fast < slow, fraction=0.5)  # doctest: +SKIP
    >>> run_signals(candles, entries, 10_000, symbol="BTC-USDT").equity  # doctest: +SKIP
    """
    if not 0 < initial_cash < np.inf:
        raise BadTerms(f"initial cash is {initial_cash}; an account begins with some")
    costs, told = costs or Costs(), feed(candles, symbol, timeframe)
    opens_ms = told.closes_ms() - told.step_ms
    opens, closes = prices(told, opens_ms)
    wishes, ends, mode, size = _read(signals, told.symbols, opens_ms)
    ranks = np.argsort(np.array(told.symbols)).astype(np.int64)
    equity, exposure, fills, refusals = walk(
        opens_ms, opens, closes, wishes, ends, ranks, float(initial_cash), told.step_ms, mode,
        terms_of(costs), size, True,
    )  # fmt: skip
    times, latest = stamps(opens_ms + told.step_ms), told.closes()
    return Run(
        initial_cash=float(initial_cash),
        timeframe=told.timeframe,
        symbols=told.symbols,
        costs=costs,
        simulated=bool(told.told.get("simulated", False)),
        source=str(told.told.get("source", "")),
        equity=pd.Series(equity, times, name="equity"),
        exposure=pd.DataFrame(exposure, times, list(told.symbols)),
        close=latest.set_axis(times),
        fills=_fills(fills, told.symbols, opens_ms),
        trades=_trades(fills, closes, latest, told, opens_ms, ranks),
        refused=_refusals(refusals, told, opens_ms),
        bars=int(np.isfinite(closes).sum()),
        strategy="columns",
    )


def prices(told: Feed, opens_ms: Whole) -> tuple[Floats, Floats]:
    """Return opens and closes, float64[T, S]; NaN where a symbol has no bar."""
    opens, closes = (np.full((len(opens_ms), len(told.symbols)), np.nan) for _ in range(2))
    for j, frame in enumerate(told.candles.values()):
        rows = np.searchsorted(opens_ms, open_ms(frame))
        opens[rows, j], closes[rows, j] = frame["open"], frame["close"]
    return opens, closes


def terms_of(costs: Costs) -> Terms:
    """Return costs as the compiled walk reads them."""
    return (
        float(costs.fee_rate),
        float(costs.slippage_rate),
        int(costs.latency_bars),
        float(costs.min_notional),
        bool(costs.allow_short),
        float(costs.max_leverage),
    )


def _read(
    signals: Columns | Frame, symbols: tuple[str, ...], opens_ms: Whole
) -> tuple[Floats, NDArray[np.bool_], int, float]:
    """Return wishes, exits, what the wishes are and their size."""
    none = np.zeros((0, len(symbols)), np.bool_)
    if isinstance(signals, pd.DataFrame | pd.Series):
        signals = Targets(signals)
    if isinstance(signals, Targets):
        wishes = matrix(signals.exposure, "targets", symbols, opens_ms)
        return wishes, none, c.TARGETS, float(signals.tolerance)
    if isinstance(signals, Quantities):
        return matrix(signals.quantity, "quantities", symbols, opens_ms), none, c.QUANTITIES, 0.0
    ends = leavings(signals, symbols, opens_ms)
    return sides(signals, symbols, opens_ms), ends, c.ENTRIES, float(signals.fraction)


def _fills(fills: Floats, symbols: tuple[str, ...], opens_ms: Whole) -> pd.DataFrame:
    quantity = fills[:, c.QUANTITY]
    columns = (
        stamps(opens_ms[fills[:, c.ROW].astype(np.int64)]),
        _words(symbols, fills[:, c.SYMBOL]),
        _words(("SELL", "BUY"), quantity > 0),
        np.abs(quantity),
        fills[:, c.PRICE],
        fills[:, c.FEE],
        fills[:, c.SLIPPAGE],
        _words(c.REASONS, fills[:, c.REASON]),
    )
    return pd.DataFrame(dict(zip(FILL_COLUMNS, columns, strict=True)))


def _trades(
    fills: Floats,
    closes: Floats,
    latest: pd.DataFrame,
    told: Feed,
    opens_ms: Whole,
    ranks: Whole,
) -> pd.DataFrame:
    rows, still = fills[:, c.ROW].astype(np.int64), len(c.REASONS)
    numbers = np.cumsum(np.isfinite(closes), axis=0, dtype=np.int64) - 1
    of_fills = numbers[rows, fills[:, c.SYMBOL].astype(np.int64)]
    marks = latest.to_numpy(np.float64)[-1]
    made = tally(fills, of_fills, marks, numbers[-1], ranks, still)
    times = np.append(opens_ms, opens_ms[-1] + told.step_ms)  # row -1: still open at the last close
    size = np.abs(made[:, t.SIGNED])
    columns = (
        _words(told.symbols, made[:, t.SYMBOL]),
        _words(("SHORT", "LONG"), made[:, t.SIGNED] > 0),
        size,
        stamps(times[made[:, t.ENTRY_ROW].astype(np.int64)]),
        made[:, t.ENTRY_PRICE],
        stamps(times[made[:, t.EXIT_ROW].astype(np.int64)]),
        made[:, t.EXIT_PRICE],
        made[:, t.PNL],
        made[:, t.PNL] / (size * made[:, t.ENTRY_PRICE]),
        made[:, t.FEES],
        made[:, t.SLIPPAGE],
        made[:, t.BARS].astype(np.int64),
        _words((*c.REASONS, OPEN), made[:, t.WHY]),
        np.full(len(made), np.nan),
    )
    return pd.DataFrame(dict(zip(TRADE_COLUMNS, columns, strict=True)))


def _words(names: tuple[str, ...], which: NDArray[np.generic]) -> pd.Series:
    return pd.Series(np.array(names, dtype=object)[which.astype(np.int64)], dtype="str")


def _refusals(refusals: Floats, told: Feed, opens_ms: Whole) -> list[Refusal]:
    made = []
    for row, symbol, quantity, kind, room, why, asked_ms, ordered in refusals.tolist():
        name, reason = told.symbols[int(symbol)], c.REASONS[int(why)]
        text = WHY_NOT[int(kind)].format(room=room)
        order = Order(name, ordered, reason, int(asked_ms) + told.step_ms)
        made.append(Refusal(order, quantity, text, int(opens_ms[int(row)])))
    return made
