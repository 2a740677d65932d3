"""Retiring: which lines leave the slot, after how many turns, and how long their recipes rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.ensembles import ENSEMBLE
from orchestration.judge.lines import BASELINE
from orchestration.judge.verdicts import Standing
from orchestration.rules import Gates


@dataclass(frozen=True)
class Memory:
    """What one decision leaves to the next, by line.

    Parameters
    ----------
    outside, below
        For how many turns in a row the line was outside of the confidence set, or a mature one
        ranked below `Gates.keep_top`.
    resting
        For how many turns more the recipe is not fitted.
    """

    outside: Mapping[str, int] = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)
    resting: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, figures: Mapping[str, Any] | None) -> Memory:
        """Return what the figures of the last decision remember; nothing without any."""
        kept = (figures or {}).get("memory") or {}
        names = ("outside", "below", "resting")
        return cls(**{name: {k: int(v) for k, v in kept.get(name, {}).items()} for name in names})


def remember(
    ranked: Sequence[str], standings: Mapping[str, Standing], memory: Memory, gates: Gates
) -> Memory:
    """Return the counts after one more turn.

    Parameters
    ----------
    ranked
        The learners' lines, best first. The ensemble's takes no other's place: it lives of them.
    """
    recipes = [line for line in ranked if line != ENSEMBLE]
    outside = {
        line: memory.outside.get(line, 0) + 1 for line in ranked if not standings[line].inside
    }
    below = {
        line: memory.below.get(line, 0) + 1
        for line in recipes[gates.keep_top :]
        if standings[line].days >= gates.ledger_days
    }
    # One that was brought back by hand rests no longer: it serves, and wants to be fitted.
    resting = {k: n - 1 for k, n in memory.resting.items() if n > 1 and k not in ranked}
    return Memory(outside, below, resting)


def retired(counts: Memory, stays: Sequence[str], gates: Gates) -> dict[str, str]:
    """Return the lines that are archived, each with its reason; the baseline never is.

    Parameters
    ----------
    counts
        Of `remember`.
    stays
        Lines that are kept whatever they did: the champion's, and the one it has just replaced.
    """
    found = {}
    for line, turns in sorted(counts.below.items()):
        if turns >= gates.outside_turns:
            found[line] = f"ranked below {gates.keep_top} for {turns} turns"
    sure = f"{100 * (1 - gates.confidence_set):g} %"
    for line, turns in sorted(counts.outside.items()):
        if turns >= gates.outside_turns:
            found[line] = f"outside the {sure} confidence set for {turns} turns"
    return {line: why for line, why in found.items() if line not in (*stays, BASELINE)}


def put_to_rest(counts: Memory, lines: Sequence[str], gates: Gates) -> Memory:
    """Return the counts with these lines gone and their recipes resting."""
    rest = dict.fromkeys(lines, gates.rest_turns) if gates.rest_turns else {}
    return Memory(
        outside={line: n for line, n in counts.outside.items() if line not in lines},
        below={line: n for line, n in counts.below.items() if line not in lines},
        resting={**counts.resting, **rest},
    )
