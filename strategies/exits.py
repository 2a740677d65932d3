"""Exits: what ends a position.

A tuple of them is asked at each close; the first that says so ends it, at the next open.

A stop or a target may be `resting` instead: an order at the exchange, from the bar after the
entry's on, filled inside a bar at its price, or at the open of a bar that opens beyond it. Where
a bar touches both, the stop counts: which came first cannot be known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from strategies.errors import BadTerms
from strategies.orders import Bar


@dataclass(slots=True)
class Held:
    """What an exit is told of the position.

    Parameters
    ----------
    side : int
        1 long, -1 short.
    price : float
        Average entry.
    bars : int
        Bars since the entry, its own included: 1 at the close of the bar in which it was filled.
    best : float
        Best price since the entry: highest high of a long position, lowest low of a short one.
    """

    side: int
    price: float
    bars: int
    best: float


class Exit(Protocol):
    """Decides when a position ends."""

    @property
    def reason(self) -> str:
        """What the tables show."""

    def ends(self, held: Held, bar: Bar) -> bool:
        """Return whether the position shall end at the next open, as seen at a close."""

    def rests(self, held: Held) -> tuple[float | None, float | None]:
        """Return (stop, limit): prices of orders to rest at the exchange during the next bar."""


@dataclass(frozen=True)
class _Level:
    """An exit at a distance from a price of the position.

    Parameters
    ----------
    distance : float
        Fraction of that price; 0.01 is one per cent.
    resting : bool
        As an order at the exchange; otherwise decided at closes.
    """

    distance: float
    resting: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.distance < math.inf:
            raise BadTerms(f"a distance of {self.distance} is no exit; 0.01 is one per cent")

    def _level(self, held: Held) -> float:
        raise NotImplementedError


@dataclass(frozen=True)
class StopLoss(_Level):
    """Ends a position that has lost a fraction of its entry price.

    Parameters
    ----------
    distance : float
        Fraction of the entry price.
    resting : bool
        As a stop order at the exchange.
    """

    reason = "stop loss"

    def _level(self, held: Held) -> float:
        return held.price * (1 - held.side * self.distance)

    def ends(self, held: Held, bar: Bar) -> bool:
        """Return whether the close is at the level or worse."""
        return not self.resting and held.side * (bar.close - self._level(held)) <= 0

    def rests(self, held: Held) -> tuple[float | None, float | None]:
        """Return the level as a stop."""
        level = self._level(held) if self.resting else None
        return (level if level is not None and level > 0 else None), None


@dataclass(frozen=True)
class TrailingStop(StopLoss):
    """Ends a position that has given back a fraction of its best price since the entry.

    Parameters
    ----------
    distance : float
        Fraction of the best price.
    resting : bool
        As a stop order at the exchange, moved at each close.
    """

    reason = "trailing stop"

    def _level(self, held: Held) -> float:
        return held.best * (1 - held.side * self.distance)


@dataclass(frozen=True)
class TakeProfit(_Level):
    """Ends a position that has gained a fraction of its entry price.

    Parameters
    ----------
    distance : float
        Fraction of the entry price.
    resting : bool
        As a limit order at the exchange.
    """

    reason = "take profit"

    def _level(self, held: Held) -> float:
        return held.price * (1 + held.side * self.distance)

    def ends(self, held: Held, bar: Bar) -> bool:
        """Return whether the close is at the level or better."""
        return not self.resting and held.side * (bar.close - self._level(held)) >= 0

    def rests(self, held: Held) -> tuple[float | None, float | None]:
        """Return the level as a limit."""
        level = self._level(held) if self.resting else None
        return None, (level if level is not None and level > 0 else None)


@dataclass(frozen=True)
class MaxBars:
    """Ends a position that has been held for so many bars, from open to open.

    Parameters
    ----------
    bars : int
        1 or more.
    """

    bars: int = 60
    reason = "max bars"

    def __post_init__(self) -> None:
        if self.bars < 1:
            raise BadTerms(f"max bars is {self.bars}; a position is held for 1 or more")

    def ends(self, held: Held, bar: Bar) -> bool:
        """Return whether it has been."""
        return held.bars >= self.bars

    def rests(self, held: Held) -> tuple[float | None, float | None]:
        """Return nothing."""
        return None, None


@dataclass(frozen=True)
class OppositeSignal:
    """Lets a wish for the other side end a position, and open that one at the same open.

    Without it such a wish is not heard while a position is held.

    Parameters
    ----------
    turn : bool
        Open the other side too; otherwise only end.
    """

    turn: bool = True
    reason = "opposite signal"

    def ends(self, held: Held, bar: Bar) -> bool:
        """Return False: the desk knows the signal."""
        return False

    def rests(self, held: Held) -> tuple[float | None, float | None]:
        """Return nothing."""
        return None, None
