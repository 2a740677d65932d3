"""Slots written by hand: versions judged on the holdout, and how their lines stand."""

from __future__ import annotations

from typing import Any

from orchestration.judge.verdicts import Standing
from orchestration.lifecycle.gates import Contender, Incumbent
from orchestration.rules import Gates

SLOT = "majors/direction/1m"
GATES = Gates(z_promote=2.4, ledger_days=14, least_days=1.5)
FINE = {"ece": 0.01, "base_rate": 0.5}


def base(day: int, status: str = "candidate") -> Contender:
    name = f"2025-05-{day:02d}T0000Z_1m_baseline"
    return Contender(name, "baseline", True, status, 0.0, 0.0, 0.0, 0.0, 8000)


def learner(
    day: int, status: str = "candidate", recipe: str = "xgboost", **figures: Any
) -> Contender:
    """A version with a good holdout, no worse than its elder."""
    name = f"2025-05-{day:02d}T0000Z_1m_{recipe}"
    verdict = {"skill": 0.02, "lower": 0.01, "upper": 0.03, "z": 3.0, "z_elder": 0.3}
    more = {"n": 8000, "effective_n": 900.0, "metrics": FINE}
    return Contender(name, recipe, False, status, **(verdict | more | figures))


def stand(recipe: str = "xgboost", **figures: Any) -> Standing:
    """A line that is proven on two weeks of ledger, and better than the champion's."""
    verdict = {"skill": 0.02, "lower": 0.01, "upper": 0.03, "z": 3.0, "n": 60_000}
    paired = {"z_champion": 3.0, "n_champion": 60_000, "days_champion": 14.0, "days": 14.0}
    more = {"effective_n": 7000.0, "metrics": FINE}
    return Standing(recipe, recipe == "baseline", **(verdict | paired | more | figures))


def lines(*standings: Standing) -> dict[str, Standing]:
    return {one.line: one for one in standings}


def incumbent(of: Contender, **facts: Any) -> Incumbent:
    return Incumbent(of.version, of.recipe, of.baseline, **({"tenure": 5} | facts))
