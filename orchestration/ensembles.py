"""Ensembles: which versions of a slot answer together, and whether that is any better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.common.blending import blend_raw

Floats = NDArray[np.float64]

METHOD = "weighted_avg"
_MOST = 4
_PROVEN = ("champion", "challenger")


@dataclass(frozen=True)
class Gate:
    """Whether an ensemble goes into service, and why."""

    active: bool
    sentence: str


def members(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the versions of a slot that may answer together, best first; empty if fewer than two.

    Members are the proven versions, champion and challengers, and the baseline: what has not shown
    skill by itself has no vote. The baseline alone is no ensemble.

    Parameters
    ----------
    rows
        The slot's versions, each with ``version``, ``status``, ``baseline`` (bool) and ``lower``,
        the lower bound of its skill.
    """
    proven = [r for r in rows if r["status"] in _PROVEN or r["status"] == "baseline"]
    learners = [row for row in proven if not row["baseline"]]
    learners.sort(key=lambda row: (row.get("lower") or 0.0, row["version"]), reverse=True)
    plain = [row for row in proven if row["baseline"]][:1]
    chosen = [str(row["version"]) for row in (learners[: _MOST - len(plain)] + plain)]
    return tuple(chosen) if learners and len(chosen) > 1 else ()


def blend(kind: str, raws: Sequence[Floats]) -> Floats:
    """Return the raw output [N, K] of equal weights over members' raw outputs [N, K] each.

    Means are of log-odds, returns or log variances: `models.common.blending` says which.
    """
    weights = np.full(len(raws), 1.0 / len(raws))
    return blend_raw(kind, METHOD, np.stack(list(raws)), weights)


def config(slot_key: str, versions: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of an equal-weight ensemble of `versions` of one slot."""
    scope, kind, _ = slot_key.split("/")
    return {
        "slot": slot_key,
        "models": [f"{scope}/{kind}/{version}" for version in versions],
        "weights": [1.0 / len(versions)] * len(versions),
        "method": METHOD,
    }


def gate(z_best: float, best: str, lower: float, least_z: float) -> Gate:
    """Decide whether an ensemble goes into service.

    Parameters
    ----------
    z_best
        Paired z of the ensemble against its best member, on rows that no member has seen.
    best
        That member.
    lower
        Lower bound of the ensemble's own skill over the baseline.
    least_z
        What `z_best` must reach.
    """
    if not lower > 0:
        return Gate(False, f"the lower bound of its skill, {lower:+.4f}, is not above 0")
    against = f"paired z {z_best:.2f} against its best member {best}"
    if z_best < least_z:
        return Gate(False, f"{against} is below {least_z:g}")
    return Gate(True, f"{against}, at least {least_z:g}")


def name_of(slot_key: str, known: Mapping[str, str]) -> str:
    """Return the slot's ensemble name: the one it has, else the next free ``ensemble_001``.

    Parameters
    ----------
    slot_key
        ``majors/direction/1m``.
    known
        Slot keys by the names of the ensembles that exist.
    """
    for name, slot in sorted(known.items()):
        if slot == slot_key:
            return name
    number = 1
    while f"ensemble_{number:03d}" in known:
        number += 1
    return f"ensemble_{number:03d}"
