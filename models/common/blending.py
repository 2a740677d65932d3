"""Blending: members' raw outputs, and their heads, as those of one model of the kind.

Each member is calibrated by itself before. Means are taken where errors are closest to additive:
log-odds of probabilities, log returns, log standard deviations, log variances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TypeAlias

import numpy as np

from models.common.errors import EnsembleError
from models.common.heads import Floats, Head

METHODS = ("weighted_avg", "voting", "stacking")
_ANSWERS = {
    "direction": ("UP", "DOWN"),
    "risk": ("event", "no event"),
    "momentum": ("accelerating", "decelerating"),
}
PROBABILITIES = tuple(_ANSWERS)
"""Kinds that answer with a probability; the others answer with numbers."""

_Blend: TypeAlias = Callable[[str, Floats, Floats, Floats], Floats]
EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1, so that their log-odds are finite."""


def blend_raw(
    kind: str,
    method: str,
    raws: Floats,
    weights: Floats,
    intercept: float | Floats = 0.0,
    *,
    logistic: bool = False,
) -> Floats:
    """Return the blended raw output.

    Parameters
    ----------
    kind : str
        Kind of the members.
    method : str
        ``weighted_avg``: mean in the space named above. ``voting``: soft vote, the mean of the
        probabilities. ``stacking``: b + ½ + Σ wᵢ(pᵢ − ½) for probabilities and b + Σ wᵢ yᵢ
        otherwise, with learnt weights that need not sum to one.
    raws : float array [M, N, K]
        Raw outputs of the M members.
    weights : float array [M], [M, K] or [M, N, K]
        Weights, by output and by row where they differ there; all but stacking's sum to one.
    intercept : float or array [K]
        b of stacking. A price's is added to its return only.
    logistic : bool
        Whether probabilities are stacked as log-odds, the mean of a logistic regression, instead.

    Returns
    -------
    float array [N, K]

    Raises
    ------
    EnsembleError
        For a vote on something that is no probability.
    """
    by_row = np.asarray(weights, dtype=np.float64)
    if by_row.ndim < 3:
        by_row = by_row.reshape(len(by_row), 1, -1)
    if method == "stacking" and logistic and kind in PROBABILITIES:
        return _chances(np.asarray(intercept + (by_row * _log_odds(raws)).sum(axis=0)))
    return _BLENDS[method](kind, raws, by_row, np.asarray(intercept, dtype=np.float64))


def _weighted_avg(kind: str, raws: Floats, weights: Floats, _: Floats) -> Floats:
    if kind in PROBABILITIES:
        return _chances((weights * _log_odds(raws)).sum(axis=0))
    return _numbers(kind, raws, weights)


def _voting(kind: str, raws: Floats, weights: Floats, _: Floats) -> Floats:
    if kind not in PROBABILITIES:
        raise EnsembleError(
            f"{kind} models do not vote, they answer with numbers: use method='weighted_avg'"
        )
    return np.asarray((weights * raws).sum(axis=0))


def _stacking(kind: str, raws: Floats, weights: Floats, intercept: Floats) -> Floats:
    if kind in PROBABILITIES:
        p = 0.5 + intercept + (weights * (raws - 0.5)).sum(axis=0)
        return np.asarray(np.clip(p, 0.0, 1.0))
    return _numbers(kind, raws, weights, intercept)


def _log_odds(raws: Floats) -> Floats:
    p = np.clip(raws, EDGE, 1 - EDGE)
    return np.asarray(np.log(p / (1 - p)))


def _chances(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def _numbers(kind: str, raws: Floats, weights: Floats, intercept: Floats | float = 0.0) -> Floats:
    if kind != "price":
        return np.asarray(intercept + (weights * raws).sum(axis=0))
    mu = intercept + (weights[..., :1] * raws[..., :1]).sum(axis=0)
    # A standard deviation is no vote: its weights sum to one even where stacked ones do not.
    log_sigma = (shares(weights)[..., -1:] * np.log(raws[..., 1:])).sum(axis=0)
    return np.concatenate([mu, np.exp(log_sigma)], axis=-1)


def shares(weights: Floats) -> Floats:
    """Return weights [M, ...] scaled to sum to one over the members; equal where all are 0."""
    total = weights.sum(axis=0)
    equal = np.full(weights.shape, 1 / len(weights))
    return np.asarray(np.divide(weights, total, out=equal, where=total > 0))


_BLENDS: dict[str, _Blend] = {
    "weighted_avg": _weighted_avg,
    "voting": _voting,
    "stacking": _stacking,
}


def count_votes(kind: str, raws: Floats) -> dict[str, int]:
    """Return how many members would give each answer to one row; `raws` is [M, 1, 1]."""
    yes, no = _ANSWERS[kind]
    ayes = int(np.count_nonzero(raws >= 0.5))
    return {yes: ayes, no: len(raws) - ayes}


def blend_heads(heads: Sequence[Head], weights: Floats) -> Head:
    """Return a head with the weighted mean of the parameters of `heads`, which are of one kind.

    Parameters
    ----------
    heads : sequence of Head
        The M members'.
    weights : float array [M] or [M, K]
        Only their proportions count; of weights by output, the mean over the outputs.

    Raises
    ------
    EnsembleError
        When the tables of the members differ in length; the message says which have what.
    """
    first, share = heads[0], shares(np.asarray(weights).reshape(len(heads), -1).mean(axis=1))
    mixed = {}
    for name in (field.name for field in fields(first)):  # type: ignore[arg-type]
        tables = [np.asarray(getattr(head, name)) for head in heads]
        if len({table.shape for table in tables}) > 1:
            sizes = ", ".join(f"{table.size}" for table in tables)
            raise EnsembleError(
                f"the members' heads hold {name} as tables of {sizes} numbers, which have no mean: "
                "they were fitted by different versions of the software; train the older members "
                "again, or leave them out"
            )
        mean = np.tensordot(share, np.stack(tables), axes=1)
        mixed[name] = mean if mean.ndim else float(mean)
    return type(first)(**mixed)
