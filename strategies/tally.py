"""Tally: what many fills make of positions, compiled; the rules are `strategies.book.book`'s."""

from __future__ import annotations

import numpy as np
from numba import njit

from features.engine.compiled import compiled
from strategies import codes as c
from strategies.codes import Floats, Whole

SYMBOL, SIGNED, ENTRY_ROW, ENTRY_PRICE, EXIT_ROW, EXIT_PRICE = range(6)
PNL, FEES, SLIPPAGE, BARS, WHY = range(6, 11)
"""Columns of trades: signed quantity, rows of the fills, money, bars between, code of a reason."""
_HELD, _AVERAGE, _PAID, _SLIPPED, _ROW, _NUMBER = range(6)


@compiled
def tally(
    fills: Floats, numbers: Whole, marks: Floats, last: Whole, ranks: Whole, still: int
) -> Floats:
    """Return a trade for each fill that closes something, and then those that are still open.

    Parameters
    ----------
    fills : float64[n, 8]
        As `strategies.walk.walk` tells them.
    numbers : int64[n]
        Number of each fill's bar in its symbol's history.
    marks, last : float64[S], int64[S]
        Latest close of each symbol and the number of its bar.
    ranks : int64[S]
        The symbols in the order in which open positions are told.
    still : int
        Code of the reason of trades that are still open; their exit row is -1.

    Returns
    -------
    float64[m, 11]
        See the columns above.
    """
    places = np.zeros((len(marks), 6))
    trades, made = np.empty((len(fills) + len(marks), 11)), 0
    for n in range(len(fills)):
        fill = fills[n]
        s = int(fill[c.SYMBOL])
        place, change = places[s], fill[c.QUANTITY]
        part = 0.0
        if place[_HELD] * change < 0.0:
            part = change if abs(change) < abs(place[_HELD]) else -place[_HELD]
            _close(trades[made], place, s, fill, part / change, -part, numbers[n])
            made += 1
        if change != part:
            _add(place, fill, change - part, 1.0 - part / change, numbers[n])
    for s in ranks:
        if places[s, _HELD] != 0.0:
            mark = np.array([-1.0, s, 0.0, marks[s], 0.0, still, 0.0])
            _close(trades[made], places[s], s, mark, 0.0, places[s, _HELD], last[s])
            made += 1
    return trades[:made]


@njit(error_model="numpy")
def _add(place: Floats, fill: Floats, change: float, share: float, number: int) -> None:
    """Open a position or add to it."""
    held = place[_HELD]
    if held == 0.0:
        place[:] = 0.0
        place[_ROW], place[_NUMBER] = fill[c.ROW], number
    place[_AVERAGE] = (held * place[_AVERAGE] + change * fill[c.PRICE]) / (held + change)
    place[_HELD] = held + change
    place[_PAID] += fill[c.FEE] * share
    place[_SLIPPED] += fill[c.SLIPPAGE] * share


@njit(error_model="numpy")
def _close(
    trade: Floats, place: Floats, s: int, fill: Floats, share: float, quantity: float, number: int
) -> None:
    """Close a quantity, which has the position's sign, by a share of a fill."""
    of_place = quantity / place[_HELD]
    fees = place[_PAID] * of_place + fill[c.FEE] * share
    trade[SYMBOL], trade[SIGNED] = s, quantity
    trade[ENTRY_ROW], trade[ENTRY_PRICE] = place[_ROW], place[_AVERAGE]
    trade[EXIT_ROW], trade[EXIT_PRICE] = fill[c.ROW], fill[c.PRICE]
    trade[PNL] = quantity * (fill[c.PRICE] - place[_AVERAGE]) - fees
    trade[FEES] = fees
    trade[SLIPPAGE] = place[_SLIPPED] * of_place + fill[c.SLIPPAGE] * share
    trade[BARS], trade[WHY] = number - place[_NUMBER], fill[c.REASON]
    place[_HELD] -= quantity
    place[_PAID] *= 1.0 - of_place
    place[_SLIPPED] *= 1.0 - of_place
