"""Instances: which version speaks for each line from now on, its fresh refit or the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.ensembles import ENSEMBLE
from orchestration.lifecycle.gates import Contender, Incumbent, refresh_shortfalls
from orchestration.lifecycle.transitions import IN_SERVICE
from orchestration.rules import Gates


@dataclass(frozen=True)
class Instance:
    """What speaks for one line.

    Parameters
    ----------
    version
        The version chosen.
    elder
        The version of the line that was in service, None for a line that is new.
    fresh
        The refit of this turn, None where there is no sound one.
    why
        What kept the refit out; empty where it was taken, or there is none.
    """

    version: Contender
    elder: Contender | None
    fresh: Contender | None
    why: str = ""


def instances_of(
    contenders: Sequence[Contender], incumbent: Incumbent | None, gates: Gates
) -> Mapping[str, Instance]:
    """Return what speaks for each line, of the sound versions; a pinned champion for its own."""
    lines = sorted({c.line for c in contenders})
    found = {line: _instance([c for c in contenders if c.line == line], incumbent, gates)
             for line in lines}  # fmt: skip
    return {line: one for line, one in found.items() if one is not None}


def stale(line: str, one: Instance) -> list[str]:
    """Say why an ensemble that was not composed in this turn is not promoted; empty if it was.

    Its members rest or show no skill: as champion it would go on as it is, and never be refitted.
    """
    if line != ENSEMBLE or one.fresh is not None:
        return []
    return ["it could not be composed in this turn"]


def _instance(
    own: Sequence[Contender], incumbent: Incumbent | None, gates: Gates
) -> Instance | None:
    champion = next((c for c in own if incumbent and c.version == incumbent.version), None)
    if champion is not None and incumbent is not None and incumbent.pinned:
        return Instance(champion, champion, None, "it is pinned")
    sound = [c for c in own if not c.faults]
    serving = [c for c in sound if c.status in IN_SERVICE]
    elder = champion if champion in serving else _freshest(serving)
    fresh = _freshest([c for c in sound if c.fresh])
    if fresh is None or elder is None:
        only = fresh or elder
        return None if only is None else Instance(only, elder, fresh)
    short = refresh_shortfalls(fresh, gates)
    if short:
        return Instance(elder, elder, fresh, f"its refit {fresh.version} is not taken: {short[0]}")
    return Instance(fresh, elder, fresh)


def _freshest(versions: Sequence[Contender]) -> Contender | None:
    return max(versions, key=lambda c: c.version, default=None)
