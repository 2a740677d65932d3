"""The contest of methods: walked along the ledger, each weighed by what was known, judged after.

At every step of twelve hours weights are learnt from the rows whose outcome was known when the step
began, and losses are counted on the rows inside it (prequential: Dawid 1984, JRSS A 147). The best
member is chosen in the same way, so that nobody is compared with what only hindsight knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.common.blending import blend_raw
from orchestration.ensembles.evidence import Evidence
from orchestration.ensembles.steps import HOURS, Means, steps
from orchestration.ensembles.weights import METHODS, methods_of, sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Contest:
    """Losses of each method at the times that were judged, means over symbols.

    Attributes
    ----------
    members
        Names of the members.
    rows
        Rows that were judged.
    steps
        Moments at which weights were learnt.
    base, best
        Loss of the baseline, and of the member that was the best one by then, float64 [T].
    losses
        Of each method, float64 [T].
    singles
        Of each member, float64 [M, T].
    weights
        Of each method, learnt from all rows: what is used from now on, float64 [M], or by regime
        [R, M].
    leader
        The best member by all rows.
    """

    members: tuple[str, ...]
    rows: int
    steps: int
    base: Floats
    best: Floats
    losses: Mapping[str, Floats]
    singles: Floats
    weights: Mapping[str, Floats]
    leader: str


def contest(evidence: Evidence, warm_days: float, hours: float = HOURS) -> Contest:
    """Walk along the evidence.

    Parameters
    ----------
    evidence
        Rows whose outcome is known now.
    warm_days
        Days at the beginning that are learnt from and not judged.
    hours
        Length of a step; steps lie on the clock's own grid, the same at every turn.
    """
    single = evidence.member_losses()
    starts, edges = steps(evidence.ts, warm_days, hours)
    known = np.array([evidence.known_by(int(at)) for at in starts], dtype=np.int64)
    moments = np.append(known, len(evidence.ts))
    learnt = sums(evidence, single, moments)
    names = methods_of(evidence)
    weights = {
        name: np.stack(
            [METHODS[name].learn(evidence.kind, learnt.at(j)) for j in range(len(moments))]
        )
        for name in names
    }
    judged = slice(int(edges[0]), int(edges[-1]))
    mean = Means(evidence.ts[judged])
    chosen = np.repeat(np.argmin(learnt.loss[:-1], axis=1), np.diff(edges))
    ahead = single[:, judged]
    return Contest(
        members=evidence.members,
        rows=ahead.shape[1],
        steps=len(starts),
        base=mean(evidence.base[judged]),
        best=mean(ahead[chosen, np.arange(ahead.shape[1])]),
        losses={
            name: mean(evidence.losses(_blended(evidence, name, w[:-1], edges))[judged])
            for name, w in weights.items()
        },
        singles=np.stack([mean(loss) for loss in ahead]),
        weights={name: w[-1] for name, w in weights.items()},
        leader=evidence.members[int(np.argmin(learnt.loss[-1]))],
    )


def _blended(evidence: Evidence, name: str, weights: Floats, edges: Ints) -> Floats:
    """Return what a method says of each row, by the weights of its step; NaN before the first."""
    said = np.full(evidence.raw.shape[1:], np.nan)
    for w, a, b in zip(weights, edges[:-1], edges[1:], strict=True):
        if b > a:
            said[a:b] = blended(evidence, name, w, slice(int(a), int(b)))
    return said


def blended(evidence: Evidence, name: str, weights: Floats, rows: slice = slice(None)) -> Floats:
    """Return what a method says of some rows by its weights [M], or by regime [R, M].

    In a regime that is not known, all members weigh the same.
    """
    if weights.ndim == 2 and evidence.regime is not None:
        plain = np.full((1, weights.shape[1]), 1.0 / weights.shape[1])
        table = np.concatenate([weights, plain])  # a regime of -1 is the last
        weights = table[evidence.regime[rows]].T[..., None]
    return blend_raw(evidence.kind, METHODS[name].blend, evidence.raw[:, rows], weights)
