"""Operations that carry something from bar to bar: recursive averages, streaks, sessions.

`t` is how many bars the program has seen before this piece, `start` the bar at which the inputs
become valid; `state` is a few numbers that live on between calls.
"""

from __future__ import annotations

import math

from numba import njit

from features.engine.kernels.arrays import Column

(
    AVERAGE, ADAPTIVE, STREAK, SESSION_TOTAL, SESSION_HIGHEST, SESSION_LOWEST, PREVIOUS_SESSION,
) = range(200, 207)  # fmt: skip
FIRST, LAST = AVERAGE, PREVIOUS_SESSION
STATES = 4  # numbers of state each operation may keep
STREAK_LIMIT = 64

_FAST, _SLOW = 2.0 / 3.0, 2.0 / 31.0  # Kaufman's smoothing at efficiency 1 and 0


@njit(error_model="numpy")
def apply(
    code: int, n: int, forget: int, alpha: float, age: int,
    x: Column, y: Column, out: Column, state: Column,
) -> None:  # fmt: skip
    """Write the operation `code` to out [m]; `age` = t - start, the bars of input seen before."""
    if code == AVERAGE:
        _average(x, n, forget, alpha, age, out, state)
    elif code == ADAPTIVE:
        _adaptive(x, y, age, out, state)
    elif code == STREAK:
        _streak(x, age, out, state)
    elif code == PREVIOUS_SESSION:
        _previous_session(x, y, age, out, state)
    else:
        _session(code, x, y, age, out, state)


@njit(error_model="numpy")
def _average(
    x: Column, n: int, forget: int, alpha: float, age: int, out: Column, state: Column
) -> None:
    """Write a + alpha (x - a), started with the mean of the first `n` values.

    After `forget` zeros in a row the average is zero: what is left is 1e-9 of what it was. Without
    this, ratios of averages (RSI, ADX) would keep what happened before an outage for ever.
    """
    total, value, zeros = state[0], state[1], state[2]
    for i in range(len(out)):
        if age + i >= n:
            value += alpha * (x[i] - value)
        elif age + i >= 0:
            total += x[i]
            value = total / n
        zeros = zeros + 1.0 if x[i] == 0.0 else 0.0
        if zeros >= forget:
            value = 0.0
        out[i] = value
    state[0], state[1], state[2] = total, value, zeros


@njit(error_model="numpy")
def _adaptive(x: Column, efficiency: Column, age: int, out: Column, state: Column) -> None:
    """Write Kaufman's average: smoothing goes with the square of the efficiency; starts at x."""
    value = state[0]
    for i in range(len(out)):
        if age + i > 0:
            rate = efficiency[i] * (_FAST - _SLOW) + _SLOW
            value += rate * rate * (x[i] - value)
        else:
            value = x[i]
        out[i] = value
    state[0] = value


@njit(error_model="numpy")
def _streak(x: Column, age: int, out: Column, state: Column) -> None:
    """Write how many bars in a row x has had this sign, signed, at most STREAK_LIMIT."""
    streak = state[0]
    for i in range(len(out)):
        if age + i < 0 or x[i] == 0.0:
            streak = 0.0
        elif x[i] > 0.0:
            streak = min(max(streak, 0.0) + 1.0, STREAK_LIMIT)
        else:
            streak = max(min(streak, 0.0) - 1.0, -STREAK_LIMIT)
        out[i] = streak
    state[0] = streak


@njit(error_model="numpy")
def _session(code: int, x: Column, key: Column, age: int, out: Column, state: Column) -> None:
    """Write sum, maximum or minimum of x since `key` last changed."""
    session, value = state[0], state[1]
    for i in range(len(out)):
        if age + i <= 0 or key[i] != session:
            value = x[i]
        elif code == SESSION_TOTAL:
            value += x[i]
        elif code == SESSION_HIGHEST:
            value = max(value, x[i])
        else:
            value = min(value, x[i])
        session = key[i]
        out[i] = value
    state[0], state[1] = session, value


@njit(error_model="numpy")
def _previous_session(x: Column, key: Column, age: int, out: Column, state: Column) -> None:
    """Write the last x of the session before this one; in the very first session, x itself."""
    session, latest, previous = state[0], state[1], state[2]
    for i in range(len(out)):
        if age + i <= 0:
            previous = math.nan
        elif key[i] != session:
            previous = latest
        session, latest = key[i], x[i]
        out[i] = x[i] if math.isnan(previous) else previous
    state[0], state[1], state[2] = session, latest, previous
