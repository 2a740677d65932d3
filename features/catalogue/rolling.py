"""Statistics of trailing windows: extremes, places, ranks, shapes, autocorrelation."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import log_return, move, standardized
from features.expression import Expr
from features.inputs import c, h, l
from features.language import (
    correlation,
    deviation,
    highest,
    kurtosis,
    lag,
    lowest,
    mean,
    median,
    rank,
    ratio,
    since_highest,
    since_lowest,
    skew,
)

rolling = Group("rolling")
add, family = rolling.add, rolling.family


def _place(n: int) -> Expr:
    return ratio(c - lowest(l, n), highest(h, n) - lowest(l, n), 0.5)


family(
    "min",
    (5, 10, 20),
    lambda n: lowest(l, n),
    "Lowest low of {n} bars",
    twin="close_to_min_{n}",
)
family(
    "max",
    (5, 10, 20),
    lambda n: highest(h, n),
    "Highest high of {n} bars",
    twin="close_to_max_{n}",
)
family(
    "close_to_min",
    (5, 10, 20),
    lambda n: c / lowest(l, n) - 1,
    "Close relative to the lowest low of {n} bars",
)
family(
    "close_to_max",
    (5, 10, 20),
    lambda n: c / highest(h, n) - 1,
    "Close relative to the highest high of {n} bars",
)
family("range_pos", (5, 10, 20, 50), _place, "Place of the close in the range of {n} bars")
family(
    "zscore",
    (5, 10, 20, 50),
    lambda n: ratio(c - mean(c, n), deviation(c, n)),
    "Close in standard deviations from its mean over {n} bars",
)
family("skew", (20, 60), lambda n: skew(log_return, n), "Skewness of log returns over {n} bars")
family(
    "kurt", (60,), lambda n: kurtosis(log_return, n), "Excess kurtosis of log returns over {n} bars"
)
family("close_rank", (50,), lambda n: rank(c, n), "Rank of the close among the last {n}")
add(
    "autocorr_1_20",
    correlation(log_return, lag(log_return, 1), 20),
    "Correlation of log returns with those 1 bar before, over 20 bars",
)
add(
    "autocorr_5_60",
    correlation(log_return, lag(log_return, 5), 60),
    "Correlation of log returns with those 5 bars before, over 60 bars",
)
family(
    "return_zscore",
    (20,),
    lambda n: standardized(log_return - mean(log_return, n), deviation(log_return, n)),
    "Log return in standard deviations from its mean over {n} bars",
)
family(
    "median_dev",
    (20,),
    lambda n: c / median(c, n) - 1,
    "Close relative to its median over {n} bars",
)
family(
    "drawdown",
    (50,),
    lambda n: c / highest(c, n) - 1,
    "Close relative to the highest close of {n} bars",
)
family(
    "runup", (50,), lambda n: c / lowest(c, n) - 1, "Close relative to the lowest close of {n} bars"
)
family(
    "bars_since_high",
    (50,),
    lambda n: since_highest(h, n) / n,
    "Age of the high of {n} bars, as a share of them",
)
family(
    "bars_since_low",
    (50,),
    lambda n: since_lowest(l, n) / n,
    "Age of the low of {n} bars, as a share of them",
)
family("hit_rate", (20,), lambda n: mean(move > 0, n), "Share of rising closes among {n} bars")
family(
    "sharpe",
    (20,),
    lambda n: standardized(mean(log_return, n), deviation(log_return, n)),
    "Mean log return over {n} bars in standard deviations",
)
