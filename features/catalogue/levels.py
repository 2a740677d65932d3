"""Support, resistance, and yesterday's pivots."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import high_before, low_before, pivot
from features.inputs import c, h, l
from features.language import (
    highest,
    lag,
    lowest,
    ratio,
)

levels = Group("levels")
add, family = levels.add, levels.family

family(
    "dist_to_resistance",
    (20, 50),
    lambda n: lag(highest(h, n), 1) / c - 1,
    "Highest high of the {n} bars before, relative to the close",
)
family(
    "dist_to_support",
    (20, 50),
    lambda n: c / lag(lowest(l, n), 1) - 1,
    "Close relative to the lowest low of the {n} bars before",
)
family(
    "breakout_up",
    (20,),
    lambda n: c > lag(highest(h, n), 1),
    "Whether the close is above the {n} bars before",
)
family(
    "breakout_down",
    (20,),
    lambda n: c < lag(lowest(l, n), 1),
    "Whether the close is below the {n} bars before",
)

add("pivot_dist", c / pivot - 1, "Close relative to yesterday's pivot (UTC days)")
add(
    "pivot_r1_dist",
    (pivot * 2 - low_before) / c - 1,
    "First resistance of yesterday's pivot, relative to the close",
)
# 2 pivot - high_before can come near zero after a day that fell by most of its price; the close
# cannot.
add(
    "pivot_s1_dist",
    1 - (pivot * 2 - high_before) / c,
    "Distance of the close above the first support of yesterday's pivot",
)
add(
    "prev_day_range_pos",
    ratio(c - low_before, high_before - low_before, 0.5),
    "Place of the close in yesterday's range",
)
add(
    "swing_high_dist_5",
    highest(lag(h, 2), 20) / c - 1,
    "Highest high of 20 bars, the last two left out, relative to the close",
)
