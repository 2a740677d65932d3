"""What kind of market it is: trending, reverting, calm."""

from __future__ import annotations

import math

from features.catalogue.feature import Group
from features.catalogue.parts import log_return, move
from features.expression import Expr
from features.inputs import c
from features.language import (
    change,
    deviation,
    ema,
    lag,
    larger,
    log,
    magnitude,
    mean,
    ratio,
    root,
    sign,
    square,
    total,
    variance,
    where,
)

regime = Group("regime")
add, family = regime.add, regime.family


def _efficiency(n: int) -> Expr:
    return ratio(magnitude(change(c, n)), total(magnitude(move), n))


family(
    "efficiency_ratio",
    (10, 50),
    _efficiency,
    "Kaufman's efficiency over {n} bars: way made by way gone",
)
# In an outage both averages end at the price but for rounding; which is the larger says nothing.
lead = ema(c, 50) / ema(c, 200) - 1
add(
    "trend_regime",
    sign(where(magnitude(lead) > 1e-9, lead, 0)),
    "1 while ema_50 is above ema_200, -1 below, 0 where they meet",
)
one, five, sixteen = (variance(log(c / lag(c, n)), 100) for n in (1, 5, 16))
add(
    "variance_ratio_5_100",
    ratio(five, one * 5, 1),
    "Variance of 5-bar returns relative to five times that of 1-bar ones, over 100 bars",
)
add(
    "hurst_100",
    log(larger(ratio(sixteen, one, 16), 1e-12)) / (2 * math.log(16)),
    "Hurst exponent over 100 bars, from returns over 1 and 16 bars",
)
calm = root(mean(square(log_return), 288))
add(
    "vol_regime_20_288",
    ratio(deviation(log_return, 20), calm, 1),
    "Volatility over 20 bars relative to that over 288",
)
