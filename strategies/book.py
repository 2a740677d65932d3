"""Book: what a fill makes of a position. One pure function, for accounts and desks alike."""

from __future__ import annotations

from dataclasses import replace

from strategies.orders import Fill, Position, Trade


def book(
    position: Position | None, fill: Fill, bar: int = 0
) -> tuple[Position | None, Trade | None]:
    """Return the position after a fill, and the trade that the fill closed, if it closed one.

    Parameters
    ----------
    position : Position or None
        What was held of the symbol.
    fill : Fill
        On the same side it adds, at the average price; on the other it closes, and at most all.
    bar : int
        Number of the fill's bar in the symbol's history.

    Notes
    -----
    Entry fees and slippage go with the quantity, so that the pnl of all trades, with what is open
    marked to the market, sum to the change of equity.
    """
    if position is None:
        opened = fill.quantity, fill.price, fill.ts_ms, bar, fill.fee, fill.slippage
        return Position(fill.symbol, *opened, fill.order.confidence), None
    held, change = position.quantity, fill.quantity
    if held * change > 0:
        price = (held * position.price + change * fill.price) / (held + change)
        fees, slippage = position.fees + fill.fee, position.slippage + fill.slippage
        return replace(
            position, quantity=held + change, price=price, fees=fees, slippage=slippage
        ), None
    left = held + change
    share = 1.0 if left == 0 else -change / held
    trade = closed(position, -change, share, fill.price, fill.ts_ms, bar, fill.order.reason, fill)
    if left == 0:
        return None, trade
    fees, slippage = position.fees * (1 - share), position.slippage * (1 - share)
    return replace(position, quantity=left, fees=fees, slippage=slippage), trade


def closed(
    position: Position,
    quantity: float,
    share: float,
    price: float,
    ts_ms: int,
    bar: int,
    reason: str,
    fill: Fill | None = None,
) -> Trade:
    """Return the trade that closing a share of a position at a price makes.

    Parameters
    ----------
    quantity : float
        Closed, with the sign of the position.
    share : float
        The same as a fraction of the position.
    fill : Fill, optional
        What closed it; none where it is only marked to the market.
    """
    fees = position.fees * share + (fill.fee if fill else 0.0)
    slippage = position.slippage * share + (fill.slippage if fill else 0.0)
    pnl = quantity * (price - position.price) - fees
    return Trade(
        position.symbol, position.side, abs(quantity), position.opened_ms, position.price, ts_ms,
        price, pnl, fees, slippage, bar - position.opened_bar, reason, position.confidence,
    )  # fmt: skip
