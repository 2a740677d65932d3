"""Liquidity and order flow, estimated from candles: spreads, price impact, imbalance."""

from __future__ import annotations

import math

from features.catalogue.feature import Group
from features.catalogue.parts import (
    flow,
    log_range_squared,
    log_return,
    move,
    signed_volume,
    spread,
)
from features.inputs import c, h, l, v
from features.language import (
    covariance,
    deviation,
    equal,
    exp,
    lag,
    larger,
    log,
    magnitude,
    mean,
    normal_cdf,
    ratio,
    root,
    smaller,
    square,
    total,
    variance,
)

micro = Group("micro")
add = micro.add

beta = log_range_squared + lag(log_range_squared, 1)
gamma = square(log(larger(h, lag(h, 1)) / smaller(l, lag(l, 1))))
_K = 3 - 2 * math.sqrt(2)
alpha = (root(beta * 2) - root(beta)) / _K - root(gamma / _K)
corwin = larger((exp(alpha) - 1) * 2 / (exp(alpha) + 1), 0)
add(
    "corwin_schultz_20",
    mean(corwin, 20),
    "Corwin and Schultz' spread from highs and lows, mean of 20 bars",
)

eta = (log(lag(h, 1) / lag(c, 1)) + log(lag(l, 1) / lag(c, 1))) / 2
eta_next = (log(h / lag(c, 1)) + log(l / lag(c, 1))) / 2
add(
    "abdi_ranaldo_20",
    root(larger(mean(eta * eta_next * 4, 20), 0)),
    "Abdi and Ranaldo's spread from close, high and low over 20 bars",
)
add(
    "roll_spread_20",
    root(larger(-covariance(log_return, lag(log_return, 1), 20), 0)) * 2,
    "Roll's spread over 20 bars",
)
impact = ratio(magnitude(log_return), c * v)
add(
    "amihud_rel_20",
    ratio(mean(impact, 20), mean(impact, 200), 1),
    "Amihud's illiquidity of 20 bars relative to that of 200",
)
kyle = ratio(covariance(log_return, signed_volume, 20), variance(signed_volume, 20))
add(
    "kyle_lambda_rel_20",
    kyle * mean(v, 20),
    "Log return for an average volume of one sign, over 20 bars",
)
bought = v * (normal_cdf(ratio(move, deviation(move, 60))) * 2 - 1)
add(
    "bvc_imbalance_20",
    ratio(total(bought, 20), total(v, 20)),
    "Bulk-classified buys minus sells over 20 bars, relative to their volume",
)
add(
    "vpin_50",
    ratio(total(magnitude(bought), 50), total(v, 50)),
    "Probability of informed trading over 50 bars, by bulk classification",
)
add(
    "signed_volume_1",
    ratio(signed_volume, mean(v, 20)),
    "Signed volume relative to the mean of 20 bars",
)
add("clv_volume_5", ratio(total(flow, 5), total(v, 5)), "Chaikin's money flow over 5 bars")
width = ratio(spread / c, v)
add(
    "range_per_volume_20",
    ratio(mean(width, 20), mean(width, 200), 1),
    "Range for each coin traded over 20 bars relative to that over 200",
)
add("zero_volume_share_60", mean(equal(v, 0), 60), "Share of bars without a trade among 60")
