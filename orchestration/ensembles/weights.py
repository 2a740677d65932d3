"""Weights: ways to blend members, each learnt from sums over rows whose outcome was known.

===========  ==================================================================================
equal        mean of log-odds, returns or log variances; nothing is learnt. The default
weighted     the same mean, weights half equal and half in proportion to ``max(skill, 0)``
voting       mean of the probabilities themselves; nothing is learnt, and not for numbers
stacking     half equal, half non-negative least squares of what came on what was said; of
             returns and log variances such that they sum to one
by_regime    as weighted, in each of the nine regimes of `models.common.regimes`; there half by
             the rows of the regime, half by all
===========  ==================================================================================

Unbounded least squares were tried on real candles: their sum times the level of a log variance
follows the last weeks' level, and lost 18 % of QLIKE skill where equal weights lost nothing.

Sums, so that a walk along the ledger reads each row once however often it learns anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ml_pipeline.tasks import TASKS
from models.common.blending import PROBABILITIES
from models.common.regimes import NAMES
from orchestration.ensembles.evidence import Evidence

Floats = NDArray[np.float64]

EQUAL, BY_REGIME = "equal", "by_regime"
REGIMES = len(NAMES)
_SHRINK = 0.5
_FIRM = 1e4
_RIDGE = 1e-9
"""Of the mean square of what is said: members that say the same share their weight."""


@dataclass(frozen=True)
class Sums:
    """Sums over rows, along a leading axis of moments where there are several.

    Attributes
    ----------
    loss, base
        Of the members [M] and the baseline.
    gram, cross, said, scale, count
        For least squares, by output k: ``x xᵀ`` [K, M, M], ``x y`` [K, M], ``x`` [K, M], for log
        variances ``exp(y - mean x)`` [K], and rows.
    loss_in, base_in, count_in
        Losses of the members [R, M] and the baseline [R], and rows [R], in each regime.
    """

    loss: Floats
    base: Floats
    gram: Floats
    cross: Floats
    said: Floats
    scale: Floats
    count: Floats
    loss_in: Floats
    base_in: Floats
    count_in: Floats

    def at(self, moment: int) -> Sums:
        """Return the sums of one moment."""
        return Sums(*(getattr(self, part.name)[moment] for part in fields(self)))


def sums(evidence: Evidence, losses: Floats, known: NDArray[np.int64]) -> Sums:
    """Return the sums over the first ``known[j]`` rows, for each moment j.

    Parameters
    ----------
    losses
        Of the members on each row [M, n].
    known
        Numbers of rows, never falling.
    """
    x, y = _design(evidence)
    squares = np.einsum("mnk,lnk->nkml", x, x)
    scale = np.exp(y - x.mean(axis=0)) if _is_variance(evidence.kind) else np.zeros(y.shape)
    inside = _one_hot(evidence)
    return Sums(
        loss=_running(losses.T, known),
        base=_running(evidence.base, known),
        gram=_running(squares, known),
        cross=_running(np.einsum("mnk,nk->nkm", x, y), known),
        said=_running(np.moveaxis(x, 0, -1), known),
        scale=_running(scale, known),
        count=known.astype(np.float64),
        loss_in=_running(np.einsum("nr,mn->nrm", inside, losses), known),
        base_in=_running(inside * evidence.base[:, None], known),
        count_in=_running(inside, known),
    )


def _one_hot(evidence: Evidence) -> Floats:
    """Return 1 in the column of each row's regime, float64 [n, R]; no columns without regimes."""
    if evidence.regime is None:
        return np.zeros((len(evidence.ts), 0))
    return np.asarray(evidence.regime[:, None] == np.arange(REGIMES), dtype=np.float64)


def _running(values: Floats, known: NDArray[np.int64]) -> Floats:
    """Return the sum of the first ``known[j]`` rows of `values`, for each j."""
    edges = np.concatenate([[0], known])
    parts = [values[a:b].sum(axis=0) for a, b in pairwise(edges)]
    return np.cumsum(np.stack(parts), axis=0)


def _is_variance(kind: str) -> bool:
    return TASKS[kind].curve == "log_variance"


def _design(evidence: Evidence) -> tuple[Floats, Floats]:
    """Return what is said [M, n, K] and what came [n, K], as least squares sees them."""
    y = evidence.target
    x = evidence.raw[..., : y.shape[1]]  # a price's scale is no forecast of the return
    if evidence.kind in PROBABILITIES:
        return x - 0.5, y - 0.5
    return x, y


# ------------------------------------------------------------------ the ways to learn


def _equal(kind: str, known: Sums) -> Floats:
    members = known.loss.shape[-1]
    return np.full(members, 1.0 / members)


def _by_skill(kind: str, known: Sums) -> Floats:
    """Return weights half-way between equal ones and ones in proportion to skill."""
    return _in_proportion(known.loss, known.base)


def _in_proportion(loss: Floats, base: Floats) -> Floats:
    """Return half equal weights, half in proportion to the skill that losses [M] show."""
    plain = np.full(len(loss), 1.0 / len(loss))
    skill = np.maximum(1.0 - loss / base, 0.0) if base > 0 else np.zeros(len(loss))
    if not skill.sum() > 0:
        return plain
    return np.asarray((1 - _SHRINK) * plain + _SHRINK * skill / skill.sum())


def _by_skill_in_regime(kind: str, known: Sums) -> Floats:
    """Return weights by regime [R, M]: of its own rows and as many of all, by their means."""
    rows = max(float(known.count), 1.0)
    usual = rows / max(len(known.count_in), 1)
    loss = known.loss_in + usual * known.loss / rows
    base = known.base_in + usual * known.base / rows
    return np.stack([_in_proportion(one, two) for one, two in zip(loss, base, strict=True)])


def _least_squares(kind: str, known: Sums) -> Floats:
    """Return half equal weights, half the non-negative ones that come closest to what came.

    Those of returns and log variances sum to one. Of log variances the mean is raised first to what
    the variance is on average: QLIKE wants the mean of the variance, and that of its logarithm lies
    below.
    """
    plain = _equal(kind, known)
    if not known.count > 0:
        return plain
    cross = known.cross
    if _is_variance(kind):
        cross = cross + np.log(known.scale / known.count)[:, None] * known.said
    gram, right = known.gram.sum(axis=0), cross.sum(axis=0)
    ridge = _RIDGE * float(np.trace(gram))
    if not ridge > 0:
        return plain
    # The factor of the Gram matrix gives the same least squares as all the rows.
    factor = np.linalg.cholesky(gram + ridge * np.eye(len(gram)))
    left, right = factor.T, np.linalg.solve(factor, right)
    if kind not in PROBABILITIES:
        firm = _FIRM * float(np.abs(factor).max())
        left = np.vstack([left, np.full(len(plain), firm)])
        right = np.append(right, firm)
    found, _ = nnls(left, right)
    if not found.sum() > 0:
        return plain
    if kind not in PROBABILITIES:
        found = found / found.sum()
    return np.asarray((1 - _SHRINK) * plain + _SHRINK * found)


@dataclass(frozen=True)
class Method:
    """One way to blend: how its weights are learnt, and the blend that uses them.

    Attributes
    ----------
    blend
        ``weighted_avg``, ``voting`` or ``stacking``: see `models.common.blending.blend_raw`.
    learn
        Weights [M] of a kind, or by regime [R, M], from sums over known rows.
    """

    blend: str
    learn: Callable[[str, Sums], Floats]


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        EQUAL: Method("weighted_avg", _equal),
        "weighted": Method("weighted_avg", _by_skill),
        "voting": Method("voting", _equal),
        "stacking": Method("stacking", _least_squares),
        BY_REGIME: Method("weighted_avg", _by_skill_in_regime),
    }
)


def methods_of(evidence: Evidence) -> tuple[str, ...]:
    """Return the methods that can be tried; what is no probability has no vote."""
    without = set() if evidence.kind in PROBABILITIES else {"voting"}
    if evidence.regime is None:
        without.add(BY_REGIME)
    return tuple(name for name in METHODS if name not in without)
