"""Desk: turns a strategy's wishes and exits into orders. One state machine, backtest and live.

A wish for a side opens it; None is no new wish; a position ends by its exits, of which the opposite
signal is one. What has been ordered counts as held when the next order is made, so that a late
fill leads to no second order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from features.errors import NotEnoughHistory
from market.timeframes import utc
from strategies.base_strategy import BaseStrategy, Signal
from strategies.costs import Costs
from strategies.errors import BadSignal, BadTerms, NotAnswered, StrategyFailed
from strategies.exits import Exit, OppositeSignal
from strategies.orders import Bar, Fill, Order, Refusal
from strategies.place import Place
from strategies.sizing import FixedFraction, Sizing
from strategies.window import Seen

SIGN = {"LONG": 1, "SHORT": -1}
BANKRUPT = "bankrupt"


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

    Raises
    ------
    BadTerms
        A sizing or an exit that is none, as a class instead of one of it.

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
        self.exits: tuple[Exit, ...] = (OppositeSignal(),) if chosen is None else _exits(chosen)
        if isinstance(self.sizing, type) or not hasattr(self.sizing, "notional"):
            raise BadTerms(f"{self.sizing!r} is no sizing; pass one such as FixedFraction(0.1)")
        self.costs = costs or Costs()
        turns = [rule for rule in self.exits if isinstance(rule, OppositeSignal)]
        self._opposite = turns[0] if turns else None
        self._rebalance: float | None = getattr(self.sizing, "rebalance", None)
        self._places: dict[str, Place] = {}
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
            The strategy, its sizing or its exits raised; the message names the bar and the symbol.
        BadSignal
            It answered with something else than a signal about this symbol.
        """
        place = self._place(symbol)
        place.grow_older(bar)
        self.bankrupt = self.bankrupt or equity <= 0
        if self.bankrupt:
            return self._send(place, [self._leave(symbol, place, bar, BANKRUPT)])
        signal = self._ask(symbol, bar, seen)
        if signal is None and not place.aimed:
            return ()
        try:
            orders = self._decide(symbol, place, bar, seen, equity, signal)
            return [*self._send(place, orders), *self._resting(symbol, place, bar)]
        except Exception as error:
            raise self._failed("sizing or exits of ", symbol, bar, error) from error

    def filled(self, fill: Fill) -> None:
        """Take note of a fill. What is left of its order, if anything, is not waited for."""
        self._place(fill.symbol).filled(fill)

    def refused(self, refusal: Refusal) -> None:
        """Take note that an order, or what was left of it, was not filled."""
        self._place(refusal.order.symbol).settle(refusal.order)

    def _place(self, symbol: str) -> Place:
        place = self._places.get(symbol)
        if place is None:
            place = self._places[symbol] = Place()
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
            raise self._failed("", symbol, bar, error) from error
        if answer is None:
            return None
        if not isinstance(answer, Signal) or answer.symbol != symbol:
            raise BadSignal(
                f"{self.name} was asked about {symbol} (bar that opened at {utc(bar.open_ms)}) and "
                f"answered {answer!r}; return None, or a Signal with the symbol it was given"
            )
        return answer

    def _failed(self, what: str, symbol: str, bar: Bar, error: Exception) -> StrategyFailed:
        return StrategyFailed(
            f"{what}{self.name} failed on the bar of {symbol} that opened at {utc(bar.open_ms)}: "
            f"{type(error).__name__}: {error}"
        )

    # ------------------------------------------------------------------ orders

    def _decide(
        self,
        symbol: str,
        place: Place,
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

    def _ending(self, place: Place, bar: Bar, wish: int, aimed: int) -> str | None:
        """Return why the position ends, or None."""
        if not aimed:
            return None
        held = place.held
        if held is not None and held.side == aimed:
            for rule in self.exits:
                if rule.ends(held, bar):
                    return rule.reason
        return self._opposite.reason if self._opposite and wish == -aimed else None

    def _leave(self, symbol: str, place: Place, bar: Bar, reason: str) -> Order | None:
        if not place.aimed:
            return None
        return Order(symbol, -place.aimed, reason, bar.close_ms, reduce_only=True)

    def _sized(
        self,
        symbol: str,
        place: Place,
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
        if not 0 <= worth < math.inf:
            raise BadTerms(f"{self.sizing!r} answers with a notional of {worth}")
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

    def _send(self, place: Place, orders: list[Order | None]) -> Sequence[Order]:
        sent = [order for order in orders if order is not None]
        place.sent += sent
        return sent

    def _resting(self, symbol: str, place: Place, bar: Bar) -> Sequence[Order]:
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


def _exits(chosen: object) -> tuple[Exit, ...]:
    """Return exits as a tuple, or say what is none."""
    rules = tuple(chosen) if isinstance(chosen, Iterable) else (chosen,)
    for rule in rules:
        if isinstance(rule, type) or not hasattr(rule, "ends"):
            raise BadTerms(f"{rule!r} is no exit; pass some such as (StopLoss(0.01), MaxBars(60))")
    return rules
