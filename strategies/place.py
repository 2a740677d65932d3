"""Place: what a desk knows of one symbol."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from strategies.book import book
from strategies.exits import Held
from strategies.orders import Bar, Fill, Order, Position


@dataclass(slots=True)
class Place:
    """What is held of a symbol and what is on its way to be.

    Parameters
    ----------
    position : Position, optional
        What is held.
    held : Held, optional
        The same, as exits are told of it.
    sent : list of Order
        On their way, without resting ones.
    """

    position: Position | None = None
    held: Held | None = None
    sent: list[Order] = field(default_factory=list)

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

    def filled(self, fill: Fill) -> None:
        """Take note of a fill. What is left of its order, if anything, is not waited for."""
        self.settle(fill.order)
        self.position, _ = book(self.position, fill)
        position = self.position
        if position is None:
            self.held = None
        elif self.held is None:
            side = 1 if position.quantity > 0 else -1
            self.held = Held(side, position.price, 0, position.price)
        else:
            self.held.price = position.price

    def settle(self, order: Order) -> None:
        """Take an order, of which something was heard, off those that are on their way."""
        if order in self.sent:
            self.sent.remove(order)

    def grow_older(self, bar: Bar) -> None:
        """Count a bar that has closed, if something was held in it."""
        held = self.held
        if held is not None:
            held.bars += 1
            held.best = max(held.best, bar.high) if held.side > 0 else min(held.best, bar.low)
