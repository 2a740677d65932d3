"""Members, names and the gate of an ensemble."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.common.ensemble_config import make_config, write_config
from models.common.slot import Slot
from orchestration.ensembles import Candidate, config, free_name, gate, is_ours, name_of, pick

SLOT = Slot("majors", "risk", "1m")


def line(name: str, skill: float = 0.01, z: float | None = 2.0, days: float = 10) -> Candidate:
    return Candidate(name, days, skill, z)


def test_members_are_the_best_four_that_show_skill() -> None:
    lines = [line(f"l{k}", skill=k / 100) for k in range(6)] + [line("bad", 0.5, z=-0.1)]
    assert pick(lines, 1.5).lines == ("l5", "l4", "l3", "l2")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (line("b", z=0.0), "b shows no skill, z 0.00"),
        (line("b", z=None), "b could not be judged"),
        (line("b", days=1.4), "b has 1.4 days of ledger, 1.5 needed"),
        (line("b", days=4.9), "b has 4.9 days of ledger beside 10.0"),
        (Candidate("b", 10, 0.1, 3.0, "rests"), "b rests"),
    ],
)
def test_one_member_is_no_ensemble_and_the_sentence_says_why(other: Candidate, why: str) -> None:
    found = pick([line("a"), other], 1.5)
    assert found.lines == ()
    assert found.why == f"only a has shown skill before the holdout: {why}"


def test_without_any_line_there_is_no_ensemble() -> None:
    assert pick([], 1.5).why == "no line has shown skill before the holdout"


def test_the_gate_asks_for_skill_and_for_not_losing_to_a_member() -> None:
    assert gate(-0.5, "v1", 0.01, -0.5).active
    assert not gate(-0.51, "v1", 0.01, -0.5).active
    assert not gate(float("nan"), "v1", 0.01, -0.5).active
    assert "not above 0" in gate(3.0, "v1", 0.0, -0.5).sentence


def test_the_configuration_names_members_in_full_and_says_whose_it_is() -> None:
    made = config(SLOT, {"a": 0.25, "b": 0.75}, "weighted_avg", "v_ensemble")
    assert made["models"] == ["majors/risk/a", "majors/risk/b"]
    assert made["weights"] == [0.25, 0.75]
    assert (made["slot"], made["version"]) == (SLOT.key, "v_ensemble")
    assert is_ours(made)


def test_a_slot_keeps_its_name_and_takes_none_that_a_person_made() -> None:
    mine = {"slot": SLOT.key, "made_by": "turn"}
    by_hand = {"slot": SLOT.key, "models": ["x"]}
    assert name_of(SLOT.key, {"ensemble_001": by_hand, "ensemble_003": mine}) == "ensemble_003"
    assert name_of(SLOT.key, {"ensemble_001": by_hand}) == "ensemble_002"
    assert name_of(SLOT.key, {"ensemble_001": by_hand}, {"ensemble_002"}) == "ensemble_003"


def test_a_file_that_a_person_wrote_over_the_slots_own_is_left_to_them(tmp_path: Path) -> None:
    slot = "majors/direction/5m"
    ours = {"ensemble_001": {"slot": slot, "made_by": "turn"}}
    mine = make_config(["majors/direction@champion"], about={"slot": slot})
    assert free_name(tmp_path, slot, ours) == "ensemble_001"
    write_config("ensemble_001", mine, tmp_path)
    assert free_name(tmp_path, slot, ours) == "ensemble_001"
    assert free_name(tmp_path, "majors/risk/5m", ours) == "ensemble_002"
    write_config("ensemble_001", make_config(["majors/direction@champion"]), tmp_path)
    assert free_name(tmp_path, slot, ours) == "ensemble_002"
