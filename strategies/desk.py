"""Desk: turns a strategy's wishes and exits into orders. One state machine, backtest and live.

A wish for a side opens it; None is no new wish; a position ends by its exits, of which the opposite
signal is one. What has been ordered counts as held when the next order is made, so that a late
fill leads to no second order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from features.errors import NotEnoughHistory
from market.timeframes import utc
from strategies.base_strategy import BaseStrategy, Signal
from strategies.book import book
from strategies.costs import Costs
from strategies.errors import BadSignal, NotAnswered, StrategyFailed
from strategies.exits import Exit, Held, OppositeSignal
from strategies.orders import Bar, Fill, Order, Position, Refusal
from strategies.sizing import FixedFraction, Sizing
from strategies.window import Seen

SIGN = {"LONG": 1, "SHORT": -1}
BANKRUPT = "bankrupt"


@dataclass(slots=True)
class _Place:
    """What the desk knows of one symbol."""

    position: Position | None = None
    held: Held | None = None
    sent: list[Order] = field(default_factory=list)  # on their way, without resting ones

    @property
    def aimed(self) -> float:
        """What will be held when everything on its way has been filled."""
        quantity = self.position.quantity if self.position else 0.0
        for order in self.sent:
            change = order.quantity
            if order.reduce_only:
                reduces = change * quantity < 0
                change = math.copysign(min(abs(change), abs(quantity)), change) if reduces else 0.0
            quantity += change
        return quantity


class Desk:
    """What stands between a strategy and a broker.

    Parameters
    ----------
    strategy : BaseStrategy
        Asked at each close.
    sizing : Sizing, optional
        How much a signal is worth; by default the strategy's own, or a tenth of equity.
    exits : sequence of Exit, optional
        What ends positions; by default the strategy's own, or the opposite signal alone.
    costs : Costs, optional
        Read for `allow_short` only.

    Attributes
    ----------
    name : str
        The strategy's.
    asked, unanswered, unsettled : int
        Bars that the strategy was asked about; those of them for which a model had no answer; those
        at which history was too short for the features asked for.
    bankrupt : bool
        Whether equity reached 0 at a close. Positions are then ended, and nothing opens again.
    """

    def __init__(
        self,
        strategy: BaseStrategy,
        sizing: Sizing | None = None,
        exits: Sequence[Exit] | None = None,
        costs: Costs | None = None,
    ) -> None:
        self.strategy = strategy
        self.name = str(getattr(strategy, "name", type(strategy).__name__))
        own_sizing, own_exits = getattr(strategy, "sizing", None), getattr(strategy, "exits", None)
        self.sizing: Sizing = sizing or own_sizing or FixedFraction()
        chosen = exits if exits is not None else own_exits
        self.exits: tuple[Exit, ...] = (OppositeSignal(),) if chosen is None else tuple(chosen)
        self.costs = costs or Costs()
        turns = [rule for rule in self.exits if isinstance(rule, OppositeSignal)]
        self._opposite = turns[0] if turns else None
        self._rebalance: float | None = getattr(self.sizing, "rebalance", None)
        self._places: dict[str, _Place] = {}
        self.asked = self.unanswered = self.unsettled = 0
        self.bankrupt = False

    def on_bar(self, symbol: str, bar: Bar, seen: Seen, equity: float) -> Sequence[Order]:
        """Return the orders to be made at the close of a bar.

        Parameters
        ----------
        symbol : str
            Canonical.
        bar : Bar
            That has closed.
        seen : Seen
            What can be known at its close.
        equity : float
            Of the account, marked at the closes of that moment.

        Raises
        ------
        StrategyFailed
            The strategy raised; the message names it, the bar and the symbol.
        BadSignal
            It answered with something else than a signal about this symbol.
        """
        place = self._place(symbol)
        if place.held is not None:
            _grow_older(place.held, bar)
        self.bankrupt = self.bankrupt or equity <= 0
        if self.bankrupt:
            return self._send(place, [self._leave(symbol, place, bar, BANKRUPT)])
        signal = self._ask(symbol, bar, seen)
        if signal is None and not place.aimed:
            return ()
        orders = self._decide(symbol, place, bar, seen, equity, signal)
        return [*self._send(place, orders), *self._resting(symbol, place, bar)]

    def filled(self, fill: Fill) -> None:
        """Take note of a fill. What is left of its order, if anything, is not waited for."""
        place = self._place(fill.symbol)
        _settle(place, fill.order)
        place.position, _ = book(place.position, fill)
        position = place.position
        if position is None:
            place.held = None
        elif place.held is None:
            side = 1 if position.quantity > 0 else -1
            place.held = Held(side, position.price, 0, position.price)
        else:
            place.held.price = position.price

    def refused(self, refusal: Refusal) -> None:
        """Take note that an order, or what was left of it, was not filled."""
        _settle(self._place(refusal.order.symbol), refusal.order)

    def _place(self, symbol: str) -> _Place:
        place = self._places.get(symbol)
        if place is None:
            place = self._places[symbol] = _Place()
        return place

    # ------------------------------------------------------------------ the strategy

    def _ask(self, symbol: str, bar: Bar, seen: Seen) -> Signal | None:
        self.asked += 1
        try:
            answer: object = self.strategy.detect(
                symbol, bar.close, bar.volume, bar.close_ms, seen.df, seen.fm
            )
        except NotAnswered:
            self.unanswered += 1
            return None
        except NotEnoughHistory:
            self.unsettled += 1
            return None
        except Exception as error:
            raise StrategyFailed(
                f"{self.name} failed on the bar of {symbol} that opened at "
                f"{utc(bar.open_ms)}: {type(error).__name__}: {error}"
            ) from error
        if answer is None:
            return None
        if not isinstance(answer, Signal) or answer.symbol != symbol:
            raise BadSignal(
                f"{self.name} was asked about {symbol} (bar that opened at {utc(bar.open_ms)}) and "
                f"answered {answer!r}; return None, or a Signal with the symbol it was given"
            )
        return answer

    # ------------------------------------------------------------------ orders

    def _decide(
        self,
        symbol: str,
        place: _Place,
        bar: Bar,
        seen: Seen,
        equity: float,
        signal: Signal | None,
    ) -> list[Order | None]:
        wish = SIGN[signal.signal] if signal else 0
        aimed = (place.aimed > 0) - (place.aimed < 0)
        reason = self._ending(place, bar, wish, aimed)
        orders: list[Order | None] = []
        if reason is not None:
            orders.append(self._leave(symbol, place, bar, reason))
        turns = reason is not None and self._opposite is not None and self._opposite.turn
        opens = wish and (aimed == 0 or (turns and wish == -aimed))
        if signal is not None and (opens or (reason is None and wish == aimed)):
            orders.append(self._sized(symbol, place, bar, seen, equity, signal, bool(opens)))
        return orders

    def _ending(self, place: _Place, bar: Bar, wish: int, aimed: int) -> str | None:
        """Return why the position ends, or None."""
        if not aimed:
            return None
        held = place.held
        if held is not None and held.side == aimed:
            for rule in self.exits:
                if rule.ends(held, bar):
                    return rule.reason
        return self._opposite.reason if self._opposite and wish == -aimed else None

    def _leave(self, symbol: str, place: _Place, bar: Bar, reason: str) -> Order | None:
        if not place.aimed:
            return None
        return Order(symbol, -place.aimed, reason, bar.close_ms, reduce_only=True)

    def _sized(
        self,
        symbol: str,
        place: _Place,
        bar: Bar,
        seen: Seen,
        equity: float,
        signal: Signal,
        opens: bool,
    ) -> Order | None:
        """Return the order that opens a position, or corrects the one that is aimed at."""
        wish = SIGN[signal.signal]
        if (wish < 0 and not self.costs.allow_short) or not (opens or self._rebalance):
            return None
        try:
            worth = self.sizing.notional(signal, equity, bar.close, seen)
        except (NotAnswered, NotEnoughHistory):
            self.unsettled += 1
            return None
        target = wish * worth / bar.close
        if opens:
            change, reason = target, "signal"
        else:
            change, reason = target - place.aimed, "rebalance"
            if abs(change) <= (self._rebalance or 0.0) * abs(place.aimed):
                return None
        if not change:
            return None
        reduces = not opens and change * place.aimed < 0
        return Order(symbol, change, reason, bar.close_ms, signal.confidence, reduce_only=reduces)

    def _send(self, place: _Place, orders: list[Order | None]) -> Sequence[Order]:
        sent = [order for order in orders if order is not None]
        place.sent += sent
        return sent

    def _resting(self, symbol: str, place: _Place, bar: Bar) -> Sequence[Order]:
        """Return stops and targets for the next bar, where a position is held and stays."""
        held = place.held
        if held is None or held.side * place.aimed <= 0:
            return ()
        orders = []
        for rule in self.exits:
            stop, limit = rule.rests(held)
            if stop is not None or limit is not None:
                orders.append(
                    Order(
                        symbol, -place.aimed, rule.reason, bar.close_ms,
                        stop=stop, limit=limit, reduce_only=True,
                    )
                )  # fmt: skip
        return orders


def _grow_older(held: Held, bar: Bar) -> None:
    held.bars += 1
    if held.side > 0:
        held.best = max(held.best, bar.high)
    else:
        held.best = min(held.best, bar.low)


def _settle(place: _Place, order: Order) -> None:
    if order in place.sent:
        place.sent.remove(order)
