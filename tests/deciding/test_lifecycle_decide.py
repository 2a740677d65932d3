"""Who serves a slot: every gate closes for the right reason, and only for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.losses import ece
from orchestration.lifecycle.decide import decide
from orchestration.lifecycle.errors import ForbiddenTransition, NoFooting
from orchestration.lifecycle.gates import (
    Contender,
    Incumbent,
    coverage_limits,
    ece_limit,
    miscalibrated,
    z_of_many,
)
from orchestration.lifecycle.transitions import IN_SERVICE, TRANSITIONS, check_transition
from orchestration.rules import Gates

GATES = Gates(z_promote=1.64)
SLOT = "majors/direction/1m"


def base(day: int, status: str = "candidate") -> Contender:
    return Contender(
        f"2025-05-{day:02d}T0000Z_1m_baseline", "baseline", True, status, 0.0, 0.0, 0.0, 0.0, 8000
    )


def learner(day: int, status: str = "candidate", recipe: str = "xgboost", **figures) -> Contender:
    verdict = {"skill": 0.02, "lower": 0.01, "upper": 0.03, "z": 3.0, "z_champion": 3.0}
    return Contender(
        f"2025-05-{day:02d}T0000Z_1m_{recipe}",
        recipe,
        False,
        status,
        n=8000,
        effective_n=900.0,
        metrics={"ece": 0.01, "base_rate": 0.5},
        **(verdict | figures),
    )


def incumbent(of: Contender, **facts) -> Incumbent:
    return Incumbent(of.version, of.recipe, of.baseline, **({"tenure": 5} | facts))


# ------------------------------------------------------------------ cold start


def test_a_cold_start_installs_what_is_proven_and_else_the_baseline() -> None:
    # There is no champion to be paired with: the baseline is the one to beat.
    proven = decide(SLOT, [base(1), learner(1, z_champion=None)], None, GATES)
    assert (proven.action, proven.champion, proven.before) == ("install", learner(1).version, None)
    assert proven.statuses == {learner(1).version: "champion", base(1).version: "baseline"}
    unsure = decide(SLOT, [base(1), learner(1, z=1.63, z_champion=None)], None, GATES)
    assert unsure.champion == base(1).version
    weak = decide(SLOT, [base(1), learner(1, lower=-0.001, z_champion=None)], None, GATES)
    assert weak.champion == base(1).version
    assert weak.statuses[learner(1).version] == "unproven"
    assert weak.challenger == learner(1).version
    assert "skill +0.0200 [-0.0010, +0.0300]" in weak.sentence
    assert "lower bound of its skill is not above 0" in weak.sentence


def test_of_several_recipes_each_has_to_show_more() -> None:
    """Else the best of many equals would pass far more often than the gate promises."""
    two = [learner(1, z=1.9), learner(1, recipe="logistic", z=1.0)]
    alone = decide(SLOT, [base(1), two[0]], None, GATES)
    assert alone.champion == two[0].version
    beside = decide(SLOT, [base(1), *two], None, GATES)
    assert beside.champion == base(1).version
    assert "1.90, < 1.95, as one of 2 recipes" in beside.sentence
    clear = decide(SLOT, [base(1), replace(two[0], z=1.96), two[1]], None, GATES)
    assert clear.champion == two[0].version
    # Older instances of one recipe in shadow are no further tries.
    older = learner(1, status="unproven", z=1.0)
    again = decide(SLOT, [base(2), learner(2, z=1.9), older], None, GATES)
    assert again.champion == learner(2).version


def test_several_equals_pass_as_seldom_as_one() -> None:
    rng = np.random.default_rng(0)
    for tries in (1, 2, 5):
        best = rng.standard_normal((200_000, tries)).max(axis=1)
        assert np.mean(best >= z_of_many(1.64, tries)) == pytest.approx(0.0505, abs=0.002)
    assert z_of_many(0.0, 3) > 0
    assert z_of_many(50.0, 3) == 50.0


def test_without_champion_and_baseline_there_is_no_footing() -> None:
    broken = replace(base(1), faults=("parity 0.3 is above 0.0001",))
    with pytest.raises(NoFooting, match="no sound baseline among 2 versions"):
        decide(SLOT, [broken, learner(1)], None, GATES)


# ------------------------------------------------------------------ promotion


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"lower": 0.0}, "lower bound"),
        ({"lower": None}, "too few unseen rows"),
        ({"z_champion": 1.63}, "paired z against the champion, 1.63, < 1.64"),
        ({"z_champion": None}, "no unseen rows with the champion"),
    ],
)
def test_each_gate_alone_keeps_a_challenger_out(figures: dict, reason: str) -> None:
    old = learner(1, "champion", recipe="ridge")
    rivals = [old, base(2), learner(2, **figures)]
    kept = decide(SLOT, rivals, incumbent(old), GATES)
    assert (kept.action, kept.champion) == ("keep", old.version)
    assert reason in kept.sentence
    promoted = decide(SLOT, [old, base(2), learner(2)], incumbent(old), GATES)
    assert (promoted.action, promoted.champion) == ("promote", learner(2).version)


def test_tenure_protects_a_young_champion_but_not_a_fallen_one() -> None:
    old = learner(1, "champion", recipe="ridge")
    rivals = [old, base(2), learner(2)]
    assert decide(SLOT, rivals, incumbent(old, tenure=1), GATES).action == "keep"
    assert decide(SLOT, rivals, incumbent(old, tenure=2), GATES).action == "promote"
    fallen = decide(SLOT, rivals, incumbent(old, tenure=1, drift="DRIFT"), GATES)
    assert fallen.action == "promote"


def test_the_champion_replaced_stays_in_shadow_as_the_way_back() -> None:
    old = learner(1, "champion", recipe="ridge", lower=-0.5)
    crowd = [learner(day, "challenger", recipe=f"r{day}", z_champion=0.0) for day in (2, 3, 4)]
    decision = decide(SLOT, [old, *crowd, base(5), learner(5)], incumbent(old), GATES)
    assert decision.champion == learner(5).version
    assert decision.statuses[old.version] == "unproven"
    assert decision.figures["previous"] == old.version
    assert sorted(decision.statuses.values()).count("archived") == 2


def test_an_integrity_fault_refuses_whatever_the_skill() -> None:
    old = learner(1, "champion", recipe="ridge")
    faulty = replace(learner(2, lower=0.5), faults=("its output is constant",))
    decision = decide(SLOT, [old, base(2), faulty], incumbent(old), GATES)
    assert decision.champion == old.version
    assert decision.statuses[faulty.version] == "refused"


def test_a_pinned_champion_is_held() -> None:
    old = learner(1, "champion", recipe="ridge")
    rivals = [old, base(2), learner(2)]
    decision = decide(SLOT, rivals, incumbent(old, pinned=True, drift="HARM"), GATES)
    assert (decision.action, decision.champion) == ("hold", old.version)
    assert decision.statuses[learner(2).version] == "challenger"


# ------------------------------------------------------------------ refresh


def test_a_refit_replaces_its_own_instance_unless_provably_worse() -> None:
    old = learner(1, "champion")
    for z, action in ((-1.64, "refresh"), (-1.65, "keep")):
        refit = learner(2, lower=-0.01, z_champion=z)
        decision = decide(SLOT, [old, base(2), refit], incumbent(old), GATES)
        assert decision.action == action
    refreshed = decide(SLOT, [old, base(2), learner(2)], incumbent(old), GATES)
    assert refreshed.statuses[old.version] == "superseded"
    assert refreshed.figures["tenure"] == 6
    harmful = learner(2, z=-1.7, z_champion=0.0)
    assert decide(SLOT, [old, base(2), harmful], incumbent(old), GATES).action == "keep"


def test_the_baseline_refreshes_itself() -> None:
    old = base(1, "champion")
    decision = decide(SLOT, [old, base(2), learner(2, lower=-0.1)], incumbent(old), GATES)
    assert (decision.action, decision.champion) == ("refresh", base(2).version)
    assert decision.statuses[old.version] == "superseded"
    assert "lower bound" in decision.sentence


# ------------------------------------------------------------------ rollback


def test_harm_rolls_back_to_the_proven_predecessor_and_else_the_baseline() -> None:
    old = learner(2, "champion", lower=-0.1)
    before = learner(1, "challenger", recipe="ridge", z_champion=-2.0)
    hurt = incumbent(old, drift="HARM", previous=before.version, tenure=1)
    decision = decide(SLOT, [old, before, base(3)], hurt, GATES)
    assert (decision.action, decision.champion) == ("rollback", before.version)
    assert decision.statuses[old.version] == "archived"
    unproven = replace(before, lower=-0.01)
    decision = decide(SLOT, [old, unproven, base(3)], hurt, GATES)
    assert (decision.action, decision.champion) == ("rollback", base(3).version)


def test_a_copy_of_the_baseline_takes_no_learners_place() -> None:
    silent = learner(2, recipe="ridge", skill=0.0, lower=0.0, upper=0.0, z=0.0, z_champion=0.0)
    unsure = learner(2, recipe="forest", skill=0.004, lower=-0.002, upper=0.01, z=1.0)
    decision = decide(SLOT, [base(2), silent, unsure], incumbent(base(1)), GATES)
    assert decision.challenger == unsure.version


def test_drift_demotes_and_keeps_in_shadow() -> None:
    old = learner(2, "champion", lower=-0.1)
    decision = decide(SLOT, [old, base(3)], incumbent(old, drift="DRIFT"), GATES)
    assert (decision.action, decision.champion) == ("rollback", base(3).version)
    assert decision.statuses[old.version] == "unproven"


def test_a_proven_refit_takes_over_from_its_drifting_elder() -> None:
    old = learner(1, "champion")
    refit = learner(2, z_champion=-0.5)
    decision = decide(SLOT, [old, base(2), refit], incumbent(old, drift="DRIFT"), GATES)
    assert (decision.action, decision.champion) == ("promote", refit.version)
    worse = learner(2, z_champion=-0.51)
    decision = decide(SLOT, [old, base(2), worse], incumbent(old, drift="DRIFT"), GATES)
    assert decision.action == "rollback"


def test_a_broken_bundle_steps_down_even_if_it_is_a_baseline() -> None:
    old = replace(base(1, "champion"), faults=("checksum of model.onnx",))
    broken = incumbent(old, broken="checksum of model.onnx")
    decision = decide(SLOT, [old, base(2)], broken, GATES)
    assert (decision.action, decision.champion) == ("rollback", base(2).version)
    assert decision.statuses[old.version] == "archived"
    assert "checksum of model.onnx" in decision.sentence


# ------------------------------------------------------------------ calibration


def test_a_calibrated_forecast_passes_the_limit_in_about_95_of_100_cases() -> None:
    rng = np.random.default_rng(7)
    rows = 400
    limit = ece_limit(replace(learner(1), effective_n=rows, metrics={"base_rate": 0.2}), GATES)
    p = np.full((500, rows), 0.2)
    p += rng.uniform(-0.02, 0.02, p.shape)
    y = rng.uniform(size=p.shape) < p
    passed = np.mean([ece(truth, said) <= limit for truth, said in zip(y, p, strict=True)])
    assert 0.9 < passed < 0.99


def test_calibration_limits_widen_with_few_rows_and_end_at_the_gates() -> None:
    few, many = (replace(learner(1), effective_n=n) for n in (100.0, 1e9))
    assert ece_limit(few, GATES) > 5 * GATES.ece_max
    assert ece_limit(many, GATES) == GATES.ece_max
    assert coverage_limits(many, GATES) == pytest.approx((0.87, 0.93), abs=1e-4)
    wide = replace(few, metrics={"coverage": 0.84})
    assert miscalibrated(wide, GATES) == []
    assert "covers 0.840" in miscalibrated(replace(wide, effective_n=1e9), GATES)[0]


def test_miscalibration_blocks_promotion_and_refresh() -> None:
    old = learner(1, "champion")
    off = replace(learner(2), metrics={"ece": 0.3, "base_rate": 0.5})
    assert decide(SLOT, [old, base(2), off], incumbent(old), GATES).action == "keep"
    other = replace(off, recipe="ridge")
    assert decide(SLOT, [old, base(2), other], incumbent(old), GATES).action == "keep"


# ------------------------------------------------------------------ invariants


FIGURE = st.one_of(st.none(), st.floats(-5, 5))


@st.composite
def slots(draw):
    drift = draw(st.sampled_from(["OK", "WARN", "DRIFT", "HARM", "LEARNING"]))
    shadows = [
        learner(day, draw(st.sampled_from(["challenger", "unproven"])), recipe)
        for day, recipe in draw(st.sets(st.tuples(st.integers(1, 8), st.sampled_from("ab"))))
    ]
    fresh = [learner(9, recipe=recipe) for recipe in draw(st.sets(st.sampled_from("ab")))]
    elders = [base(8, "baseline")] if draw(st.booleans()) else []
    versions = [
        replace(
            c,
            lower=draw(FIGURE),
            z=draw(FIGURE),
            z_champion=draw(FIGURE),
            faults=("bad",) if draw(st.integers(0, 9)) == 0 else (),
        )
        for c in shadows + fresh
    ] + [base(9), *elders]
    champion = draw(st.sampled_from([None, *[c for c in versions if c.status != "candidate"]]))
    if champion is None:
        return versions, None
    versions = [replace(c, status="champion") if c is champion else c for c in versions]
    return versions, incumbent(
        champion,
        drift=drift,
        tenure=draw(st.integers(0, 4)),
        pinned=draw(st.booleans()),
        broken="; ".join(champion.faults),
    )


@given(slots())
def test_whatever_comes_one_champion_serves_and_every_status_is_allowed(slot) -> None:
    versions, champion = slot
    decision = decide(SLOT, versions, champion, GATES)
    after = decision.statuses
    assert set(after) == {c.version for c in versions}
    assert [v for v, status in after.items() if status == "champion"] == [decision.champion]
    for c in versions:
        check_transition(c.version, c.status, after[c.version])
        pinned = champion is not None and champion.pinned
        assert not (c.faults and after[c.version] in IN_SERVICE) or pinned
    shadows = [v for v, s in after.items() if s in ("challenger", "unproven")]
    assert len(shadows) <= GATES.keep_top
    assert list(after.values()).count("baseline") <= 1
    assert (decision.challenger in shadows) if shadows else decision.challenger is None
    again = decide(SLOT, list(reversed(versions)), champion, GATES)
    assert again.statuses == after


def test_the_table_refuses_what_it_does_not_list() -> None:
    with pytest.raises(ForbiddenTransition, match="v1 is refused and cannot become champion"):
        check_transition("v1", "refused", "champion")
    for before, after in product(TRANSITIONS, TRANSITIONS):
        if before != after and after not in TRANSITIONS[before]:
            with pytest.raises(ForbiddenTransition):
                check_transition("v", before, after)
