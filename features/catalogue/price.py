"""Returns, momentum and the shape of the bar."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import (
    atr,
    body,
    log_return,
    lower_wick,
    spread,
    standardized,
    typical,
    upper_wick,
)
from features.inputs import c, h, l, o
from features.language import change, deviation, lag, log, magnitude, ratio

price = Group("price")
add, family = price.add, price.family

add("open", o, "Open of the bar", twin="gap_pct")
add("high", h, "High of the bar", twin="upper_wick_pct")
add("low", l, "Low of the bar", twin="lower_wick_pct")
add("close", c, "Close of the bar", twin="return_1")
family(
    "return",
    (1, 2, 5, 10, 20, 60),
    lambda n: c / lag(c, n) - 1,
    "Change of the close over {n} bars",
)
family(
    "log_return", (1, 5, 20), lambda n: log(c / lag(c, n)), "Log change of the close over {n} bars"
)
family(
    "momentum",
    (5, 10, 20),
    lambda n: change(c, n),
    "Difference of the close to {n} bars ago",
    twin="momentum_{n}_atr",
)
family(
    "acceleration",
    (5,),
    lambda n: change(change(c, n), n),
    "Change of momentum over {n} bars",
    twin="acceleration_{n}_atr",
)
family(
    "momentum_{n}_atr",
    (5, 10, 20),
    lambda n: ratio(change(c, n), atr),
    "Momentum over {n} bars in average true ranges",
)
family(
    "acceleration_{n}_atr",
    (5,),
    lambda n: ratio(change(change(c, n), n), atr),
    "Acceleration over {n} bars in average true ranges",
)
add("hl_range", spread, "High minus low", twin="hl_range_pct")
add("hl_range_pct", spread / c, "High minus low, relative to the close")
add("oc_range", body, "Close minus open", twin="oc_range_pct")
add("oc_range_pct", body / o, "Close minus open, relative to the open")
add(
    "body_to_range",
    ratio(magnitude(body), spread),
    "Share of the bar's range between open and close",
)
add("upper_wick_pct", ratio(upper_wick, spread), "Share of the bar's range above the body")
add("lower_wick_pct", ratio(lower_wick, spread), "Share of the bar's range below the body")
add("close_location", ratio(c - l, spread, 0.5), "Place of the close between low (0) and high (1)")
add("gap_pct", o / lag(c, 1) - 1, "Open relative to the close before")
add("typical_price_dev", typical / c - 1, "Mean of high, low and close, relative to the close")
add(
    "momentum_z_12",
    standardized(log(c / lag(c, 12)), deviation(log_return, 60) * 12**0.5),
    "Log change over 12 bars in standard deviations of such a change, by the last 60 bars",
)
