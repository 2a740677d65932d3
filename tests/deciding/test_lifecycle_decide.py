"""Who serves a slot: lines by their ledger, versions by their holdout."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.lifecycle.decide import Decision, decide
from orchestration.lifecycle.errors import ForbiddenTransition, NoFooting
from orchestration.lifecycle.gates import z_of_many
from orchestration.lifecycle.retiring import Memory
from orchestration.lifecycle.transitions import IN_SERVICE, TRANSITIONS, check_transition
from tests.deciding.scenes import GATES, SLOT, base, incumbent, learner, lines, stand

CLEAR = z_of_many(GATES.z_promote, 3)


# ------------------------------------------------------------------ cold start


def test_a_cold_start_installs_what_the_ledger_has_proven_and_else_the_baseline() -> None:
    versions = [base(1), learner(1)]
    proven = decide(SLOT, versions, lines(stand(z_champion=2.4)), None, GATES)
    assert (proven.action, proven.champion, proven.before) == ("install", learner(1).version, None)
    assert proven.statuses == {learner(1).version: "champion", base(1).version: "baseline"}
    unsure = decide(SLOT, versions, lines(stand(z_champion=2.39)), None, GATES)
    assert unsure.champion == base(1).version
    assert unsure.statuses[learner(1).version] == "challenger"  # it beats the baseline, not by much
    weak = decide(SLOT, versions, lines(stand(lower=-0.001)), None, GATES)
    assert weak.champion == base(1).version
    assert weak.statuses[learner(1).version] == "unproven"
    assert weak.challenger == learner(1).version
    assert "skill +0.0200 [-0.0010, +0.0300]" in weak.sentence


def test_two_days_of_holdout_are_enough_only_for_a_loud_signal() -> None:
    versions = [base(1), learner(1)]
    for z, action in ((6.3, "the baseline"), (6.4, "beats")):
        line = stand(z_champion=z, days_champion=2.0, days=2.0)
        assert action in decide(SLOT, versions, lines(line), None, GATES).sentence


def test_a_line_without_a_ledger_is_unproven() -> None:
    decision = decide(SLOT, [base(1), learner(1)], {}, None, GATES)
    assert decision.champion == base(1).version
    assert decision.statuses[learner(1).version] == "unproven"


def test_of_several_lines_each_has_to_show_more() -> None:
    """Else the best of many equals would pass far more often than the gate promises."""
    two = [learner(1), learner(1, recipe="logistic")]
    good, other = stand(z_champion=2.5), stand("logistic", z_champion=1.0, lower=0.001)
    assert decide(SLOT, [base(1), two[0]], lines(good), None, GATES).champion == two[0].version
    beside = decide(SLOT, [base(1), *two], lines(good, other), None, GATES)
    assert beside.champion == base(1).version
    assert "z = 2.50 against the baseline's line, 2.64 needed on 14.0 days" in beside.sentence
    assert "as one of 2 lines" in beside.sentence
    # Older versions of one line are no further tries.
    elder = learner(1, "unproven")
    again = decide(SLOT, [base(2), learner(2), elder], lines(good), None, GATES)
    assert again.champion == learner(2).version


def test_without_champion_and_baseline_there_is_no_footing() -> None:
    broken = replace(base(1), faults=("parity 0.3 is above 0.0001",))
    with pytest.raises(NoFooting, match="no sound baseline among 2 versions"):
        decide(SLOT, [broken, learner(1)], lines(stand()), None, GATES)


# ------------------------------------------------------------------ promotion


def challenged(**figures: object) -> Decision:
    """A champion of ridge's line and a challenger whose line stands as told."""
    old = learner(1, "champion", recipe="ridge")
    standings = lines(stand("ridge", z_champion=None), stand(**figures))
    return decide(SLOT, [old, base(2), learner(2)], standings, incumbent(old), GATES)


def test_the_sentence_says_z_days_and_what_was_needed() -> None:
    kept = challenged(z_champion=0.8)
    assert (kept.action, kept.champion) == ("keep", learner(1, recipe="ridge").version)
    assert "z = 0.80 against the champion's line, 2.40 needed on 14.0 days" in kept.sentence
    assert "n 60,000" in kept.sentence
    promoted = challenged()
    assert (promoted.action, promoted.champion) == ("promote", learner(2).version)
    assert promoted.statuses[learner(1, recipe="ridge").version] == "challenger"
    assert promoted.figures["previous"] == learner(1, recipe="ridge").version


def test_a_good_holdout_alone_promotes_nothing() -> None:
    old = learner(1, "champion", recipe="ridge")
    loud = learner(2, z=30.0, z_champion=30.0, lower=0.5)
    standings = lines(stand("ridge", z_champion=None), stand(z_champion=0.0))
    decision = decide(SLOT, [old, base(2), loud], standings, incumbent(old), GATES)
    assert decision.champion == old.version


def test_the_best_line_by_its_bound_goes_first() -> None:
    old = base(1, "champion")
    two = [learner(2), learner(2, recipe="logistic")]
    standings = lines(stand(lower=0.01), stand("logistic", lower=0.02, z_champion=2.7))
    decision = decide(SLOT, [old, base(2), *two], standings, incumbent(old), GATES)
    assert decision.champion == two[1].version
    assert [row["rank"] for row in decision.figures["lines"]] == [1, 2, None]


def test_tenure_protects_a_young_champion_but_not_a_fallen_one() -> None:
    old = learner(1, "champion", recipe="ridge")
    rivals, standings = [old, base(2), learner(2)], lines(stand("ridge"), stand())
    for facts, action in (
        ({"tenure": 1}, "keep"),
        ({"tenure": 2}, "promote"),
        ({"tenure": 1, "drift": "DRIFT"}, "promote"),
    ):
        serving = incumbent(old, **facts)
        assert decide(SLOT, rivals, standings, serving, GATES).action == action


def test_an_integrity_fault_refuses_whatever_the_ledger_says() -> None:
    old = learner(1, "champion", recipe="ridge")
    faulty = replace(learner(2), faults=("its output is constant",))
    standings = lines(stand("ridge"), stand())
    decision = decide(SLOT, [old, base(2), faulty], standings, incumbent(old), GATES)
    assert decision.champion == old.version
    assert decision.statuses[faulty.version] == "refused"


def test_a_pinned_champion_is_held_and_nothing_of_its_line_beside_it() -> None:
    old = learner(1, "champion", recipe="ridge")
    rivals = [old, base(2), learner(2), learner(2, recipe="ridge", z_elder=9.0)]
    serving = incumbent(old, pinned=True, drift="HARM")
    decision = decide(SLOT, rivals, lines(stand("ridge"), stand()), serving, GATES)
    assert (decision.action, decision.champion) == ("hold", old.version)
    assert decision.statuses[learner(2).version] == "challenger"
    assert decision.statuses[rivals[3].version] == "superseded"
    told = {row["line"]: row["version"] for row in decision.figures["lines"]}
    assert told["ridge"] == old.version


def test_one_champion_after_another_needs_evidence_each_time() -> None:
    """Hysteresis: what was just replaced does not come back on the same ledger."""
    old, new = learner(1, "champion", recipe="ridge"), learner(2)
    promoted = challenged()
    after = incumbent(new, tenure=2, previous=old.version, previous_line="ridge")
    versions = [replace(new, status="champion"), replace(old, status="challenger"), base(3)]
    mirrored = lines(stand(z_champion=None), stand("ridge", z_champion=-3.0))
    again = decide(SLOT, versions, mirrored, after, GATES)
    assert (promoted.champion, again.champion) == (new.version, new.version)


# ------------------------------------------------------------------ refresh


def test_a_refit_takes_its_lines_place_unless_provably_worse() -> None:
    old = learner(1, "champion")
    for z, action in ((-1.64, "refresh"), (-1.65, "keep"), (None, "keep"), (math.nan, "keep")):
        refit = learner(2, lower=-0.01, z_elder=z)
        decision = decide(SLOT, [old, base(2), refit], lines(stand()), incumbent(old), GATES)
        assert decision.action == action
        other = {"refresh": old, "keep": refit}[action]
        assert decision.statuses[other.version] == "superseded"
    refreshed = decide(SLOT, [old, base(2), learner(2)], lines(stand()), incumbent(old), GATES)
    assert refreshed.figures["tenure"] == 6


def test_in_shadow_too_every_line_keeps_one_version() -> None:
    old = base(1, "champion")
    shadow, worse = learner(1, "unproven"), learner(2, z_elder=-3.0)
    standings = lines(stand(lower=-0.01))
    decision = decide(SLOT, [old, base(2), shadow, worse], standings, incumbent(old), GATES)
    assert decision.statuses[shadow.version] == "unproven"
    assert decision.statuses[worse.version] == "superseded"
    better = decide(SLOT, [old, base(2), shadow, learner(2)], standings, incumbent(old), GATES)
    assert better.statuses[shadow.version] == "superseded"
    assert better.statuses[learner(2).version] == "unproven"


def test_a_line_is_promoted_with_the_version_that_was_judged_for_it() -> None:
    old = base(1, "champion")
    shadow, worse = learner(1, "challenger"), learner(2, z_elder=-3.0)
    decision = decide(SLOT, [old, base(2), shadow, worse], lines(stand()), incumbent(old), GATES)
    assert (decision.action, decision.champion) == ("promote", shadow.version)


def test_the_baseline_refreshes_itself() -> None:
    old = base(1, "champion")
    standings = lines(stand(lower=-0.1))
    decision = decide(SLOT, [old, base(2), learner(2)], standings, incumbent(old), GATES)
    assert (decision.action, decision.champion) == ("refresh", base(2).version)
    assert decision.statuses[old.version] == "superseded"
    assert "lower bound" in decision.sentence


def test_a_copy_of_the_baseline_takes_no_learners_place() -> None:
    silent, unsure = learner(2, recipe="ridge"), learner(2, recipe="forest")
    standings = lines(
        stand("ridge", skill=0.0, lower=0.0, upper=0.0, z=0.0, z_champion=0.0),
        stand("forest", skill=0.004, lower=-0.002, upper=0.01, z=1.0),
    )
    decision = decide(SLOT, [base(2), silent, unsure], standings, incumbent(base(1)), GATES)
    assert decision.challenger == unsure.version


# ------------------------------------------------------------------ rollback


def test_harm_rolls_back_to_the_previous_line_while_it_is_proven_and_else_the_baseline() -> None:
    old, before = learner(2, "champion"), learner(1, "challenger", recipe="ridge")
    hurt = incumbent(old, drift="HARM", previous=before.version, previous_line="ridge", tenure=1)
    worse = stand("ridge", z_champion=-2.0)
    versions = [old, before, base(3)]
    decision = decide(SLOT, versions, lines(stand(), worse), hurt, GATES)
    assert (decision.action, decision.champion) == ("rollback", before.version)
    assert "the ledger says HARM" in decision.sentence
    assert decision.figures["previous"] is None  # what has failed is no way back
    lost = lines(stand(), replace(worse, lower=-0.01))
    decision = decide(SLOT, versions, lost, hurt, GATES)
    assert (decision.action, decision.champion) == ("rollback", base(3).version)


def test_drift_demotes_and_keeps_the_line_in_shadow() -> None:
    old = learner(2, "champion")
    fallen = incumbent(old, drift="DRIFT")
    decision = decide(SLOT, [old, base(3)], lines(stand(lower=-0.1)), fallen, GATES)
    assert (decision.action, decision.champion) == ("rollback", base(3).version)
    assert decision.statuses[old.version] == "unproven"


def test_a_rival_over_a_drifting_champion_need_only_hold_its_own() -> None:
    old = learner(1, "champion", recipe="ridge")
    fallen = incumbent(old, drift="DRIFT")
    for z, action in ((-0.5, "promote"), (-0.51, "rollback")):
        standings = lines(stand("ridge"), stand(z_champion=z))
        decision = decide(SLOT, [old, base(2), learner(2)], standings, fallen, GATES)
        assert decision.action == action


def test_a_recipe_that_a_person_brought_back_rests_no_longer() -> None:
    back, memory = learner(1, "champion"), Memory(resting={"xgboost": 9, "ridge": 9})
    decision = decide(SLOT, [back, base(2)], lines(stand()), incumbent(back), GATES, memory)
    assert decision.figures["memory"]["resting"] == {"ridge": 8}


def test_what_drift_has_replaced_fell_and_is_no_way_back() -> None:
    old, before = learner(1, "champion"), learner(1, "challenger", recipe="ridge")
    versions = [old, learner(2, skill=0.03), before, base(2)]
    there = {"previous": before.version, "previous_line": "ridge"}
    fallen = incumbent(old, drift="DRIFT", **there)
    decision = decide(SLOT, versions, lines(stand()), fallen, GATES)
    assert (decision.action, decision.champion) == ("promote", versions[1].version)
    assert decision.figures["fell"] is True
    assert decision.figures["previous"] == before.version  # and not the one that fell
    assert decide(SLOT, versions, lines(stand()), incumbent(old), GATES).figures["fell"] is False
    held = decide(SLOT, versions, lines(stand()), replace(fallen, pinned=True), GATES)
    assert held.figures["fell"] is False


def test_weeks_before_a_break_promote_nothing_that_fails_since() -> None:
    """The window still praises what was learnt before the market turned; the holdout does not."""
    for z, action in ((-1.64, "promote"), (-1.65, "refresh")):
        versions = [base(1, "champion"), base(2), learner(2, z=z)]
        plain = incumbent(versions[0])
        decision = decide(SLOT, versions, lines(stand()), plain, GATES)
        assert decision.action == action
    assert "on the last days its version is worse than the baseline" in decision.sentence


def test_a_champion_whose_line_is_no_better_than_the_baseline_gives_way() -> None:
    """Luck promotes now and then; when the window has left it behind, the baseline serves again."""
    old = learner(1, "champion", recipe="ridge")
    versions = [old, learner(2, recipe="ridge"), base(2)]

    def after(days: float, z: float, **facts) -> Decision:
        own = stand("ridge", lower=-0.01, z=z, days=days)
        return decide(SLOT, versions, lines(own), incumbent(old, **facts), GATES)

    gone = after(28.0, -0.01)
    assert (gone.action, gone.champion) == ("rollback", base(2).version)
    assert "no better than the baseline's, z -0.01 on 28.0 days" in gone.sentence
    assert gone.statuses[learner(2, recipe="ridge").version] == "unproven"
    assert after(28.0, 0.0).action == "refresh"
    assert after(13.9, -1.0).action == "refresh"  # too young to tell
    assert after(28.0, -1.0, pinned=True).action == "hold"


def test_a_proven_refit_takes_over_from_its_drifting_elder() -> None:
    old = learner(1, "champion")
    fallen = incumbent(old, drift="DRIFT")
    refit = learner(2, z_elder=-0.5)
    decision = decide(SLOT, [old, base(2), refit], lines(stand()), fallen, GATES)
    assert (decision.action, decision.champion) == ("promote", refit.version)
    for short in ({"z_elder": -0.51}, {"lower": 0.0}, {"metrics": {"ece": 0.3, "base_rate": 0.5}}):
        weak = replace(learner(2), **short)
        decision = decide(SLOT, [old, base(2), weak], lines(stand()), fallen, GATES)
        assert (decision.action, decision.champion) == ("rollback", base(2).version)


def test_a_broken_bundle_steps_down_even_if_it_is_a_baseline() -> None:
    old = replace(base(1, "champion"), faults=("checksum of model.onnx",))
    broken = incumbent(old, broken="checksum of model.onnx")
    decision = decide(SLOT, [old, base(2)], {}, broken, GATES)
    assert (decision.action, decision.champion) == ("rollback", base(2).version)
    assert decision.statuses[old.version] == "archived"
    assert "checksum of model.onnx" in decision.sentence


def test_where_the_bytes_broke_the_proven_line_goes_on_with_its_refit() -> None:
    old = replace(learner(1, "champion"), faults=("checksum of model.onnx",))
    broken = incumbent(old, broken="checksum of model.onnx")
    for line, version in ((stand(), learner(2)), (stand(lower=-0.01), base(2))):
        decision = decide(SLOT, [old, base(2), learner(2)], lines(line), broken, GATES)
        assert decision.champion == version.version


def test_a_broken_file_lowers_no_rivals_gate() -> None:
    broken = incumbent(learner(1, "champion"), broken="checksum")
    hurt = replace(learner(1, "champion"), faults=("checksum",))
    rival = learner(2, recipe="ridge")
    equal = stand("ridge", z_champion=0.0, lower=0.02)
    versions = [hurt, learner(2), rival, base(2)]
    decision = decide(SLOT, versions, lines(stand(), equal), broken, GATES)
    assert (decision.action, decision.champion) == ("refresh", learner(2).version)
    # In DRIFT as well, its line is no longer trusted.
    both = replace(broken, drift="DRIFT")
    decision = decide(SLOT, versions, lines(stand(), equal), both, GATES)
    assert (decision.action, decision.champion) == ("promote", rival.version)


def test_beside_a_champion_no_other_version_of_its_line_speaks() -> None:
    old = replace(learner(2, "champion"), faults=("checksum of model.onnx",))
    shadow, fresh = learner(1, "challenger"), learner(3, z_elder=None)
    broken = incumbent(old, broken="checksum of model.onnx")
    decision = decide(SLOT, [old, shadow, base(3), fresh], lines(stand()), broken, GATES)
    assert decision.champion == fresh.version
    assert decision.statuses[shadow.version] == "superseded"


# ------------------------------------------------------------------ archive


def crowd(*outside: str, worst: str = "d") -> tuple[list, dict]:
    """A champion `a` and its rivals b, c, d, ranked in that order; some outside of the set."""
    versions = [learner(2, "champion" if r == "a" else "challenger", recipe=r) for r in "abcd"]
    bounds = dict(zip("abcd", (0.04, 0.03, 0.02, 0.01), strict=True))
    standings = [stand(r, lower=bounds[r], z_champion=0.0, inside=r not in outside) for r in "abcd"]
    return [*versions, base(3)], lines(*standings, stand("baseline"))


def turns(scenes: list, **gates: object) -> list[Decision]:
    """Decide several turns in a row, each with what the last one left."""
    memory, found = Memory(), []
    for versions, standings in scenes:
        serving = next(c for c in versions if c.status == "champion")
        rules = GATES.model_copy(update=gates)
        found.append(decide(SLOT, versions, standings, incumbent(serving), rules, memory))
        memory = Memory.of(json.loads(json.dumps(found[-1].figures)))
    return found


def archived(decision: Decision) -> set[str]:
    return {v.rpartition("_")[2] for v, s in decision.statuses.items() if s == "archived"}


def test_a_line_is_archived_after_two_turns_outside_running() -> None:
    out, back = crowd("c"), crowd()
    first, second, third = turns([out, back, out], keep_top=4)
    assert (archived(first), archived(second), archived(third)) == (set(), set(), set())
    first, second = turns([out, out], keep_top=4)
    assert (archived(first), archived(second)) == (set(), {"c"})
    assert "c is archived, outside the 90 % confidence set for 2 turns" in second.sentence
    assert second.figures["memory"]["resting"] == {"c": GATES.rest_turns}
    assert second.figures["memory"]["outside"] == {}


def test_neither_champion_nor_baseline_is_archived() -> None:
    decisions = turns([crowd("a", "baseline")] * 3, keep_top=4)
    assert [archived(decision) for decision in decisions] == [set()] * 3


def test_mature_lines_below_the_top_are_archived_and_young_ones_wait() -> None:
    assert [archived(d) for d in turns([crowd()] * 2)] == [set(), {"d"}]
    versions, standings = crowd()
    young = versions, standings | lines(replace(standings["d"], days=13.9))
    assert [archived(d) for d in turns([young] * 3)] == [set()] * 3


@pytest.mark.parametrize(("champion", "left"), [("ensemble", {"c"}), ("a", {"b", "c"})])
def test_an_ensemble_that_serves_keeps_what_it_is_composed_of(champion: str, left: set) -> None:
    recipes = ["ensemble", "a", "b", "c"]
    of = {name: "champion" if name == champion else "challenger" for name in recipes}
    versions = [learner(2, of[name], recipe=name) for name in recipes]
    standings = [stand(r, z_champion=0.0, inside=r not in "bc") for r in recipes]
    decision = decide(
        SLOT,
        [*versions, base(3)],
        lines(*standings, stand("baseline")),
        incumbent(versions[recipes.index(champion)]),
        GATES.model_copy(update={"keep_top": 4}),
        Memory(outside={"b": 1, "c": 1}),
        members={"a", "b"},
    )
    assert decision.champion.endswith(champion)
    assert archived(decision) == left


@pytest.mark.parametrize("composed", [True, False])
def test_an_ensemble_is_promoted_only_in_a_turn_that_composed_it(composed: bool) -> None:
    old, elder = learner(2, "champion"), learner(2, "challenger", recipe="ensemble")
    fresh = [learner(3, recipe="ensemble")] if composed else []
    known = lines(stand(z_champion=None), stand("ensemble", z_champion=9.0), stand("baseline"))
    decision = decide(SLOT, [old, elder, *fresh, base(3)], known, incumbent(old), GATES)
    assert decision.action == ("promote" if composed else "keep")
    assert ("could not be composed in this turn" in decision.sentence) is not composed
    (row,) = [row for row in decision.figures["lines"] if row["line"] == "ensemble"]
    assert bool(row["lacks"]) is not composed


def test_what_was_just_replaced_is_kept_as_the_way_back() -> None:
    versions, standings = crowd("a")
    memory = Memory(outside={"a": 5})
    better = standings | lines(replace(standings["b"], z_champion=CLEAR))
    serving = incumbent(versions[0])
    decision = decide(SLOT, versions, better, serving, GATES, memory)
    assert decision.action == "promote"
    assert decision.statuses[versions[0].version] == "challenger"


def test_a_recipe_rests_its_turns_and_is_free_again() -> None:
    memory, left = Memory(resting={"x": 3}), []
    versions, standings = [base(2), learner(2)], lines(stand(lower=-0.1))
    for _ in range(3):
        serving = incumbent(base(1))
        decision = decide(SLOT, versions, standings, serving, GATES, memory)
        memory = Memory.of(decision.figures)
        left.append(dict(memory.resting))
    assert left == [{"x": 2}, {"x": 1}, {}]


# ------------------------------------------------------------------ invariants


FIGURE = st.one_of(st.none(), st.just(math.nan), st.floats(-8, 8))
RECIPES = "abcd"


@st.composite
def slots(draw):
    shadows = [
        learner(day, draw(st.sampled_from(["challenger", "unproven"])), recipe)
        for day, recipe in draw(st.sets(st.tuples(st.integers(1, 8), st.sampled_from(RECIPES))))
    ]
    fresh = [learner(9, recipe=recipe) for recipe in draw(st.sets(st.sampled_from(RECIPES)))]
    elders = [base(8, "baseline")] if draw(st.booleans()) else []
    versions = [
        replace(
            c,
            lower=draw(FIGURE),
            z_elder=draw(FIGURE),
            faults=("bad",) if draw(st.integers(0, 9)) == 0 else (),
        )
        for c in shadows + fresh
    ] + [base(9), *elders]
    standings = lines(
        *[
            stand(
                recipe,
                lower=draw(FIGURE),
                z_champion=draw(FIGURE),
                days=(days := draw(st.floats(0, 30))),
                days_champion=days,
                inside=draw(st.booleans()),
                metrics={"ece": draw(st.sampled_from([0.01, 0.01, 0.5])), "base_rate": 0.5},
            )
            for recipe in draw(st.sets(st.sampled_from([*RECIPES, "baseline"])))
        ]
    )
    count = st.dictionaries(st.sampled_from(RECIPES), st.integers(0, 3))
    memory = Memory(draw(count), draw(count), draw(count))
    champion = draw(st.sampled_from([None, *[c for c in versions if c.status != "candidate"]]))
    if champion is None:
        return versions, standings, None, memory
    versions = [replace(c, status="champion") if c is champion else c for c in versions]
    return (
        versions,
        standings,
        incumbent(
            champion,
            drift=draw(st.sampled_from(["OK", "WARN", "DRIFT", "HARM", "LEARNING"])),
            tenure=draw(st.integers(0, 4)),
            pinned=draw(st.booleans()),
            previous_line=draw(st.sampled_from([None, *RECIPES, "baseline"])),
            broken="; ".join(champion.faults),
        ),
        memory,
    )


@given(slots())
def test_whatever_comes_one_champion_serves_and_every_status_is_allowed(scene) -> None:
    versions, standings, champion, memory = scene
    decision = decide(SLOT, versions, standings, champion, GATES, memory)
    after = decision.statuses
    assert set(after) == {c.version for c in versions}
    assert [v for v, status in after.items() if status == "champion"] == [decision.champion]
    pinned = champion is not None and champion.pinned
    for c in versions:
        check_transition(c.version, c.status, after[c.version])
        assert not (c.faults and after[c.version] in IN_SERVICE) or pinned
        assert after[c.version] != "candidate"
        assert not (c.baseline and after[c.version] in ("unproven", "challenger"))
    serving = [c.line for c in versions if after[c.version] in IN_SERVICE]
    assert len(serving) == len(set(serving)), "a line speaks through one version"
    shadows = [v for v, s in after.items() if s in ("challenger", "unproven")]
    assert (decision.challenger in shadows) if shadows else decision.challenger is None
    assert not (pinned and decision.champion != champion.version)


@given(slots())
def test_a_decision_is_a_function_of_its_figures_in_any_order(scene) -> None:
    versions, standings, champion, memory = scene
    one = decide(SLOT, versions, standings, champion, GATES, memory)
    turned = dict(reversed(standings.items()))
    other = decide(SLOT, list(reversed(versions)), turned, champion, GATES, memory)
    assert (one.statuses, one.sentence) == (other.statuses, other.sentence)
    assert one.figures["memory"] == other.figures["memory"]


@given(slots())
def test_no_other_line_takes_over_without_the_z_that_is_needed(scene) -> None:
    versions, standings, champion, memory = scene
    decision = decide(SLOT, versions, standings, champion, GATES, memory)
    heir = next(c for c in versions if c.version == decision.champion)
    to_beat = champion.line if champion else "baseline"
    if heir.line in (to_beat, "baseline") or decision.action == "rollback":
        return
    line = standings[heir.line]
    assert line.lower > 0
    assert line.days_champion >= GATES.least_days
    fallen = champion is not None and champion.fallen
    row = next(row for row in decision.figures["lines"] if row["line"] == heir.line)
    assert line.z_champion >= row["z_needed"] >= (-0.5 if fallen else GATES.z_promote)
    assert row["lacks"] == []


@given(slots())
def test_nothing_is_archived_in_its_first_turn_outside(scene) -> None:
    versions, standings, champion, _ = scene
    decision = decide(SLOT, versions, standings, champion, GATES, Memory())
    for c in versions:
        if not c.faults:
            assert decision.statuses[c.version] != "archived"


def test_the_table_refuses_what_it_does_not_list() -> None:
    with pytest.raises(ForbiddenTransition, match="v1 is refused and cannot become champion"):
        check_transition("v1", "refused", "champion")
    for before, after in product(TRANSITIONS, TRANSITIONS):
        if before != after and after not in TRANSITIONS[before]:
            with pytest.raises(ForbiddenTransition):
                check_transition("v", before, after)


# ------------------------------------------------------------------ recipes that are named no more


def test_what_is_left_of_a_recipe_that_nobody_names_is_archived_and_never_promoted() -> None:
    svm = learner(1, "challenger", "svm")
    versions = [base(2), learner(2), learner(1, "champion"), svm]
    stands = lines(stand(z_champion=None), stand("svm", z_champion=9.0))
    named = decide(SLOT, versions, stands, incumbent(versions[2]), GATES)
    assert (named.action, named.champion) == ("promote", svm.version)
    found = decide(SLOT, versions, stands, incumbent(versions[2]), GATES, unnamed={"svm"})
    assert (found.action, found.champion) == ("refresh", learner(2).version)
    assert found.statuses[svm.version] == "archived"
    assert "; svm is archived, the setting recipes does not name it any more" in found.sentence
    assert found.challenger is None
    assert found.figures["memory"]["resting"] == {}  # named again, it is fitted at once


def test_a_champion_stays_though_nobody_names_its_recipe() -> None:
    serving, rival = learner(1, "champion"), learner(2, recipe="svm")
    stands = lines(stand(z_champion=None), stand("svm", z_champion=0.0))
    gone = {"xgboost"}
    kept = decide(SLOT, [base(2), serving, rival], stands, incumbent(serving), GATES, unnamed=gone)
    assert (kept.action, kept.champion) == ("keep", serving.version)
    assert "archived" not in kept.sentence
