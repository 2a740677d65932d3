"""HARM in two ways at one false-alarm rate: z over a rolling day, and evidence that accumulates."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.verdicts.bars import DAY, HORIZON
from bench.verdicts.drifting import BEFORE, STEP_MS, Week, lowest_z, weeks
from orchestration.drift import Rules
from orchestration.drift.harm import evidence

WEAK = 0.51
"""A sound model with so little skill that a bad day looks like harm."""
BROKEN = ((0.55, 0.45), (0.52, 0.48), (0.55, 0.50))


def compare(seeds: int, level: float = 0.02) -> dict[str, Any]:
    """Return what each way finds when both give an alarm in `level` of the weak, sound weeks.

    Also given: how many of those weeks the thresholds of practice would flag.
    """
    sound = list(weeks(range(seeds), WEAK, WEAK, 0.0, 3))
    z = np.array([lowest_z(one).min() for one in sound])
    grown = np.array([_evidence(one).max() for one in sound])
    at_z, at_e = float(np.quantile(z, level)), float(np.quantile(grown, 1 - level))
    found: dict[str, Any] = {
        "level": level,
        "threshold": {"z": at_z, "evidence": at_e},
        "false": {
            "z < -2.33": float((z < -2.33).mean()),
            "evidence >= 150": float((grown >= Rules().harm_evidence).mean()),
        },
        "breaks": [],
    }
    for before, after in BROKEN:
        broken = list(weeks(range(seeds // 2), before, after, 0.0, 3))
        by_z = _hours([lowest_z(one) < at_z for one in broken])
        by_e = _hours([_evidence(one) >= at_e for one in broken])
        found["breaks"].append(
            {
                "before": before, "after": after,
                "z": _row(by_z), "evidence": _row(by_e),
            }
        )  # fmt: skip
    return found


def _evidence(one: Week) -> np.ndarray:
    """Return the evidence at each hour of the week that is watched."""
    ends, grown = evidence(one.track, STEP_MS, HORIZON)
    return np.asarray(grown[ends > BEFORE * DAY * STEP_MS])


def _hours(alarms: list[np.ndarray]) -> np.ndarray:
    return np.array([1.0 + a.argmax() if a.any() else np.inf for a in alarms])


def _row(hours: np.ndarray) -> dict[str, float | None]:
    median = float(np.median(hours))
    return {
        "within_24h": float((hours <= 24).mean()),
        "within_72h": float((hours <= 72).mean()),
        "within_7d": float(np.isfinite(hours).mean()),
        "median_h": median if np.isfinite(median) else None,
    }
