"""Trader: a strategy on live bars. What it does at a bar is what a backtest does at it.

Both let `strategies.play.Play` do the work, with the same desk, windows and features, so that bars
pushed one by one lead to the orders and fills of a backtest over the same bars, to the last bit.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from features.bars import Bar as BarLike
from features.bars import bar_numbers
from features.besides import DEFAULT_BENCHMARK
from features.errors import BadBar
from market.candles import as_candles, check_candles, open_ms
from market.symbols import parse_symbol
from market.timeframes import parse_timeframe, timeframe_ms, utc
from strategies.base_strategy import BaseStrategy
from strategies.broker import Broker, Outcome, SimulatedBroker
from strategies.costs import Costs
from strategies.desk import Desk
from strategies.errors import BadTerms
from strategies.exits import Exit
from strategies.eyes import Pushed
from strategies.live_features import LiveFeatures
from strategies.orders import Bar
from strategies.play import Play
from strategies.sizing import Sizing
from strategies.window import WINDOW_BARS, Window


class PaperBroker(SimulatedBroker):
    """A simulated account on live bars.

    An order made at a close is filled at the open of a bar that is only known when it has closed:
    its fill is told one bar later than an exchange would, at the same price.

    Parameters
    ----------
    initial_cash : float
        Quote currency.
    costs : Costs, optional
        Terms of the fills.
    timeframe : str
        Length of the bars.
    """

    def __init__(
        self, initial_cash: float = 10_000.0, costs: Costs | None = None, timeframe: str = "1m"
    ) -> None:
        super().__init__(initial_cash, costs or Costs(), timeframe_ms(timeframe))


class Trader:
    """Runs a strategy on bars as they close.

    Parameters
    ----------
    strategy : BaseStrategy
        As in a backtest.
    symbols : iterable of str
        What it trades. Bars of one close are acted on together, when all of them are there.
    timeframe : str
        Length of the bars.
    broker : Broker, optional
        Where orders go; by default a paper account of 10,000. One of an exchange takes orders with
        `submit`, and tells with `on_bars` what was filled since the bars before.
    costs : Costs, optional
        Whether to sell short at all; by default the broker's own terms, if it has any.
    sizing, exits : optional
        Instead of the strategy's own.
    window : int
        Bars that ``df`` holds at most.
    benchmark : str
        See `LiveFeatures`; it need not be among the symbols if features do not ask for it.
    extra : sequence of str
        What bars bring besides, such as ``sentiment``; they are mappings then.
    told : mapping, optional
        What frames say of the bars: ``source``, ``simulated``.

    Examples
    --------
    >>> trader = Trader(strategy, ["BTC-USDT"], "5m")  # doctest: +SKIP
    >>> trader.begin({"BTC-USDT": history})  # doctest: +SKIP
    >>> for bar in bars:  # doctest: +SKIP
    ...     for outcome in trader.on_bar("BTC-USDT", bar):
    ...         print(outcome)
    """

    def __init__(
        self,
        strategy: BaseStrategy,
        symbols: Iterable[str],
        timeframe: str = "1m",
        broker: Broker | None = None,
        *,
        costs: Costs | None = None,
        sizing: Sizing | None = None,
        exits: Sequence[Exit] | None = None,
        window: int = WINDOW_BARS,
        benchmark: str = DEFAULT_BENCHMARK,
        extra: Sequence[str] = (),
        told: Mapping[Hashable, Any] | None = None,
    ) -> None:
        self.symbols = tuple(sorted({parse_symbol(symbol) for symbol in symbols}))
        if not self.symbols:
            raise BadTerms("a trader needs a symbol to trade")
        self.timeframe = parse_timeframe(timeframe)
        self._step = timeframe_ms(self.timeframe)
        self.broker = broker or PaperBroker(timeframe=self.timeframe)
        self.desk = Desk(strategy, sizing, exits, costs or getattr(self.broker, "costs", None))
        declared = getattr(strategy, "features", None)
        self.features = LiveFeatures(self.timeframe, declared, benchmark=benchmark, told=told)
        self._extra = tuple(extra)
        make = partial(Window, window, self._extra, dict(told or {}))
        eyes = Pushed(self.features)
        self._play = Play(self.desk, self.broker, eyes, self.timeframe, make, self._extra)
        self._waiting: dict[str, Bar] = {}
        self._beside: dict[str, list[float]] = {}
        self._moment = 0  # close of the bars that wait
        self._acted = 0  # close of the bars that were acted on last

    @property
    def acted_ms(self) -> int:
        """Close of the bars that were acted on last, epoch milliseconds; 0 before the first."""
        return self._acted

    def begin(self, history: Mapping[str, pd.DataFrame]) -> None:
        """Show what came before: features settle on it, and nothing is traded.

        Parameters
        ----------
        history : mapping of str to DataFrame
            Closed candles by symbol, repaired, oldest first, with the columns `extra`.

        Raises
        ------
        BadBar
            Bars were traded already.
        market.errors.BadCandles
            They were not repaired.
        """
        if self._acted:
            raise BadBar(f"history comes before the first bar; bars up to {utc(self._acted)} came")
        for name, candles in history.items():
            symbol, frame = parse_symbol(name), as_candles(candles)
            check_candles(frame)
            beside = candles[list(self._extra)].to_numpy(np.float64).tolist()
            for bar, values in zip(_bars(frame, self._step), beside, strict=True):
                self._play.watch({symbol: bar}, {symbol: values})

    def on_bar(self, symbol: str, bar: BarLike) -> list[Outcome]:
        """Take a bar that has closed; act when all symbols' bars of that moment are there.

        Parameters
        ----------
        symbol : str
            One of those that are traded.
        bar : mapping, Series or sequence
            See `features.bars.Bar`.

        Returns
        -------
        list of Fill and Refusal
            What became of earlier orders: nothing while bars are waited for.

        Raises
        ------
        BadBar
            Of another symbol, of a moment that was acted on, or one that cannot be.
        """
        symbol = parse_symbol(symbol)
        made = _closed(bar_numbers(bar), self._step)
        self._check(symbol, made)
        outcomes: list[Outcome] = []
        if self._waiting and made.close_ms != self._moment:
            outcomes += self.act()
        self._waiting[symbol], self._moment = made, made.close_ms
        self._beside[symbol] = [float(bar[name]) for name in self._extra]  # type: ignore[call-overload]
        if len(self._waiting) == len(self.symbols):
            outcomes += self.act()
        return outcomes

    def act(self) -> list[Outcome]:
        """Act on the bars that are there, without those that are late."""
        bars = {name: self._waiting[name] for name in sorted(self._waiting)}
        beside, self._waiting, self._beside = self._beside, {}, {}
        if not bars:
            return []
        self._acted = self._moment
        return list(self._play.on_bars(self._acted, bars, beside))

    def _check(self, symbol: str, bar: Bar) -> None:
        if symbol not in self.symbols:
            raise BadBar(f"a bar of {symbol}; traded are {', '.join(self.symbols)}")
        if bar.close_ms <= self._acted or (self._waiting and bar.close_ms < self._moment):
            raise BadBar(
                f"a bar of {symbol} that closed at {utc(bar.close_ms)} is late: later ones were "
                "taken already; fetch history anew and begin again"
            )


def _closed(numbers: Sequence[float], step: int) -> Bar:
    when, o, h, low, c, v = numbers
    return Bar(int(when), o, h, low, c, v, int(when) + step)


def _bars(candles: pd.DataFrame, step: int) -> list[Bar]:
    rows = zip(open_ms(candles).tolist(), candles.to_numpy().tolist(), strict=True)
    return [_closed((opened, *values), step) for opened, values in rows]
