"""Ensembles: only what is proven has a vote, and blending must not make it worse."""

from __future__ import annotations

import numpy as np
import pytest

from orchestration.ensembles import blend, config, gate, members, name_of


def row(version: str, status: str, lower: float | None = 0.0, baseline: bool = False) -> dict:
    return {"version": version, "status": status, "lower": lower, "baseline": baseline}


def test_members_are_the_proven_and_the_baseline_best_first() -> None:
    rows = [
        row("v1", "champion", 0.01),
        row("v2", "challenger", 0.02),
        row("v3", "unproven", 0.5),
        row("v0", "baseline", baseline=True),
    ]
    assert members(rows) == ("v2", "v1", "v0")


@pytest.mark.parametrize(
    "rows",
    [
        [row("v0", "champion", baseline=True), row("v1", "unproven", None)],
        [row("v1", "champion", 0.1)],
        [],
    ],
)
def test_without_two_members_one_of_them_proven_there_is_no_ensemble(rows: list) -> None:
    assert members(rows) == ()


def test_at_most_four_members() -> None:
    rows = [row(f"v{i}", "challenger", i / 100) for i in range(1, 8)]
    rows.append(row("v0", "baseline", baseline=True))
    assert members(rows) == ("v7", "v6", "v5", "v0")


def test_probabilities_blend_in_log_odds_and_variances_in_logs() -> None:
    p = blend("direction", [np.array([[0.9]]), np.array([[0.5]])])
    assert p[0, 0] == pytest.approx(0.75)  # log-odds ln 9 / 2 = ln 3
    v = blend("volatility", [np.array([[0.0, 2.0]]), np.array([[2.0, 4.0]])])
    assert v.tolist() == [[1.0, 3.0]]


def test_equal_models_blend_into_themselves() -> None:
    raw = np.random.default_rng(0).uniform(0.1, 0.9, (50, 1))
    np.testing.assert_allclose(blend("risk", [raw, raw, raw]), raw, rtol=1e-12)


def test_the_gate_asks_for_skill_and_for_not_losing_to_a_member() -> None:
    assert gate(-0.5, "v1", 0.01, -0.5).active
    assert not gate(-0.51, "v1", 0.01, -0.5).active
    assert "not above 0" in gate(3.0, "v1", 0.0, -0.5).sentence


def test_the_configuration_names_members_in_full_and_weighs_them_equally() -> None:
    made = config("majors/risk/1m", ["a", "b"])
    assert made["models"] == ["majors/risk/a", "majors/risk/b"]
    assert made["weights"] == [0.5, 0.5]
    assert (made["slot"], made["method"]) == ("majors/risk/1m", "weighted_avg")


def test_a_slot_keeps_its_name_and_a_new_one_gets_the_next() -> None:
    known = {"ensemble_001": "a", "ensemble_003": "b"}
    assert name_of("b", known) == "ensemble_003"
    assert name_of("c", known) == "ensemble_002"
