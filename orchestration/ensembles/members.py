"""Members: the lines of a slot that may answer together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST = 4
GROWN = 0.5
"""A member's ledger is at least this part as long as the longest member's."""


@dataclass(frozen=True)
class Candidate:
    """One line that serves, in shadow or not, by its ledger before the holdout.

    Attributes
    ----------
    line
        Its name; the baseline's and the ensemble's own are no candidates.
    days
        Of ledger.
    skill, z
        Over the baseline there; None where it could not be judged.
    lacks
        Why it cannot be a member whatever its ledger says; empty if it can.
    """

    line: str
    days: float
    skill: float | None = None
    z: float | None = None
    lacks: str = ""


@dataclass(frozen=True)
class Members:
    """The lines chosen, best first, and a sentence where they are too few for an ensemble."""

    lines: tuple[str, ...]
    why: str = ""


def pick(candidates: Iterable[Candidate], least_days: float) -> Members:
    """Return the members: with days enough and z > 0, the best `MOST` by skill, at least two.

    Parameters
    ----------
    least_days
        Days of ledger below which a line tells nothing.
    """
    every = list(candidates)
    short = {one.line: _lacks(one, least_days) for one in every}
    able = [one for one in every if not short[one.line]]
    able.sort(key=lambda one: (-(one.skill or 0.0), one.line))
    longest = max((one.days for one in able), default=0.0)
    grown = [one for one in able if one.days >= GROWN * longest]
    if len(grown) >= 2:
        return Members(tuple(one.line for one in grown[:MOST]))
    short |= {
        one.line: f"has {one.days:.1f} days of ledger beside {longest:.1f}"
        for one in able
        if one not in grown
    }
    told = "; ".join(f"{line} {why}" for line, why in sorted(short.items()) if why)
    said = "no line" if not grown else f"only {grown[0].line}"
    return Members((), f"{said} has shown skill before the holdout" + (f": {told}" if told else ""))


def _lacks(one: Candidate, least_days: float) -> str:
    if one.lacks:
        return one.lacks
    if one.days < least_days:
        return f"has {one.days:.1f} days of ledger, {least_days:g} needed"
    if one.z is None:
        return "could not be judged"
    return "" if one.z > 0 else f"shows no skill, z {one.z:.2f}"
