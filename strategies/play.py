"""Play: one moment of trading.

Backtest and live do the same things in the same order:

1. orders of earlier closes are filled by the bars that have just closed;
2. positions are marked at their closes;
3. the strategy sees these bars, of all symbols;
4. it is asked about each, and what the desk makes of it waits for later bars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from strategies.base_strategy import Features
from strategies.broker import Broker, Outcome
from strategies.desk import Desk
from strategies.orders import Bar, Fill
from strategies.window import Seen, Window

NOTHING: Mapping[str, float] = {}


class Eyes(Protocol):
    """What tells a strategy features: is shown bars, and says whom to ask at a moment."""

    def push(self, symbol: str, bar: Bar, extra: Mapping[str, float]) -> None:
        """Take a bar that has closed."""

    def at(self, close_ms: int) -> Features:
        """Return whom to ask when all bars of that moment have been pushed."""


class Play:
    """Bars in, fills out.

    Parameters
    ----------
    desk : Desk
        With its strategy.
    broker : Broker
        Simulated, paper or an exchange's.
    eyes : Eyes
        Features.
    timeframe : str
        Length of the bars.
    window : callable
        Makes the window of a symbol: ``window() -> Window``.
    extra : sequence of str
        Columns that bars bring besides.
    """

    def __init__(
        self,
        desk: Desk,
        broker: Broker,
        eyes: Eyes,
        timeframe: str,
        window: Callable[[], Window] = Window,
        extra: Sequence[str] = (),
    ) -> None:
        self.desk, self.broker = desk, broker
        self._eyes, self._timeframe, self._make = eyes, timeframe, window
        self._extra = tuple(extra)
        self._windows: dict[str, Window] = {}

    def on_bars(
        self, close_ms: int, bars: Mapping[str, Bar], extra: Mapping[str, Sequence[float]]
    ) -> Sequence[Outcome]:
        """Take the bars that closed at one moment and return what became of earlier orders.

        Parameters
        ----------
        close_ms : int
            The moment.
        bars, extra : mapping by symbol
            The bars, and their values of the columns `extra`.
        """
        outcomes = self.broker.on_bars(bars)
        for outcome in outcomes:
            if isinstance(outcome, Fill):
                self.desk.filled(outcome)
            else:
                self.desk.refused(outcome)
        self.watch(bars, extra)
        equity, fm = self.broker.equity, self._eyes.at(close_ms)
        for symbol, bar in bars.items():
            seen = Seen(symbol, self._timeframe, fm, self._windows[symbol])
            self.broker.submit(self.desk.on_bar(symbol, bar, seen, equity))
        return outcomes

    def watch(self, bars: Mapping[str, Bar], extra: Mapping[str, Sequence[float]]) -> None:
        """Show bars of one moment to windows and features; nothing is decided on them."""
        for symbol, bar in bars.items():
            values = extra.get(symbol, ())
            self._window(symbol).push(bar, values)
            beside = dict(zip(self._extra, values, strict=True)) if self._extra else NOTHING
            self._eyes.push(symbol, bar, beside)

    def _window(self, symbol: str) -> Window:
        found = self._windows.get(symbol)
        if found is None:
            found = self._windows[symbol] = self._make()
        return found
