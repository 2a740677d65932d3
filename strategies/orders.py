"""Orders, fills, positions and trades: what a strategy's account is made of.

Quantities are in base currency and signed, buying positive; prices, fees and slippage are in quote
currency; times are epoch milliseconds, UTC. A bar is labelled by its open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from strategies.base_strategy import Side

Action: TypeAlias = Literal["BUY", "SELL"]


class Bar(NamedTuple):
    """One closed bar.

    Parameters
    ----------
    open_ms, close_ms : int
        When it opened and closed; the next bar opens when it closes.
    open, high, low, close : float
        Prices, quote currency.
    volume : float
        Base currency.
    """

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    close_ms: int


@dataclass(frozen=True, slots=True)
class Order:
    """What a strategy's desk asks its broker for at the close of a bar.

    Without `stop` and `limit` it is filled at the open of bar ``t + latency_bars``. With one of
    them it rests at the exchange during that one bar, and ends with it; the desk asks anew at each
    close, so that a trailing stop follows and nothing needs to be cancelled.

    Parameters
    ----------
    symbol : str
        Canonical spelling.
    quantity : float
        Signed, base currency; not 0.
    reason : str
        Why, such as ``"signal"``, ``"stop"``, ``"take profit"``: what the tables show.
    at_ms : int
        Close of the bar that was decided on.
    confidence : float, optional
        That of the signal that opens the position.
    stop, limit : float, optional
        Resting price. A stop is filled when the price touches it, a limit when the price goes
        beyond it; at the open where the bar opens beyond.
    reduce_only : bool
        Never opens: cut to what is held when it is filled, and refused where nothing is.
    """

    symbol: str
    quantity: float
    reason: str
    at_ms: int
    confidence: float | None = None
    stop: float | None = None
    limit: float | None = None
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """What became of an order: it reduces or opens a position, never both.

    Parameters
    ----------
    order : Order
        What was asked for. An order that turns a position around is filled in two parts.
    price : float
        Paid or received, slippage included.
    quantity : float
        Signed; smaller than the order's where money was short or the position was.
    fee, slippage : float
        Money, both not negative. Slippage is against the price before it.
    ts_ms : int
        Open of the bar in which it was filled.
    """

    order: Order
    price: float
    quantity: float
    fee: float
    slippage: float
    ts_ms: int

    @property
    def symbol(self) -> str:
        """What was traded."""
        return self.order.symbol

    @property
    def side(self) -> Action:
        """BUY or SELL."""
        return "BUY" if self.quantity > 0 else "SELL"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that was not filled, or not wholly, and why.

    Parameters
    ----------
    order : Order
        What was asked for.
    quantity : float
        How much of it was refused, signed.
    reason : str
        Which rule, with the numbers.
    ts_ms : int
        Open of the bar in which it would have been filled.
    """

    order: Order
    quantity: float
    reason: str
    ts_ms: int

    @property
    def whole(self) -> bool:
        """Whether nothing of the order was filled."""
        return self.quantity == self.order.quantity


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of a symbol.

    Parameters
    ----------
    symbol : str
        Of what.
    quantity : float
        Signed, not 0.
    price : float
        Average price of what is held, slippage included.
    opened_ms : int
        Open of the bar in which it was opened from nothing.
    opened_bar : int
        That bar's number in the symbol's history.
    fees, slippage : float
        Paid to open what is held.
    confidence : float, optional
        That of the signal that opened it.
    """

    symbol: str
    quantity: float
    price: float
    opened_ms: int
    opened_bar: int
    fees: float
    slippage: float
    confidence: float | None = None

    @property
    def side(self) -> Side:
        """LONG or SHORT."""
        return "LONG" if self.quantity > 0 else "SHORT"


@dataclass(frozen=True, slots=True)
class Trade:
    """A position, or the part of it that one fill closed, from entry to exit.

    Parameters
    ----------
    symbol : str
        What was traded.
    side : {'LONG', 'SHORT'}
        On which side.
    quantity : float
        Closed by this exit; positive.
    entry_ms, exit_ms : int
        Opens of the bars of the fills; `exit_ms` is the close of the last bar where it is open.
    entry_price, exit_price : float
        Average entry and exit, slippage included.
    pnl : float
        Money earned, after the fees of both sides.
    fees, slippage : float
        Money, both sides; this quantity's share of the entry's.
    bars : int
        Bars of the symbol between the two fills.
    reason : str
        Why it was closed; ``"open"`` where it still is at the end.
    confidence : float, optional
        That of the signal that opened it.
    """

    symbol: str
    side: Side
    quantity: float
    entry_ms: int
    entry_price: float
    exit_ms: int
    exit_price: float
    pnl: float
    fees: float
    slippage: float
    bars: int
    reason: str
    confidence: float | None = None

    @property
    def gain(self) -> float:
        """Return on the notional at entry, net of fees: ``pnl / (quantity · entry_price)``."""
        return self.pnl / (self.quantity * self.entry_price)
