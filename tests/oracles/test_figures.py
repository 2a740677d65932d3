"""Figures of returns are those of empyrical and quantstats, when they are told the bars of a year.

`make oracles` runs these tests.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from strategies import ratios
from strategies.significance import TrackRecord, probabilistic_sharpe

ABSENT = "is not installed here; `make oracles` compares with it in an environment of its own"
empyrical = pytest.importorskip("empyrical", reason=f"empyrical-reloaded {ABSENT}")
quantstats = pytest.importorskip("quantstats", reason=f"quantstats {ABSENT}").stats

YEARS = {"1m": 525_600, "5m": 105_120, "1h": 8_760, "1d": 365}
EQUAL = 1e-12


def _drawn(kind: str, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(2e-4, 1e-3, 3000)
    if kind == "losing":
        return rng.normal(-5e-4, 2e-3, 1500)
    if kind == "fat":
        return rng.standard_t(3, 5000) * 1e-3 + 1e-4
    return np.where(rng.random(4000) < 0.9, 0.0, rng.normal(1e-3, 5e-3, 4000))  # seldom in market


@pytest.fixture(params=["normal", "losing", "fat", "seldom"])
def returns(request: pytest.FixtureRequest) -> pd.Series:
    drawn = _drawn(request.param, seed=7)
    index = pd.date_range("2025-01-01", periods=len(drawn), freq="5min")
    return pd.Series(drawn, index)


@pytest.mark.parametrize("timeframe", YEARS)
def test_ratios_are_those_of_empyrical(returns: pd.Series, timeframe: str) -> None:
    year, r = YEARS[timeframe], returns.to_numpy()
    pairs = {
        "total": (ratios.total_return(r), empyrical.cum_returns_final(returns)),
        "volatility": (
            ratios.annual_volatility(r, year),
            empyrical.annual_volatility(returns, annualization=year),
        ),
        "sharpe": (
            ratios.sharpe_ratio(r, year),
            empyrical.sharpe_ratio(returns, annualization=year),
        ),
        "sortino": (
            ratios.sortino_ratio(r, year),
            empyrical.sortino_ratio(returns, annualization=year),
        ),
        "drawdown": (ratios.max_drawdown(r), empyrical.max_drawdown(returns)),
        "omega": (ratios.omega_ratio(r), empyrical.omega_ratio(returns)),
        "var": (ratios.value_at_risk(r), empyrical.value_at_risk(returns)),
        "shortfall": (ratios.expected_shortfall(r), empyrical.conditional_value_at_risk(returns)),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(theirs, rel=EQUAL), name
    np.testing.assert_allclose(
        ratios.drawdowns(r), empyrical.stats.drawdown_series(returns), rtol=EQUAL, atol=EQUAL
    )


@pytest.mark.parametrize("timeframe", YEARS)
def test_ratios_are_those_of_quantstats(returns: pd.Series, timeframe: str) -> None:
    year, r = YEARS[timeframe], returns.to_numpy()
    pairs = {
        "total": (ratios.total_return(r), quantstats.comp(returns)),
        "volatility": (
            ratios.annual_volatility(r, year),
            quantstats.volatility(returns, periods=year),
        ),
        "sharpe": (ratios.sharpe_ratio(r, year), quantstats.sharpe(returns, periods=year)),
        "sortino": (ratios.sortino_ratio(r, year), quantstats.sortino(returns, periods=year)),
        "drawdown": (ratios.max_drawdown(r), quantstats.max_drawdown(returns)),
        "omega": (ratios.omega_ratio(r), quantstats.omega(returns, periods=year)),
        "skew": (ratios.skewness(r), quantstats.skew(returns)),
        "kurtosis": (ratios.kurtosis(r), quantstats.kurtosis(returns) + 3),
        "psr": (
            probabilistic_sharpe(TrackRecord.of(r)),
            quantstats.probabilistic_sharpe_ratio(returns, periods=year),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(theirs, rel=EQUAL), name


@pytest.mark.parametrize("timeframe", ["1h", "1d"])
def test_growth_a_year_is_that_of_both(returns: pd.Series, timeframe: str) -> None:
    """Not of 1m: a power of 100 of a product of 5,000 factors has no twelve digits."""
    year, r = YEARS[timeframe], returns.to_numpy()
    ours = ratios.annual_return(r, year)
    assert ours == pytest.approx(empyrical.annual_return(returns, annualization=year), rel=EQUAL)
    assert ours == pytest.approx(quantstats.cagr(returns, periods=year), rel=EQUAL)
    calmar = ratios.calmar_ratio(r, year)
    assert calmar == pytest.approx(empyrical.calmar_ratio(returns, annualization=year), rel=EQUAL)
    assert calmar == pytest.approx(quantstats.calmar(returns, periods=year), rel=EQUAL)
