"""The choice of a method, and whether the ensemble it makes goes into service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.errors import JudgingError
from ml_pipeline.skill import paired_mean, verdict_of
from orchestration.ensembles.contest import Contest
from orchestration.ensembles.weights import EQUAL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gate:
    """Whether an ensemble goes into service, and why."""

    active: bool
    sentence: str


@dataclass(frozen=True)
class Choice:
    """A method with its weights, and the figures that chose it.

    Attributes
    ----------
    method, weights
        Of the ensemble that is composed now; weights by member.
    why
        Why this method.
    methods
        By method ``skill`` over the baseline, ``z`` of it, and ``z_equal``, the paired z against
        equal weights; None where there were too few bars.
    skill, lower, upper, z, n
        Of the method over the baseline, on the rows that were judged; None where too few.
    best, z_best
        The best member by now, and the paired z against whoever was best at each step.
    gate
        Whether the ensemble goes into service.
    table
        Weights by regime and member, where they depend on it; `weights` are then their means.
    """

    method: str
    weights: Mapping[str, float]
    why: str
    gate: Gate
    best: str
    methods: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    skill: float | None = None
    lower: float | None = None
    upper: float | None = None
    z: float | None = None
    n: int = 0
    z_best: float | None = None
    table: tuple[tuple[float, ...], ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        return asdict(self)


def choose(found: Contest, horizon: int, seed: int, z_learnt: float, z_best: float) -> Choice:
    """Choose a method, and decide whether its ensemble goes into service.

    Parameters
    ----------
    horizon
        Bars after which an outcome is known.
    seed
        Of the bootstrap.
    z_learnt
        Paired z against equal weights that anything else must reach.
    z_best
        Paired z against the best member that the ensemble must reach.
    """
    try:
        verdict = verdict_of(
            found.rows, found.base, found.base - found.losses[EQUAL], horizon, seed
        )
    except JudgingError as error:
        why = "equal weights: nothing else has been judged yet"
        return Choice(
            EQUAL, _named(found, EQUAL), why, Gate(False, f"not judged: {error}"), found.leader
        )
    methods = {name: _figures(found, name, horizon) for name in found.losses}
    method, why = _method(methods, z_learnt)
    loss, weights = found.losses[method], found.weights[method]
    if method != EQUAL:
        verdict = verdict_of(found.rows, found.base, found.base - loss, horizon, seed)
    z = paired_mean(found.best - loss, found.best, horizon).z
    return Choice(
        method=method,
        weights=_named(found, method),
        why=why,
        gate=gate(z, found.leader, verdict.lower, z_best),
        best=found.leader,
        methods=methods,
        skill=verdict.skill,
        lower=verdict.lower,
        upper=verdict.upper,
        z=verdict.z,
        n=verdict.n,
        z_best=z,
        table=tuple(map(tuple, weights.tolist())) if weights.ndim == 2 else None,
    )


def gate(z_best: float, best: str, lower: float, least_z: float) -> Gate:
    """Decide whether an ensemble goes into service.

    Parameters
    ----------
    z_best
        Paired z of the ensemble against its best member, on bars that neither was weighed on.
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
    if not z_best >= least_z:
        return Gate(False, f"{against} is below {least_z:g}")
    return Gate(True, f"{against}, at least {least_z:g}")


def _figures(found: Contest, name: str, horizon: int) -> dict[str, float | None]:
    loss, equal = found.losses[name], found.losses[EQUAL]
    gain = found.base - loss
    against = paired_mean(equal - loss, equal, horizon).z if name != EQUAL else None
    return {
        "skill": float(gain.mean() / found.base.mean()),
        "z": paired_mean(gain, found.base, horizon).z,
        "z_equal": against,
    }


def _method(methods: Mapping[str, Mapping[str, float | None]], z_learnt: float) -> tuple[str, str]:
    """Return the method to use and why: the best of those that beat equal weights, if any does."""
    rivals = {name: row["z_equal"] for name, row in methods.items() if row["z_equal"] is not None}
    told = ", ".join(f"{name} {z:+.2f}" for name, z in rivals.items())
    able = [name for name, z in rivals.items() if z >= z_learnt]
    if not able:
        return EQUAL, f"equal weights: no other beats them by z {z_learnt:g} ({told})"
    best = max(able, key=lambda name: methods[name]["skill"] or 0.0)
    return best, f"{best}: it beats equal weights by z {rivals[best]:.2f} ({told})"


def _named(found: Contest, method: str) -> dict[str, float]:
    weights = found.weights[method]
    mean = weights if weights.ndim == 1 else weights.mean(axis=0)
    return dict(zip(found.members, mean.tolist(), strict=True))
