"""How often an equal line is archived, and how long a bad one is kept, turn after turn.

    python -m bench.verdicts.archive [--seeds 40]

A slot of three learners and a baseline, looked at every twelve hours from two days of ledger on to
thirty. A turn is what it is in the service: p-values of `ml_pipeline.confidence_set` on the last
28 days, the level of `level_on`, the counts of `orchestration.lifecycle.retiring`; only the losses
are simulated, hour by hour (`bench.verdicts.series`). A line counts up to its first archiving.
Beside it the same with 10 % from the first day on.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench.verdicts.series import HOURS, SLOTS, Floats, lines
from ml_pipeline.confidence_set import confidence_p_values
from orchestration.judge.verdicts import Standing, level_on
from orchestration.lifecycle.retiring import Memory, remember, retired
from orchestration.rules import Gates

DAYS, FIRST, EVERY = 30, 2 * HOURS, 12
NAMES = ("baseline", "a", "b", "last")
RULES = ("grown", "flat")


@dataclass(frozen=True)
class Case:
    """A slot: what a day earns each learner over the baseline as z, the last one apart."""

    name: str
    kind: str
    others: float = 0.0
    last: float = 0.0
    wander: float = 0.0


CASES = (
    Case("equals, direction", "direction"),
    Case("equals, direction, wander .5", "direction", wander=0.5),
    Case("equals, risk", "risk"),
    Case("equals, volatility 4h", "volatility"),
    Case("two a point over the baseline, one equal to it", "direction", 0.7),
    Case("one worse by a point", "direction", 0.0, -0.7),
    Case("one worse by two points", "direction", 0.0, -1.4),
    Case("one worse by 5 % of QLIKE, volatility 4h", "volatility", 0.0, -0.42),
)


def archived(case: Case, seed: int) -> dict[str, Floats]:
    """Return by rule the days after which each learner is archived; infinity where it is not."""
    gates = Gates()
    gains = lines(np.random.default_rng([seed, 11]), 4, DAYS, SLOTS[case.kind], case.wander)
    edge = np.array([0.0, case.others, case.others, case.last]) / np.sqrt(HOURS)
    losses = -(gains + edge[:, None]).T
    block = max(1, round(4 * SLOTS[case.kind]))
    found = {rule: np.full(3, np.inf) for rule in RULES}
    memory = {rule: Memory() for rule in RULES}
    for hour in range(FIRST, DAYS * HOURS + 1, EVERY):
        part = losses[max(0, hour - int(gates.window_days * HOURS)) : hour]
        p = confidence_p_values(part, block, 0, reps=400)
        grown = level_on(len(part) / HOURS, gates.confidence_set, gates.ledger_days)
        for rule, level in zip(RULES, (grown, gates.confidence_set), strict=True):
            told = {
                name: Standing(name, name == NAMES[0], inside=bool(own > level))
                for name, own in zip(NAMES, p, strict=True)
            }
            memory[rule] = remember(NAMES[1:], told, memory[rule], gates)
            for line in retired(memory[rule], (), gates):
                k = NAMES.index(line) - 1
                found[rule][k] = min(found[rule][k], (hour - FIRST) / HOURS)
    return found


def main() -> None:
    """Print one row for each case and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40, help="slots of each case")
    seeds = parser.parse_args().seeds
    print(
        "| slot (simulated) | level | others 14 d | others 28 d | last 7 d | last 28 d | median d |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for case in CASES:
        runs = [archived(case, seed) for seed in range(seeds)]
        for rule in RULES:
            days = np.array([run[rule] for run in runs])
            others, last = days[:, :2], days[:, 2]
            median = np.median(last)
            cells = [
                *(f"{(others <= d).mean():.2f}" for d in (14, 28)),
                *(f"{(last <= d).mean():.2f}" for d in (7, 28)),
                "> 28" if np.isinf(median) else f"{median:.1f}",
            ]
            print(f"| {case.name} | {rule} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
