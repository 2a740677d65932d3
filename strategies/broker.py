"""Simulated broker: fills orders on bars that come after the decision, and keeps the account.

In one bar, in this order: what reduces positions is filled at the open, then what opens them, then
resting orders inside the bar; symbols in alphabetical order, so that the order in which they were
given changes nothing. Where money is short, that order decides who gets it. Late orders of several
moments that meet after a gap are filled moment by moment, the earliest first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

from strategies.book import book, closed
from strategies.costs import Costs
from strategies.errors import BadTerms
from strategies.orders import Bar, Fill, Order, Position, Refusal, Trade
from strategies.run import OPEN

Outcome: TypeAlias = Fill | Refusal
DUST = 1e-9
"""A remainder smaller than this share of an order is rounding, and goes with it."""
NOT_REACHED = (0.0, 0.0, 0.0)


class Broker(Protocol):
    """Whom a desk sends its orders to: simulated, paper or an exchange."""

    def submit(self, orders: Iterable[Order]) -> None:
        """Take orders; what becomes of them is told later."""

    def on_bars(self, bars: Mapping[str, Bar]) -> Sequence[Outcome]:
        """Say what became of orders since the bars before; these have just closed."""

    @property
    def equity(self) -> float:
        """Cash and positions, marked at the latest closes."""


class SimulatedBroker:
    """An account with cash and positions, filled by bars.

    Parameters
    ----------
    initial_cash : float
        Quote currency.
    costs : Costs
        Terms of the fills.
    step_ms : int
        Length of the bars.

    Attributes
    ----------
    cash : float
        What is left after all fills; proceeds of short sales are in it.
    positions : dict of str to Position
        What is held.
    fills, trades, refused : list
        All so far.
    """

    def __init__(self, initial_cash: float, costs: Costs, step_ms: int) -> None:
        if not 0 < initial_cash < math.inf:
            raise BadTerms(f"initial cash is {initial_cash}; an account begins with some")
        self.cash = float(initial_cash)
        self.costs = costs
        self.positions: dict[str, Position] = {}
        self.fills: list[Fill] = []
        self.trades: list[Trade] = []
        self.refused: list[Refusal] = []
        self._late_ms = (costs.latency_bars - 1) * step_ms
        self._queue: list[Order] = []
        self._marks: dict[str, float] = {}
        self._seen: dict[str, int] = {}  # bars of each symbol so far

    # ------------------------------------------------------------------ what a desk asks

    def submit(self, orders: Iterable[Order]) -> None:
        """Take orders decided on at a close; they are filled from the next bar on."""
        self._queue.extend(orders)

    @property
    def equity(self) -> float:
        """Cash and positions, marked at the latest closes."""
        if not self.positions:
            return self.cash
        marks = self._marks
        held = [p.quantity * marks[s] for s, p in self.positions.items()]
        return self.cash + (held[0] if len(held) == 1 else math.fsum(held))

    def exposure(self, symbol: str) -> float:
        """Return a position's signed notional at the latest close, quote currency."""
        position = self.positions.get(symbol)
        return position.quantity * self._marks[symbol] if position else 0.0

    # ------------------------------------------------------------------ what a bar brings

    def on_bars(self, bars: Mapping[str, Bar]) -> list[Outcome]:
        """Fill what these bars fill, mark positions at their closes, and say what happened.

        Parameters
        ----------
        bars : mapping of str to Bar
            Bars of one open time, by symbol.
        """
        outcomes: list[Outcome] = []
        for symbol in bars:
            self._seen[symbol] = self._seen.get(symbol, -1) + 1
        if self._queue:
            outcomes = self._work(bars)
        for symbol, bar in bars.items():
            self._marks[symbol] = bar.close
        return outcomes

    def still_open(self, closes_ms: int) -> list[Trade]:
        """Return open positions as trades, marked at the latest closes, without the way out."""
        return [
            closed(p, p.quantity, 1.0, self._marks[s], closes_ms, self._seen[s], OPEN)
            for s, p in sorted(self.positions.items())
        ]

    # ------------------------------------------------------------------ fills

    def _work(self, bars: Mapping[str, Bar]) -> list[Outcome]:
        """Fill what is due: by the moment of the decision, and resting orders last."""
        due = [order for order in self._queue if self._is_due(order, bars)]
        if not due:
            return []
        self._queue = [order for order in self._queue if not self._is_due(order, bars)]
        due.sort(key=lambda order: order.symbol)
        market = [order for order in due if order.stop is None and order.limit is None]
        outcomes: list[Outcome] = []
        for moment in sorted({order.at_ms for order in market}):
            self._trade([order for order in market if order.at_ms == moment], bars, outcomes)
        resting = [order for order in due if order.stop is not None or order.limit is not None]
        for order in sorted(resting, key=_reached):
            self._touch(order, bars[order.symbol], outcomes)
        return outcomes

    def _trade(
        self, market: Sequence[Order], bars: Mapping[str, Bar], outcomes: list[Outcome]
    ) -> None:
        """Fill market orders of one moment, openings after reductions."""
        openings: list[tuple[Order, float]] = []
        for order in market:
            rest = self._reduce(order, bars[order.symbol], outcomes)
            if rest:
                openings.append((order, rest))
        for order, quantity in openings:
            self._open(order, quantity, bars[order.symbol], outcomes)

    def _is_due(self, order: Order, bars: Mapping[str, Bar]) -> bool:
        bar = bars.get(order.symbol)
        return bar is not None and bar.open_ms >= order.at_ms + self._late_ms

    def _reduce(self, order: Order, bar: Bar, outcomes: list[Outcome]) -> float:
        """Fill what closes, at the open, and return what is left to be opened."""
        position = self.positions.get(order.symbol)
        held = position.quantity if position else 0.0
        rest = order.quantity
        if held * rest < 0:
            part = -held if abs(rest) >= abs(held) * (1 - DUST) else rest
            price = self.costs.price(bar.open, part)
            self._fill(order, part, price, bar.open, self.costs.fee_rate, bar, outcomes)
            rest = 0.0 if abs(rest - part) <= DUST * abs(part) else rest - part
            return 0.0 if order.reduce_only else rest
        if order.reduce_only:
            self._refuse(order, rest, "nothing is held that it could reduce", bar, outcomes)
            return 0.0
        return rest

    def _open(self, order: Order, quantity: float, bar: Bar, outcomes: list[Outcome]) -> None:
        """Fill what opens, at the open, as far as the terms allow."""
        costs = self.costs
        if quantity < 0 and not costs.allow_short:
            self._refuse(order, quantity, "short positions are not allowed", bar, outcomes)
            return
        price = costs.price(bar.open, quantity)
        room = costs.room(*self._standing(order.symbol, price), price)
        taken = math.copysign(min(abs(quantity), room), quantity)
        if not taken or abs(taken) * price < costs.min_notional:
            why = "least notional" if room >= abs(quantity) else "money"
            asked, most = abs(quantity) * price, room * price
            self._refuse(
                order, quantity,
                f"{why}: notional {asked:.2f}, room {most:.2f}, least {costs.min_notional:.2f}",
                bar, outcomes,
            )  # fmt: skip
            return
        self._fill(order, taken, price, bar.open, costs.fee_rate, bar, outcomes)
        if taken != quantity:
            asked, most = abs(quantity) * price, room * price
            why = f"money: cut from notional {asked:.2f} to {most:.2f}"
            self._refuse(order, quantity - taken, why, bar, outcomes)

    def _touch(self, order: Order, bar: Bar, outcomes: list[Outcome]) -> None:
        """Fill a resting order that this bar reached; otherwise it ends unheard."""
        position = self.positions.get(order.symbol)
        if position is None or position.quantity * order.quantity >= 0:
            return
        part = math.copysign(min(abs(order.quantity), abs(position.quantity)), order.quantity)
        price, reference, rate = self._reach(order, bar, part < 0)
        if price:
            self._fill(order, part, price, reference, rate, bar, outcomes)

    def _reach(self, order: Order, bar: Bar, sells: bool) -> tuple[float, float, float]:
        """Return price, price before slippage and fee's rate; zeros where it was not reached."""
        if order.stop is not None:
            touched = bar.low <= order.stop if sells else bar.high >= order.stop
            reached = min(bar.open, order.stop) if sells else max(bar.open, order.stop)
            price = self.costs.price(reached, -1.0 if sells else 1.0)
            return (price, reached, self.costs.fee_rate) if touched else NOT_REACHED
        level = order.limit or 0.0
        beyond = bar.high > level if sells else bar.low < level
        price = max(bar.open, level) if sells else min(bar.open, level)
        return (price, price, self.costs.maker_rate) if beyond else NOT_REACHED

    def _standing(self, symbol: str, price: float) -> tuple[float, float]:
        """Return equity and gross exposure with the symbol valued at a price."""
        values = [
            p.quantity * (price if s == symbol else self._marks[s])
            for s, p in self.positions.items()
        ]
        return self.cash + math.fsum(values), math.fsum(map(abs, values))

    def _fill(
        self,
        order: Order,
        quantity: float,
        price: float,
        reference: float,
        rate: float,
        bar: Bar,
        outcomes: list[Outcome],
    ) -> None:
        symbol = order.symbol
        fee = abs(quantity) * price * rate
        slippage = abs(quantity) * abs(price - reference)
        fill = Fill(order, price, quantity, fee, slippage, bar.open_ms)
        self.cash -= quantity * price + fee
        self._marks.setdefault(symbol, price)
        position, trade = book(self.positions.get(symbol), fill, self._seen[symbol])
        if position is None:
            del self.positions[symbol]
        else:
            self.positions[symbol] = position
        if trade is not None:
            self.trades.append(trade)
        self.fills.append(fill)
        outcomes.append(fill)

    def _refuse(
        self, order: Order, quantity: float, why: str, bar: Bar, outcomes: list[Outcome]
    ) -> None:
        refusal = Refusal(order, quantity, why, bar.open_ms)
        self.refused.append(refusal)
        outcomes.append(refusal)


def _reached(order: Order) -> tuple[str, bool, float]:
    """Return the order in which resting orders count: stops first, the nearest first."""
    if order.stop is not None:
        return order.symbol, False, -order.stop if order.quantity < 0 else order.stop
    level = order.limit or 0.0
    return order.symbol, True, level if order.quantity < 0 else -level
