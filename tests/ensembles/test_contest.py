"""The contest of methods: judged on bars that nothing was weighed on, and equal unless beaten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from orchestration.ensembles import EQUAL, Contest, Evidence, choose, contest
from tests.ensembles.ledger import STEP, SYMBOLS, calm, coin, in_turn

WARM = 1.5
Z_LEARNT, Z_BEST = 1.64, -0.5


def chosen(found: Evidence) -> tuple[Contest, str, bool]:
    """Return the contest, the method it chose, and whether the gate opened."""
    walked = contest(found, WARM)
    choice = choose(walked, found.horizon, 0, Z_LEARNT, Z_BEST)
    return walked, choice.method, choice.gate.active


@pytest.mark.parametrize("seed", range(4))
def test_of_equal_members_equal_weights_are_chosen(seed: int) -> None:
    walked, method, active = chosen(coin([1, 1, 1], seed=seed))
    assert method == EQUAL
    assert active  # three opinions with errors of their own are better than one
    np.testing.assert_allclose(walked.weights["weighted"], 1 / 3, atol=0.02)


def test_learnt_weights_win_where_a_member_only_makes_noise() -> None:
    walked, method, _ = chosen(coin([1, 0], errors=[0.1, 0.8]))
    assert method in ("weighted", "stacking")
    good, noise = walked.weights[method]
    assert good > 2 * noise
    assert walked.losses[method].mean() < walked.losses[EQUAL].mean()


def test_an_ensemble_that_loses_to_its_best_member_stays_out() -> None:
    found = coin([1, 0.1, 0.1], errors=[0.05, 1.0, 1.0])
    walked = contest(found, WARM)
    never = choose(walked, found.horizon, 0, 99.0, Z_BEST)
    assert never.method == EQUAL
    assert not never.gate.active
    assert "best member m0" in never.gate.sentence


def test_members_without_skill_make_no_ensemble() -> None:
    _, method, active = chosen(coin([0, 0, 0]))
    assert method == EQUAL
    assert not active


def test_squares_favour_the_member_that_errs_less_and_leave_the_level_alone() -> None:
    walked, method, _ = chosen(calm([0.1, 1.5], bias=[0, 0]))
    assert method in ("stacking", "weighted")
    good, bad = walked.weights["stacking"]
    assert good > 2 * bad
    assert good + bad == pytest.approx(1.0, abs=1e-12)


def test_weights_by_regime_win_where_members_are_good_in_turn() -> None:
    found = in_turn()
    walked, method, _ = chosen(found)
    assert method == "by_regime"
    table = walked.weights["by_regime"]
    assert table.shape == (9, 2)
    assert np.all(table[[0, 2], 0] > 0.6)
    assert np.all(table[[1, 3], 1] > 0.6)
    np.testing.assert_allclose(table.sum(axis=1), 1.0)
    choice = choose(walked, found.horizon, 0, Z_LEARNT, Z_BEST)
    assert choice.table is not None
    assert np.asarray(choice.table).shape == (9, 2)
    assert sum(choice.weights.values()) == pytest.approx(1.0)


def test_weights_by_regime_do_not_win_where_regimes_tell_nothing() -> None:
    found = coin([1, 1])
    regime = np.random.default_rng(1).integers(0, 9, len(found.ts))
    assert chosen(replace(found, regime=regime))[1] == EQUAL


def test_in_an_unknown_regime_all_members_weigh_the_same() -> None:
    found = replace(coin([1, 0.2]), regime=np.full(20 * 288 * SYMBOLS, -1))
    walked = contest(found, WARM)
    assert np.array_equal(walked.losses["by_regime"], walked.losses[EQUAL])
    assert "by_regime" not in contest(replace(found, regime=None), WARM).losses


def test_numbers_do_not_vote() -> None:
    assert "voting" not in contest(calm([0.3, 0.3], [0, 0]), WARM).losses


def test_the_same_ledger_gives_the_same_choice_to_the_bit() -> None:
    first, second = (contest(coin([1, 0.5, 0.2]), WARM) for _ in range(2))
    for name in first.losses:
        assert first.losses[name].tobytes() == second.losses[name].tobytes()
        assert first.weights[name].tobytes() == second.weights[name].tobytes()


# ------------------------------------------------------------------ nothing looks ahead


def poisoned(found: Evidence, first: int, last: int | None = None) -> Evidence:
    """Return the evidence with outcomes and answers replaced by nonsense in some of its rows."""
    some = slice(first, last)
    labels = {name: values.copy() for name, values in found.rows.labels.items()}
    labels["direction"][some] = 1 - labels["direction"][some]
    raw, base = found.raw.copy(), found.base.copy()
    raw[:, some] = 1 - 0.999 * raw[:, some]
    base[some] = 7.0
    return replace(found, raw=raw, base=base, rows=replace(found.rows, labels=labels))


@pytest.mark.parametrize("days", [4.0, 9.25, 15.5])
def test_what_comes_later_changes_no_loss_before(days: float) -> None:
    found = coin([1, 0.6, 0.1], errors=[0.1, 0.3, 0.6])
    first = int(days * 288) * SYMBOLS
    before, after = contest(found, WARM), contest(poisoned(found, first), WARM)
    judged = first // SYMBOLS - int(WARM * 288)
    for name in before.losses:
        assert np.array_equal(before.losses[name][:judged], after.losses[name][:judged]), name
        assert not np.array_equal(before.losses[name], after.losses[name])
    assert np.array_equal(before.best[:judged], after.best[:judged])


def test_weights_wait_until_outcomes_are_known() -> None:
    """A step's weights do not see the rows whose horizon reaches into it; the next step's do."""
    found = coin([1, 0.6, 0.1], errors=[0.1, 0.3, 0.6])
    begins = int(found.ts[0]) + 6 * 86_400_000  # on the clock's grid
    opens, half_a_day = int(np.searchsorted(found.ts, begins)), 144
    late = opens - SYMBOLS * found.horizon
    assert found.known_by(begins) == late
    before, after = contest(found, WARM), contest(poisoned(found, late, opens), WARM)
    first = opens // SYMBOLS - int(WARM * 288)
    step, later = slice(first, first + half_a_day), slice(first + half_a_day, None)
    for name in ("weighted", "stacking"):
        assert np.array_equal(before.losses[name][step], after.losses[name][step]), name
        assert not np.array_equal(before.losses[name][later], after.losses[name][later]), name


def test_the_best_member_is_the_one_that_was_best_by_then() -> None:
    """The second knows all from the first judged bar on; only the next step can have seen that."""
    found = coin([1, 0.2], errors=[0.1, 0.8])
    raw, opens, half_a_day = found.raw.copy(), int(WARM * 288) * SYMBOLS, 144
    raw[1, opens:] = np.where(found.target[opens:] > 0.5, 0.999, 0.001)
    walked = contest(replace(found, raw=raw), WARM)
    assert np.array_equal(walked.best[:half_a_day], walked.singles[0][:half_a_day])
    after = slice(half_a_day, 2 * half_a_day)
    assert np.array_equal(walked.best[after], walked.singles[1][after])
    assert walked.leader == "m1"


def test_the_known_rows_end_a_horizon_before_the_moment() -> None:
    found = coin([1, 1], days=2)
    moment = int(found.ts[0]) + 100 * STEP
    last = found.ts[found.known_by(moment) - 1]
    assert last + (found.horizon + 1) * STEP == moment


def test_a_ledger_shorter_than_its_warm_up_judges_nothing() -> None:
    found = coin([1, 1], days=1)
    choice = choose(contest(found, WARM), found.horizon, 0, Z_LEARNT, Z_BEST)
    assert (choice.method, choice.gate.active, choice.skill) == (EQUAL, False, None)
    assert "not judged" in choice.gate.sentence
