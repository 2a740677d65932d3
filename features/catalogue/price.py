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

add("open", o, "Open of the bar")
add("high", h, "High of the bar")
add("low", l, "Low of the bar")
add("close", c, "Close of the bar")
family(
    "return",
    (1, 2, 5, 10, 20, 60),
    lambda n: c / lag(c, n) - 1,
    "Change of the close over {n} bars",
)
family(
    "log_return", (1, 5, 20), lambda n: log(c / lag(c, n)), "Log change of the close over {n} bars"
)
family("momentum", (5, 10, 20), lambda n: change(c, n), "Difference of the close to {n} bars ago")
family("acceleration", (5,), lambda n: change(change(c, n), n), "Change of momentum over {n} bars")
for n in (5, 10, 20):
    add(
        f"momentum_{n}_atr",
        ratio(change(c, n), atr),
        f"Momentum over {n} bars in average true ranges",
    )
add(
    "acceleration_5_atr",
    ratio(change(change(c, 5), 5), atr),
    "Acceleration over 5 bars in average true ranges",
)
add("hl_range", spread, "High minus low")
add("hl_range_pct", spread / c, "High minus low, relative to the close")
add("oc_range", body, "Close minus open")
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
