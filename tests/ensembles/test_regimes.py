"""Confidence by regime: learnt where it is worth something, left alone where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from orchestration.ensembles.regimes import Told, learn, walk

STEP = 300_000
START = 1_747_699_200_000
SYMBOLS = 3


def told(
    slopes: list[float], days: float = 20, seed: int = 0, shifts: list[float] | None = None
) -> Told:
    """Return a line whose log-odds are worth `slopes` times what it says, by regime."""
    rng = np.random.default_rng(seed)
    n = int(days * 288) * SYMBOLS
    odds, regime = rng.normal(0, 0.5, n), rng.integers(0, len(slopes), n)
    true = np.take(slopes, regime) * odds + np.take(shifts or [0.0] * len(slopes), regime)
    return Told(
        timeframe="5m",
        horizon=5,
        ts=START + STEP * (np.arange(n) // SYMBOLS),
        chance=1 / (1 + np.exp(-odds)),
        came=(rng.random(n) < 1 / (1 + np.exp(-true))).astype(np.float64),
        regime=regime,
        count=len(slopes),
        shifted=shifts is not None,
    )


def test_a_confidence_that_is_worth_nothing_in_one_regime_is_put_right() -> None:
    found = learn(told([1.0, 0.0, 1.0]), 1.64, 1.5)
    assert found.used
    assert found.z is not None
    assert found.z > 1.64
    assert found.z_pooled > 1.64, "it is the regimes that tell, not a slope for all"
    calm, wild, usual = found.slopes
    assert wild < 0.4 < 0.8 < min(calm, usual)
    assert found.shifts == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_an_honest_confidence_is_left_alone(seed: int) -> None:
    found = learn(told([1.0] * 9, seed=seed), 1.64, 1.5)
    assert not found.used
    assert "not used" in found.why


def test_a_regime_that_was_never_seen_says_what_all_say() -> None:
    two = told([0.5, 0.5])
    found = learn(replace(two, count=3), 1.64, 1.5)
    assert found.slopes[2] == pytest.approx(np.mean(found.slopes[:2]), abs=0.05)
    assert found.slopes[2] < 0.9
    assert found.rows_by_regime[2] == 0


def test_shifts_are_learnt_where_there_are_no_two_sides() -> None:
    found = learn(told([1.0, 1.0], shifts=[0.0, 0.5]), 1.64, 1.5)
    assert found.used
    assert found.shifts[1] - found.shifts[0] > 0.25


def test_no_slope_turns_an_answer_round() -> None:
    found = learn(told([-1.0, -1.0]), 1.64, 1.5)
    assert min(found.slopes) == 0.0


@pytest.mark.parametrize("days", [3.0, 9.5])
def test_what_comes_later_changes_nothing_before(days: float) -> None:
    found = told([1.0, 0.2, 0.7])
    n = int(days * 288) * SYMBOLS
    came = found.came.copy()
    came[n:] = 1 - came[n:]
    before, after = walk(found, 1.5), walk(replace(found, came=came), 1.5)
    judged = n - int(1.5 * 288) * SYMBOLS
    assert np.array_equal(before.saved[:judged], after.saved[:judged])
    assert not np.array_equal(before.saved, after.saved)
    assert not np.array_equal(before.each, after.each), "the slopes of now know all of it"


def test_slopes_wait_until_outcomes_are_known() -> None:
    found = told([1.0, 0.2, 0.7])
    opens = 6 * 288 * SYMBOLS  # a step begins here, on the clock's grid
    came = found.came.copy()
    came[opens - 5 * SYMBOLS : opens] = 1 - came[opens - 5 * SYMBOLS : opens]
    before, after = walk(found, 1.5), walk(replace(found, came=came), 1.5)
    first, half = opens - int(1.5 * 288) * SYMBOLS, 144 * SYMBOLS
    assert np.array_equal(before.saved[first : first + half], after.saved[first : first + half])
    assert not np.array_equal(before.saved[first + half :], after.saved[first + half :])


def test_rows_without_a_regime_are_left_out() -> None:
    every = told([1.0, 0.0])
    some = replace(every, regime=np.where(np.arange(len(every.ts)) % 2, every.regime, -1))
    assert sum(learn(some, 1.64, 1.5).rows_by_regime) == len(every.ts) // 2
    assert "no bar" in learn(replace(every, regime=np.full(len(every.ts), -1)), 1.64, 1.5).why


def test_a_short_ledger_is_not_judged() -> None:
    found = learn(told([1.0, 0.0], days=1), 1.64, 1.5)
    assert not found.used
    assert found.slopes == (1.0, 1.0)
    assert "not judged" in found.why


def test_of_a_young_ledger_more_is_asked() -> None:
    found = told([1.0, 0.6, 1.0])
    old, young = (learn(found, 1.64, 1.5, full_days=days) for days in (14, 20_000))
    assert old == learn(found, 1.64, 1.5)
    assert old.used
    assert (young.z, young.used) == (old.z, False)
    assert "53.9 is needed" in young.why
