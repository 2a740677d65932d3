"""Averages, directional movement, channels: where the price is going."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import atr, middle, true_range
from features.expression import Expr
from features.inputs import c, h, l
from features.language import (
    change,
    ema,
    highest,
    kama,
    lag,
    lowest,
    magnitude,
    mean,
    parabolic_stop,
    r_squared,
    ratio,
    rma,
    since_highest,
    since_lowest,
    slope,
    supertrend,
    total,
    where,
)

trend = Group("trend")
add, family = trend.add, trend.family


def _midpoint(n: int) -> Expr:
    return (highest(h, n) + lowest(l, n)) / 2


family(
    "sma",
    (5, 10, 20, 50),
    lambda n: mean(c, n),
    "Mean of the last {n} closes",
    twin="close_to_sma_{n}",
)
family(
    "close_to_sma",
    (5, 10, 20, 50),
    lambda n: c / mean(c, n) - 1,
    "Close relative to its mean over {n} bars",
)
family(
    "ema",
    (10, 20, 50, 200),
    lambda n: ema(c, n),
    "Exponential average of the close, alpha 2/({n}+1)",
    twin="close_to_ema_{n}",
)
family(
    "close_to_ema",
    (10, 20, 50, 200),
    lambda n: c / ema(c, n) - 1,
    "Close relative to its exponential average over {n} bars",
)
add(
    "ema_10_20_spread",
    ema(c, 10) / ema(c, 20) - 1,
    "Exponential average over 10 bars relative to that over 20",
)
add(
    "ema_50_200_spread",
    ema(c, 50) / ema(c, 200) - 1,
    "Exponential average over 50 bars relative to that over 200",
)

macd = add(
    "macd",
    ema(c, 12) - ema(c, 26),
    "Exponential average over 12 bars minus that over 26",
    twin="macd_pct",
)
signal = add(
    "macd_signal", ema(macd, 9), "Exponential average of macd over 9 bars", twin="macd_signal_pct"
)
add("macd_histogram", macd - signal, "macd minus its signal line", twin="macd_histogram_pct")
add("macd_pct", macd / c, "macd relative to the close")
add("macd_signal_pct", signal / c, "macd_signal relative to the close")
add("macd_histogram_pct", (macd - signal) / c, "macd_histogram relative to the close")

rise, fall = change(h, 1), lag(l, 1) - l
plus_di = ratio(rma(where((rise > fall) & (rise > 0), rise, 0), 14), atr) * 100
minus_di = ratio(rma(where((fall > rise) & (fall > 0), fall, 0), 14), atr) * 100
directional = ratio(magnitude(plus_di - minus_di), plus_di + minus_di) * 100
add("adx_14", rma(directional, 14), "Wilder's average directional index")
add("plus_di_14", plus_di, "Wilder's upward directional indicator")
add("minus_di_14", minus_di, "Wilder's downward directional indicator")
add("di_diff_14", plus_di - minus_di, "Upward minus downward directional indicator")

aroon_up = add(
    "aroon_up_25",
    (25 - since_highest(h, 26)) / 25 * 100,
    "How recent the high of 25 bars is, 100 is now",
)
aroon_down = add(
    "aroon_down_25",
    (25 - since_lowest(l, 26)) / 25 * 100,
    "How recent the low of 25 bars is, 100 is now",
)
add("aroon_osc_25", aroon_up - aroon_down, "aroon_up minus aroon_down")
family(
    "linreg_slope",
    (20, 50),
    lambda n: ratio(slope(c, n), mean(c, n)),
    "Slope a bar of the line through {n} closes, relative to their mean",
)
family("linreg_r2", (20,), lambda n: r_squared(c, n), "R² of the line through {n} closes")
ranges_14 = total(true_range, 14)
add(
    "vortex_pos_14",
    ratio(total(magnitude(h - lag(l, 1)), 14), ranges_14),
    "Upward vortex movement over 14 bars",
)
add(
    "vortex_neg_14",
    ratio(total(magnitude(l - lag(h, 1)), 14), ranges_14),
    "Downward vortex movement over 14 bars",
)
triple = ema(ema(ema(c, 15), 15), 15)
add(
    "trix_15",
    (triple / lag(triple, 1) - 1) * 100,
    "Change in percent of the triple exponential average over 15 bars",
)
efficiency = ratio(magnitude(change(c, 10)), total(magnitude(change(c, 1)), 10))
add("close_to_kama_10", c / kama(c, efficiency) - 1, "Close relative to Kaufman's adaptive average")
band = rma(true_range, 10) * 3
add(
    "supertrend_dir_10_3",
    supertrend(c, middle + band, middle - band, 100),
    "Supertrend's direction, the trend started 100 bars back",
)
add(
    "psar_dist",
    c / parabolic_stop(h, l, 100) - 1,
    "Close relative to the parabolic stop, started 100 bars back",
)

conversion, base = _midpoint(9), _midpoint(26)
cloud = (lag((conversion + base) / 2, 26) + lag(_midpoint(52), 26)) / 2
add(
    "ichimoku_tk_spread",
    conversion / base - 1,
    "Ichimoku's conversion line relative to its base line",
)
add(
    "ichimoku_cloud_dist",
    c / cloud - 1,
    "Close relative to the middle of the cloud drawn 26 bars ago",
)
add("dpo_20", c / lag(mean(c, 20), 11) - 1, "Close relative to its mean over 20 bars, 11 bars ago")
