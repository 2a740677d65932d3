"""Expressions that several groups are built of."""

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
    mod,
    ratio,
    rma,
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
true_range = larger(larger(spread, magnitude(h - lag(c, 1))), magnitude(l - lag(c, 1)))
atr = rma(true_range, 14)
simple_return = c / lag(c, 1) - 1
log_return = log(c / lag(c, 1))
log_range_squared = square(log(h / l))

signed_volume = sign(move) * v
flow = ratio((c - l) - (h - c), spread) * v

day = floordiv(ts, DAY)
time_of_day = mod(ts, DAY)


def standardized(x: Expr, sigma: Expr) -> Expr:
    """Return a log return in deviations; 0 where nothing moves but by rounding."""
    return where(sigma > 1e-10, ratio(x, sigma), 0)


def rsi(n: int) -> Expr:
    """Return Wilder's relative strength index over n bars, 0 … 100; 50 where nothing moved."""
    up, down = rma(larger(move, 0), n), rma(larger(-move, 0), n)
    return ratio(up, up + down, 0.5) * 100
