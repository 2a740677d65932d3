"""Walk: columns of signals against candles, compiled, one pass over all symbols.

The same rules as `strategies.broker.SimulatedBroker` and `strategies.desk.Desk`, written once more
for arrays; the tests hold the two against each other. In each row orders are filled at the open,
positions are marked at the close, and orders are made, which wait for later rows. What has been
ordered counts as held when the next order is made.
"""

from __future__ import annotations

from math import copysign, inf, isnan

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.engine.compiled import compiled
from strategies import codes as c
from strategies.codes import Floats, Line, Log, State, Terms, Whole
from strategies.costs import ROUNDING

_RESTS, _ONLY_REDUCES, _WHY, _ASKED_MS, _ORDERED = range(5)


@compiled
def walk(
    ms: Whole,
    opens: Floats,
    closes: Floats,
    wishes: Floats,
    ends: NDArray[np.bool_],
    ranks: Whole,
    cash: float,
    step_ms: int,
    mode: int,
    terms: Terms,
    size: float,
    tells: bool,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return equity, exposure, fills and refusals.

    Parameters
    ----------
    ms : int64[T]
        When the rows' bars open.
    opens, closes : float64[T, S]
        Prices; NaN where a symbol has no bar.
    wishes : float64[T, S]
        Seen at the close of a row, by `mode`; NaN is no new wish.
    ends : bool[T or 0, S]
        Whether a position ends, seen at the close; read with `ENTRIES`, none of no rows.
    ranks : int64[S]
        The symbols in the order of their turns.
    cash, step_ms : float, int
        What the account begins with; length of a bar.
    mode : int
        `TARGETS`, `ENTRIES` or `QUANTITIES` of `strategies.codes`.
    terms : tuple
        `strategies.codes.Terms`.
    size : float
        Fraction of equity that an entry takes, or the tolerance of `strategies.columns.Targets`.
    tells : bool
        Whether fills, refusals and exposure are wanted; otherwise they are empty.

    Returns
    -------
    equity, exposure : float64[T], float64[T, S]
        At the closes; exposure is signed notional / equity.
    fills, refusals : float64[n, 8]
        In the order in which they happened; columns as in `strategies.codes`.
    """
    rows, symbols = opens.shape
    state = (np.array([cash]), np.zeros(symbols), np.full(symbols, np.nan))
    places = 2 * terms[2] + 2
    line = (np.empty((symbols, places, 5)), np.zeros(symbols, np.int64))
    equity, exposure = np.empty(rows), np.zeros((rows if tells else 0, symbols))
    fills, refusals = np.empty((256, c.LOG_WIDTH)), np.empty((256, c.LOG_WIDTH))
    logged, waits = np.zeros(2, np.int64), False
    for t in range(rows):
        if waits:
            fills = _roomy(fills, logged[0], 2 * symbols * places)
            refusals = _roomy(refusals, logged[1], 2 * symbols * places)
            log = (fills, refusals, logged, tells)
            moment = _earliest(t, opens, line)
            while moment <= ms[t] - terms[2] * step_ms:
                _reduce(t, moment, opens, ranks, state, line, terms, log)
                _open(t, moment, opens, ranks, state, line, terms, log)
                moment = _earliest(t, opens, line)
            waits = bool(line[1].any())
        worth = equity[t] = _mark(t, closes, state)
        for s in range(symbols):
            if tells and worth > 0.0 and state[1][s] != 0.0:
                exposure[t, s] = state[1][s] * state[2][s] / worth
            ending = len(ends) > 0 and ends[t, s]
            asked = worth <= 0.0 or ending or not isnan(wishes[t, s])
            if asked and not isnan(closes[t, s]):
                before = line[1][s]
                _decide(s, wishes[t, s], ending, worth, mode, terms[4], size, state, line)
                line[0][s, before : line[1][s], _ASKED_MS] = ms[t]
                waits = waits or line[1][s] > 0
    return equity, exposure, fills[: logged[0]], refusals[: logged[1]]


@njit(error_model="numpy")
def _mark(t: int, closes: Floats, state: State) -> float:
    """Mark positions at the closes and return what the account is worth."""
    account, held, marks = state
    worth: float = account[0]
    for s in range(len(held)):
        if not isnan(closes[t, s]):
            marks[s] = closes[t, s]
        if held[s] != 0.0:
            worth += held[s] * marks[s]
    return worth


@njit(error_model="numpy")
def _decide(
    s: int,
    wish: float,
    ending: bool,
    worth: float,
    mode: int,
    shorts: bool,
    size: float,
    state: State,
    line: Line,
) -> None:
    """Put what is wished for at a close into the queue."""
    aimed = _aimed(s, state, line)
    if worth <= 0.0:
        _ask(s, -aimed, True, c.BANKRUPT, line)
    elif mode == c.QUANTITIES:
        _ask(s, wish, False, c.ORDER, line)
    elif mode != c.ENTRIES:
        _aim(s, wish if shorts else max(wish, 0.0), aimed, worth / state[2][s], size, line)
    else:
        ending = ending and state[1][s] * aimed > 0.0
        _enter(s, wish, ending, aimed, size * worth / state[2][s], shorts, line)


@njit(error_model="numpy")
def _aimed(s: int, state: State, line: Line) -> float:
    """Return what will be held when all that waits is filled; what only reduces opens nothing."""
    aimed: float = state[1][s]
    for k in range(line[1][s]):
        change = line[0][s, k, _RESTS]
        if line[0][s, k, _ONLY_REDUCES] != 0.0:
            change = -copysign(min(abs(change), abs(aimed)), aimed) if change * aimed < 0.0 else 0.0
        aimed += change
    return aimed


@njit(error_model="numpy")
def _aim(s: int, wish: float, aimed: float, unit: float, tolerance: float, line: Line) -> None:
    """Order what is missing to a share of equity."""
    change = wish * unit - aimed
    if wish == 0.0:
        _ask(s, -aimed, True, c.TARGET, line)
    elif wish * aimed <= 0.0 or abs(change) > tolerance * abs(aimed):
        _ask(s, change, False, c.TARGET, line)


@njit(error_model="numpy")
def _enter(
    s: int, wish: float, ending: bool, aimed: float, quantity: float, shorts: bool, line: Line
) -> None:
    """Leave where told or where the wish is opposite, and open where nothing is aimed at."""
    wished = not isnan(wish) and wish != 0.0
    opposite = wished and wish * aimed < 0.0
    if ending or opposite:
        _ask(s, -aimed, True, c.EXIT if ending else c.OPPOSITE, line)
    if wished and (aimed == 0.0 or opposite) and (shorts or wish > 0.0):
        _ask(s, copysign(quantity, wish), False, c.SIGNAL, line)


@njit(error_model="numpy")
def _ask(s: int, quantity: float, only_reduces: bool, why: int, line: Line) -> None:
    queue, waiting = line
    if quantity != 0.0 and not isnan(quantity):
        order = queue[s, waiting[s]]
        order[_RESTS], order[_ORDERED] = quantity, quantity
        order[_ONLY_REDUCES], order[_WHY] = only_reduces, why
        waiting[s] += 1


@njit(error_model="numpy")
def _earliest(t: int, opens: Floats, line: Line) -> float:
    """Return when the oldest order that waits for a bar of this row was asked for."""
    moment = inf
    for s in range(len(line[1])):
        if line[1][s] > 0 and not isnan(opens[t, s]):
            moment = min(moment, line[0][s, 0, _ASKED_MS])
    return moment


@njit(error_model="numpy")
def _reduce(
    t: int, due: float, opens: Floats, rank: Whole, state: State, line: Line, terms: Terms, log: Log
) -> None:
    """Fill what closes; what is left of an order stays in the queue."""
    held, (queue, waiting) = state[1], line
    for s in rank:
        for k in range(0 if isnan(opens[t, s]) else waiting[s]):
            order = queue[s, k]
            if order[_ASKED_MS] > due:
                break
            rest, why = order[_RESTS], order[_WHY]
            if held[s] * rest < 0.0:
                part = -held[s] if abs(rest) >= abs(held[s]) else rest
                _fill(t, s, part, opens[t, s], why, state, terms, log)
                rest -= part
            elif rest != 0.0 and order[_ONLY_REDUCES] != 0.0:
                _refuse(t, s, rest, c.NOTHING_HELD, 0.0, order, log)
            order[_RESTS] = 0.0 if order[_ONLY_REDUCES] != 0.0 else rest


@njit(error_model="numpy")
def _open(
    t: int, due: float, opens: Floats, rank: Whole, state: State, line: Line, terms: Terms, log: Log
) -> None:
    """Fill what opens, and take what is done out of the queue."""
    queue, waiting = line
    for s in rank:
        done = 0
        while done < waiting[s] and not isnan(opens[t, s]) and queue[s, done, _ASKED_MS] <= due:
            if queue[s, done, _RESTS] != 0.0:
                _take(t, s, queue[s, done], opens[t, s], state, terms, log)
            done += 1
        for k in range(done, waiting[s] if done else 0):
            queue[s, k - done] = queue[s, k]
        waiting[s] -= done


@njit(error_model="numpy")
def _take(
    t: int, s: int, order: Floats, opened: float, state: State, terms: Terms, log: Log
) -> None:
    """Open as much as the terms allow."""
    fee, slip, _, least, shorts, leverage = terms
    rest = order[_RESTS]
    if rest < 0.0 and not shorts:
        _refuse(t, s, rest, c.NO_SHORTS, 0.0, order, log)
        return
    price = opened * (1.0 + slip if rest > 0.0 else 1.0 - slip)
    worth, gross = state[0][0], 0.0
    for other in range(len(state[1])):
        if state[1][other] != 0.0:
            value = state[1][other] * (price if other == s else state[2][other])
            worth += value
            gross += abs(value)
    spare = leverage * worth - gross
    room = spare / (1.0 + leverage * fee) / price if spare > ROUNDING * worth else 0.0
    taken = copysign(min(abs(rest), room), rest)
    if taken == 0.0 or abs(taken) * price < least:
        _refuse(t, s, rest, c.LEAST if room >= abs(rest) else c.MONEY, room * price, order, log)
        return
    _fill(t, s, taken, opened, order[_WHY], state, terms, log)
    if taken != rest:
        _refuse(t, s, rest - taken, c.CUT, room * price, order, log)


@njit(error_model="numpy")
def _fill(
    t: int, s: int, quantity: float, opened: float, why: float, state: State, terms: Terms, log: Log
) -> None:
    price = opened * (1.0 + terms[1] if quantity > 0.0 else 1.0 - terms[1])
    fee = abs(quantity) * price * terms[0]
    state[0][0] -= quantity * price + fee
    state[1][s] += quantity
    if log[3]:
        fill = log[0][log[2][0]]
        fill[c.ROW], fill[c.SYMBOL] = t, s
        fill[c.QUANTITY], fill[c.PRICE], fill[c.FEE] = quantity, price, fee
        fill[c.SLIPPAGE], fill[c.REASON] = abs(quantity) * abs(price - opened), why
        log[2][0] += 1


@njit(error_model="numpy")
def _refuse(
    t: int, s: int, quantity: float, kind: int, room: float, order: Floats, log: Log
) -> None:
    if log[3]:
        refusal = log[1][log[2][1]]
        refusal[c.ROW], refusal[c.SYMBOL], refusal[c.QUANTITY] = t, s, quantity
        refusal[c.KIND], refusal[c.ROOM], refusal[c.ORDERED] = kind, room, order[_ORDERED]
        refusal[c.REASON], refusal[c.ASKED_MS] = order[_WHY], order[_ASKED_MS]
        log[2][1] += 1


@njit(error_model="numpy")
def _roomy(log: Floats, used: int, more: int) -> Floats:
    """Return the log with place for more lines."""
    if used + more > len(log):
        larger = np.empty((2 * len(log) + more, log.shape[1]))
        larger[:used] = log[:used]
        log = larger
    return log
