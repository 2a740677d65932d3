"""Figures of a series of returns: worked by hand, and undefined where they are undefined."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import pytest

from strategies import ratios


def test_figures_of_four_bars_by_hand() -> None:
    r = [0.1, -0.1, 0.2, 0.0]
    spread = np.sqrt((0.05**2 + 0.15**2 + 0.15**2 + 0.05**2) / 3)
    assert ratios.total_return(r) == pytest.approx(1.1 * 0.9 * 1.2 - 1)
    assert ratios.sharpe_ratio(r, 100) == pytest.approx(0.05 / spread * 10)
    assert ratios.sortino_ratio(r, 100) == pytest.approx(0.05 / np.sqrt(0.01 / 4) * 10)
    assert ratios.drawdowns(r) == pytest.approx([0, -0.1, 0, 0])
    assert ratios.max_drawdown(r) == pytest.approx(-0.1)
    assert ratios.omega_ratio(r) == pytest.approx(3.0)
    assert ratios.annual_return(r, 8) == pytest.approx((1.1 * 0.9 * 1.2) ** 2 - 1)
    assert ratios.calmar_ratio(r, 8) == pytest.approx(((1.1 * 0.9 * 1.2) ** 2 - 1) / 0.1)


def test_a_loss_on_the_first_bar_is_a_drawdown() -> None:
    assert ratios.max_drawdown([-0.2, 0.1]) == pytest.approx(-0.2)


def test_the_longest_drawdown_counts_bars_below_a_height() -> None:
    assert ratios.longest_drawdown([0.1, -0.1, 0.05, 0.2, -0.01]) == 2
    assert ratios.longest_drawdown([-0.1, 0.01, 0.01]) == 3
    assert ratios.longest_drawdown([0.1, 0.1]) == 0


def test_an_account_that_lost_all_grows_by_minus_one_a_year() -> None:
    assert ratios.total_return([-0.5, -1.0, 0.0]) == -1
    assert ratios.annual_return([-0.5, -1.0, 0.0], 365) == -1


@pytest.mark.parametrize("nothing", [[], [0.0], [0.0, 0.0, 0.0], [0.001] * 5])
def test_no_ratio_is_made_of_an_account_that_did_not_vary(nothing: list[float]) -> None:
    assert isnan(ratios.sharpe_ratio(nothing, 365))
    assert isnan(ratios.sortino_ratio(nothing, 365))
    assert isnan(ratios.calmar_ratio(nothing, 365))
    assert isnan(ratios.omega_ratio(nothing))
    assert isnan(ratios.skewness(nothing))
    assert isnan(ratios.kurtosis(nothing))


def test_skewness_and_kurtosis_are_those_of_pandas() -> None:
    r = np.random.default_rng(1).standard_t(4, 500) ** 3
    assert ratios.skewness(r) == pytest.approx(pd.Series(r).skew(), rel=1e-12)
    assert ratios.kurtosis(r) == pytest.approx(pd.Series(r).kurt() + 3, rel=1e-12)


def test_the_worst_share_of_bars() -> None:
    r = np.arange(-50, 51) / 1000
    assert ratios.value_at_risk(r, 0.05) == pytest.approx(-0.045)
    assert ratios.expected_shortfall(r, 0.05) == pytest.approx(np.arange(-50, -44).mean() / 1000)


def test_growth_too_large_for_a_number_is_no_number() -> None:
    assert isnan(ratios.annual_return([0.5, 0.5], 525_600))
