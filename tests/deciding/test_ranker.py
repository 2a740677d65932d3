"""Ranking is by evidence: the lower bound of skill."""

from __future__ import annotations

import pytest

from orchestration.ranker import ModelRanker, RankingError, best_first, leaderboard


def test_the_seeds_calls_rank_by_the_lower_bound_in_per_cent() -> None:
    results = {
        "wide": {"skill": 0.05, "lower": -0.01, "accuracy": 0.58},
        "narrow": {"skill": 0.02, "lower": 0.015, "accuracy": 0.52},
    }
    ranker = ModelRanker()
    top = ranker.get_top_models(results=results, count=5)
    assert top == [("narrow", 1.5), ("wide", -1.0)]
    assert "\n".join(f"{name}: {score:.1f}" for name, score in top) == "narrow: 1.5\nwide: -1.0"


def test_nothing_is_replaced_up_to_seven_models_and_two_of_eight() -> None:
    ranker = ModelRanker()
    seven = {f"m{i}": {"lower": i / 100} for i in range(7)}
    ranker.get_top_models(seven)
    assert ranker.get_to_replace() == []
    ranker.get_top_models(seven | {"m7": {"lower": 0.07}})
    assert ranker.get_to_replace() == ["m0", "m1"]
    assert ranker.get_to_replace(count=1) == ["m0"]


def test_a_baseline_is_never_replaced_and_a_missing_bound_ranks_last() -> None:
    results = {f"m{i}": {"lower": i / 100} for i in range(1, 8)}
    results["base"] = {"lower": 0.0, "baseline": True}
    results["blind"] = {"lower": float("nan")}
    ranker = ModelRanker()
    assert [name for name, _ in ranker.get_top_models(results, count=9)][-1] == "blind"
    ranker.get_top_models(results)
    assert ranker.get_to_replace(3) == ["blind", "m1", "m2"]


def test_before_any_ranking_there_is_nothing_to_replace() -> None:
    assert ModelRanker().get_to_replace() == []


def test_a_result_without_bound_is_refused_by_name() -> None:
    with pytest.raises(RankingError, match=r"risky: its results hold accuracy but no 'lower'"):
        ModelRanker().get_top_models({"risky": {"accuracy": 0.9}})


def test_within_a_slot_the_fresher_version_wins_a_tie() -> None:
    rows = [
        {"version": "2025-05-01T0000Z_1m_a", "lower": 0.01},
        {"version": "2025-05-02T0000Z_1m_a", "lower": 0.01},
        {"version": "2025-05-03T0000Z_1m_a", "lower": None},
    ]
    assert [row["version"][8:10] for row in best_first(rows)] == ["02", "01", "03"]


def test_the_leaderboard_puts_skill_above_every_baseline() -> None:
    rows = [
        {"slot": "s/a/1m", "champion": "x", "baseline": True, "lower": 0.0},
        {"slot": "s/b/1m", "champion": "y", "baseline": False, "lower": -0.01},
        {"slot": "s/c/1m", "champion": "z", "baseline": False, "lower": 0.02},
        {"slot": "s/d/1m", "champion": None, "baseline": None, "lower": None},
    ]
    board = leaderboard(rows, count=2)
    assert [(row["rank"], row["champion"]) for row in board] == [(1, "z"), (2, "y")]
    assert [row["champion"] for row in leaderboard(rows)] == ["z", "y", "x", None]
