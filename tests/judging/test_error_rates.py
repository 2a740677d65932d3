"""The simulations that choose thresholds judge as the project does; thresholds keep word."""

from __future__ import annotations

import numpy as np
import pytest

from bench.noise import wilson
from bench.verdicts.arrivals import arrivals
from bench.verdicts.bars import path, said
from bench.verdicts.batch import check, z_at
from bench.verdicts.cold import cold_years, serving
from bench.verdicts.promotion import slot_years, swaps
from bench.verdicts.series import lines
from ml_pipeline.hac import hac_z
from ml_pipeline.skill import judging_lag
from orchestration.lifecycle.gates import z_of_many
from orchestration.rules import Gates

GATES = Gates()


def test_many_windows_at_once_are_judged_as_one_by_one() -> None:
    assert check(np.random.default_rng(1)) < 1e-9
    series = np.random.default_rng(2).standard_normal((3, 500)) + 0.2
    z = z_at(series, np.array([336, 500]), 336, 4.0)
    lag = judging_lag(4, 336)
    assert z[1, 1] == pytest.approx(hac_z(series[1, 164:], lag, 4.0))
    assert z[2, 0] == pytest.approx(hac_z(series[2, :336], lag, 4.0))


def test_a_promotion_needs_its_z_and_its_champions_tenure() -> None:
    quiet = np.zeros((1, 10, 2, 2))
    assert swaps(quiet, 2.4, 2).sum() == 0
    loud = quiet.copy()
    loud[0, 3:, 0, 1], loud[0, 3:, 1, 0] = 2.4, -2.4
    assert swaps(loud, 2.4, 2).tolist() == [1]
    assert swaps(loud, 2.41, 2).tolist() == [0]
    always = np.zeros((1, 10, 2, 2))
    always[0, :, 0, 1] = always[0, :, 1, 0] = 9.0  # each beats the other: only tenure slows it
    assert swaps(always, 2.4, 1).tolist() == [10]
    assert swaps(always, 2.4, 2).tolist() == [5]
    three = np.zeros((1, 1, 3, 3))
    three[0, 0, 0] = (0.0, z_of_many(2.4, 2) - 0.01, 0.0)
    assert swaps(three, 2.4, 2).tolist() == [0]


def test_gains_have_the_variance_that_their_edges_are_measured_in() -> None:
    """An advantage of μ/√24 an hour is to give z = μ√D: the difference's long-run variance is 1."""
    rng = np.random.default_rng(0)
    for horizon in (5 / 60, 1.0, 5.0):
        days = np.diff(lines(rng, 2, 2000, horizon, 0.0), axis=0)[0].reshape(-1, 240).mean(axis=1)
        assert days.var() * 240 == pytest.approx(1.0, abs=0.25)


def test_simulated_models_are_as_right_as_they_are_said_to_be() -> None:
    for accuracy in (0.52, 0.55):
        whole = path(np.random.default_rng(3), np.full(60, accuracy))
        right = ((said(whole.signal, accuracy) > 0.5) == whole.up).mean()
        assert right == pytest.approx(accuracy, abs=0.005)


def test_equals_swap_within_the_budget_of_fourteen_a_year() -> None:
    window = int(GATES.window_days)
    simulated = slot_years(range(3), 0.5, (window,))[window]
    assert swaps(simulated.among(4), GATES.z_promote, GATES.tenure_turns).sum() / 3 <= 14


def test_a_better_newcomer_is_found_and_an_equal_one_hardly_ever_promoted() -> None:
    better = arrivals(1, 140, 0.7, 0.0, int(GATES.window_days), 2)
    days = better.found(GATES.z_promote, GATES.ledger_days, 1)
    assert (days <= 14).mean() > 0.5
    assert (days <= 28).mean() > 0.85
    equal = arrivals(2, 140, 0.0, 0.0, int(GATES.window_days), 2)
    assert (equal.found(GATES.z_promote, GATES.ledger_days, 1) <= 28).mean() < 0.08


def test_luck_ends_and_skill_stays() -> None:
    def share(edge: float, keep: float) -> float:
        years = cold_years(range(2), 1, 0.0, int(GATES.window_days), 2, edge)
        return float(serving(years, GATES.z_promote, GATES.ledger_days, keep).mean())

    assert share(0.0, GATES.z_keep) < 0.5 * share(0.0, -np.inf)
    assert share(0.7, GATES.z_keep) > 0.9


def test_intervals_of_shares() -> None:
    low, high = wilson(0, 100)
    assert (low, high) == (0.0, pytest.approx(0.037, abs=0.001))
    assert wilson(5, 10) == (pytest.approx(0.237, abs=0.001), pytest.approx(0.763, abs=0.001))
