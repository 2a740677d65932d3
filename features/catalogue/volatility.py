"""How much the price moves: deviations, ranges, bands, realised variance."""

from __future__ import annotations

import math

from features.catalogue.feature import Group
from features.catalogue.parts import atr, log_range_squared, log_return, true_range
from features.expression import Expr
from features.inputs import c, h, l, o
from features.language import (
    deviation,
    ema,
    highest,
    lag,
    larger,
    log,
    lowest,
    magnitude,
    mean,
    rank,
    ratio,
    rma,
    root,
    smaller,
    square,
    total,
    variance,
)

volatility = Group("volatility")
add, family = volatility.add, volatility.family

_LOG_4 = math.log(4)


def _rms(x: Expr, n: int) -> Expr:
    return root(mean(square(x), n))


def _log_rv(n: int) -> Expr:
    return log(larger(total(square(log_return), n), 1e-12))


family(
    "volatility",
    (5, 10, 20, 60),
    lambda n: deviation(log_return, n),
    "Standard deviation of log returns over {n} bars",
)
family(
    "atr",
    (14,),
    lambda n: rma(true_range, n),
    "Wilder's average true range over {n} bars",
    twin="natr_{n}",
)
family(
    "natr",
    (14,),
    lambda n: rma(true_range, n) / c * 100,
    "Average true range over {n} bars in percent of the close",
)
add("true_range_pct", true_range / c, "True range relative to the close")

band = root(variance(c, 20) * (19 / 20)) * 2
center = mean(c, 20)
add(
    "bb_upper_20",
    center + band,
    "Upper Bollinger band: mean of 20 bars plus 2 deviations",
    twin="bb_percent_20",
)
add("bb_middle_20", center, "Middle Bollinger band: mean of 20 bars", twin="close_to_sma_20")
add(
    "bb_lower_20",
    center - band,
    "Lower Bollinger band: mean of 20 bars minus 2 deviations",
    twin="bb_percent_20",
)
add("bb_width_20", band * 2 / center, "Width of the Bollinger bands relative to the middle")
add(
    "bb_percent_20",
    ratio(c - (center - band), band * 2, 0.5),
    "Place of the close between the Bollinger bands",
)
add(
    "keltner_pos_20",
    ratio(c - ema(c, 20), atr * 2),
    "Place of the close in the Keltner channel, -1 … 1",
)
add(
    "squeeze_20",
    ratio(band, rma(true_range, 20) * 1.5),
    "Bollinger bands relative to the Keltner channel, below 1 is a squeeze",
)

add(
    "parkinson_20",
    root(mean(log_range_squared, 20) / (2 * _LOG_4)),
    "Parkinson's volatility over 20 bars, from highs and lows",
)
klass = mean(log_range_squared, 20) * 0.5 - mean(square(log(c / o)), 20) * (_LOG_4 - 1)
add("garman_klass_20", root(larger(klass, 0)), "Garman and Klass' volatility over 20 bars")
satchell = larger(mean(log(h / c) * log(h / o) + log(l / c) * log(l / o), 20), 0)
add(
    "rogers_satchell_20",
    root(satchell),
    "Rogers and Satchell's volatility over 20 bars, free of drift",
)
weight = 0.34 / (1.34 + 21 / 19)
zhang = (
    variance(log(o / lag(c, 1)), 20) + variance(log(c / o), 20) * weight + satchell * (1 - weight)
)
add("yang_zhang_20", root(zhang), "Yang and Zhang's volatility over 20 bars, with gaps")
add("ewma_vol_94", root(ema(square(log_return), 32)), "RiskMetrics' volatility, decay about 0.94")
add("downside_vol_20", _rms(smaller(log_return, 0), 20), "Root mean square of falls over 20 bars")
add("upside_vol_20", _rms(larger(log_return, 0), 20), "Root mean square of rises over 20 bars")
sigma = deviation(log_return, 20)
add(
    "vol_ratio_5_20",
    ratio(deviation(log_return, 5), sigma, 1),
    "Volatility over 5 bars relative to that over 20",
)
add(
    "vol_of_vol_20",
    ratio(deviation(sigma, 20), mean(sigma, 20)),
    "Deviation of volatility_20 relative to its mean",
)
chop = ratio(total(true_range, 14), highest(h, 14) - lowest(l, 14), 1)
add("chop_14", log(larger(chop, 1e-6)) * (100 / math.log(14)), "Choppiness index over 14 bars")
add("ulcer_14", _rms((c / highest(c, 14) - 1) * 100, 14), "Ulcer index over 14 bars")
bipower = total(magnitude(log_return) * lag(magnitude(log_return), 1), 20) * (math.pi / 2)
add(
    "jump_ratio_20",
    larger(1 - ratio(bipower, total(square(log_return), 20), 1), 0),
    "Share of jumps in the realised variance of 20 bars",
)
# Amaya et al. (2015) take no mean off; with it the feature would be skew_20 by another name.
squares, cubes = total(square(log_return), 20), total(square(log_return) * log_return, 20)
add(
    "realized_skew_20",
    ratio(cubes, squares * root(squares)) * 20**0.5,
    "Realised skewness of 20 bars: root of n times sum of cubes by sum of squares to the 1.5",
)
family(
    "har_rv",
    (12, 72, 288),
    lambda n: _rms(log_return, n),
    "Root mean square of log returns over {n} bars",
)
add("vol_rank_200", rank(sigma, 200), "Rank of volatility_20 among its last 200 values")
family(
    "log_rv",
    (3, 12, 15, 48, 60, 240, 288, 1440, 2016),
    _log_rv,
    "Log of the realised variance of {n} bars, at least ln 1e-12",
)
