"""Expressions that features are built of, with the names that definitions are written in."""

from __future__ import annotations

from features.expression import Expr
from features.inputs import DAY, c, h, l, o, ts, v
from features.language import (
    change,
    floordiv,
    lag,
    larger,
    log,
    magnitude,
    mean,
    mod,
    previous_session,
    ratio,
    rma,
    session_highest,
    session_lowest,
    sign,
    smaller,
    square,
    where,
)

spread = h - l
body = c - o
typical = (h + l + c) / 3
middle = (h + l) / 2
top, bottom = larger(o, c), smaller(o, c)
upper_wick, lower_wick = h - top, bottom - l

move = change(c, 1)
gain, loss = larger(move, 0), larger(-move, 0)
true_range = larger(larger(spread, magnitude(h - lag(c, 1))), magnitude(l - lag(c, 1)))
atr = rma(true_range, 14)
simple_return = c / lag(c, 1) - 1
log_return = log(c / lag(c, 1))
log_range_squared = square(log(h / l))

signed_volume = sign(move) * v
flow = ratio((c - l) - (h - c), spread) * v

day = floordiv(ts, DAY)
time_of_day = mod(ts, DAY)
high_before = previous_session(session_highest(h, day), day)
low_before = previous_session(session_lowest(l, day), day)
pivot = (high_before + low_before + previous_session(c, day)) / 3

size = magnitude(body)
usual_range, usual_size = lag(mean(spread, 10), 1), lag(mean(size, 10), 1)
long_body, short_body = size > usual_size, size <= usual_size
no_upper, no_lower = upper_wick <= usual_range * 0.1, lower_wick <= usual_range * 0.1
rising, falling = c > o, c < o


def standardized(x: Expr, sigma: Expr) -> Expr:
    """Return a log return in deviations; 0 where nothing moves but by rounding."""
    return where(sigma > 1e-10, ratio(x, sigma), 0)


def rsi(n: int) -> Expr:
    """Return Wilder's relative strength index over n bars, 0 … 100; 50 where nothing moved."""
    up, down = rma(gain, n), rma(loss, n)
    return ratio(up, up + down, 0.5) * 100
