"""The symbol beside a benchmark, BTC unless another one is named: its returns, beta, lead."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import log_return
from features.expression import Expr
from features.inputs import btc, c
from features.language import correlation, covariance, deviation, lag, log, ratio, total, variance

cross = Group("cross")
add, family = cross.add, cross.family


def _return(x: Expr, n: int) -> Expr:
    return log(x / lag(x, n))


btc_return = _return(btc, 1)
family("btc_return", (1, 5), lambda n: _return(btc, n), "Log return of the benchmark over {n} bars")
add("btc_lag_return_1", lag(btc_return, 1), "Log return of the benchmark one bar ago")


def _beta(n: int) -> Expr:
    return ratio(covariance(log_return, btc_return, n), variance(btc_return, n))


family("btc_beta", (60,), _beta, "Beta to the benchmark's returns over {n} bars")
family(
    "btc_corr",
    (60,),
    lambda n: correlation(log_return, btc_return, n),
    "Correlation with the benchmark's returns over {n} bars",
)
family(
    "btc_lead_corr",
    (60,),
    lambda n: correlation(log_return, lag(btc_return, 1), n),
    "Correlation with the benchmark's returns of one bar before, over {n} bars",
)
add(
    "btc_residual_20",
    total(log_return - _beta(60) * btc_return, 20),
    "Log return of 20 bars that beta to the benchmark does not explain",
)
family(
    "btc_rel_strength",
    (20,),
    lambda n: _return(c, n) - _return(btc, n),
    "Log return over {n} bars minus that of the benchmark",
)
family(
    "btc_vol_ratio",
    (20,),
    lambda n: ratio(deviation(log_return, n), deviation(btc_return, n), 1),
    "Volatility over {n} bars relative to that of the benchmark",
)
