"""Candlestick patterns: 1 where the bar completes one (-1 for its bearish twin), 0 elsewhere."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import (
    bottom,
    falling,
    long_body,
    lower_wick,
    move,
    no_lower,
    no_upper,
    rising,
    short_body,
    size,
    top,
    upper_wick,
    usual_range,
)  # fmt: skip
from features.expression import Expr
from features.inputs import c, h, l, o
from features.language import lag, larger, sign, smaller, streak, total

pattern = Group("pattern")
add = pattern.add


def _before(x: Expr) -> Expr:
    return lag(x, 1)


half_before = (_before(o) + _before(c)) / 2
half_two_before = (lag(o, 2) + lag(c, 2)) / 2

add("cdl_doji", size <= usual_range * 0.1, "Open and close nearly equal")
add("cdl_hammer", (lower_wick >= size * 2) & no_upper & (size > 0), "Long lower wick, no upper one")
add(
    "cdl_shooting_star",
    (upper_wick >= size * 2) & no_lower & (size > 0),
    "Long upper wick, no lower one",
)
add("cdl_marubozu", long_body & no_upper & no_lower, "Long body without wicks")
bull = rising & _before(falling) & (c >= _before(o)) & (o <= _before(c)) & (size > _before(size))
bear = falling & _before(rising) & (o >= _before(c)) & (c <= _before(o)) & (size > _before(size))
add(
    "cdl_engulfing", bull - bear, "Body that engulfs the opposite one before; 1 bullish, -1 bearish"
)
inside = (top < larger(_before(o), _before(c))) & (bottom > smaller(_before(o), _before(c)))
add(
    "cdl_harami",
    (_before(long_body) & inside) * sign(_before(o) - _before(c)),
    "Body inside the long one before; 1 after a fall, -1 after a rise",
)
star = _before(short_body)
add(
    "cdl_morning_star",
    lag(falling & long_body, 2) & star & rising & (c > half_two_before),
    "Long fall, short body, rise past half of the fall",
)
add(
    "cdl_evening_star",
    lag(rising & long_body, 2) & star & falling & (c < half_two_before),
    "Long rise, short body, fall past half of the rise",
)
rises, falls = (
    (c > _before(c)) & (_before(c) > lag(c, 2)),
    (c < _before(c)) & (_before(c) < lag(c, 2)),
)
add(
    "cdl_three_white_soldiers",
    rising & _before(rising) & lag(rising, 2) & rises & long_body,
    "Three rising bars, the last of them long",
)
add(
    "cdl_three_black_crows",
    falling & _before(falling) & lag(falling, 2) & falls & long_body,
    "Three falling bars, the last of them long",
)
add("cdl_inside_bar", (h < _before(h)) & (l > _before(l)), "Range inside the one before")
add("cdl_outside_bar", (h > _before(h)) & (l < _before(l)), "Range around the one before")
add(
    "cdl_piercing",
    rising & _before(falling) & (o < _before(l)) & (c > half_before),
    "Opens below the falling bar before, closes past half of it",
)
add(
    "cdl_dark_cloud",
    falling & _before(rising) & (o > _before(h)) & (c < half_before),
    "Opens above the rising bar before, closes past half of it",
)
add(
    "consecutive_candles",
    streak(move),
    "Closes in a row in this direction: positive rising, negative falling, at most 64",
)
add("bull_count_10", total(rising, 10), "Bars of the last 10 that closed above their open")
