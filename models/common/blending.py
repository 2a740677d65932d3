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

_Blend: TypeAlias = Callable[[str, Floats, Floats], Floats]
_EDGE = 1e-6  # keeps log-odds finite


def blend_raw(kind: str, method: str, raws: Floats, weights: Floats) -> Floats:
    """Return the blended raw output.

    Parameters
    ----------
    kind : str
        Kind of the members.
    method : str
        ``weighted_avg``: mean in the space named above. ``voting``: soft vote, the mean of the
        probabilities. ``stacking``: ½ + Σ wᵢ(pᵢ − ½) for probabilities and Σ wᵢ yᵢ otherwise, with
        learnt weights that need not sum to one.
    raws : float array [M, N, K]
        Raw outputs of the M members.
    weights : float array [M]
        Weights; all but stacking's sum to one.

    Returns
    -------
    float array [N, K]

    Raises
    ------
    EnsembleError
        For a vote on something that is no probability.
    """
    return _BLENDS[method](kind, raws, weights)


def _weighted_avg(kind: str, raws: Floats, weights: Floats) -> Floats:
    if kind in PROBABILITIES:
        p = np.clip(raws, _EDGE, 1 - _EDGE)
        odds: Floats = np.tensordot(weights, np.log(p / (1 - p)), axes=1)
        return 1 / (1 + np.exp(-odds))
    return _mean(kind, raws, weights)


def _voting(kind: str, raws: Floats, weights: Floats) -> Floats:
    if kind not in PROBABILITIES:
        raise EnsembleError(
            f"{kind} models do not vote, they answer with numbers: use method='weighted_avg'"
        )
    return np.tensordot(weights, raws, axes=1)


def _stacking(kind: str, raws: Floats, weights: Floats) -> Floats:
    if kind in PROBABILITIES:
        return np.clip(0.5 + np.tensordot(weights, raws - 0.5, axes=1), 0.0, 1.0)
    return _mean(kind, raws, weights)


def _mean(kind: str, raws: Floats, weights: Floats) -> Floats:
    if kind != "price":
        return np.tensordot(weights, raws, axes=1)
    mu = np.tensordot(weights, raws[..., 0], axes=1)
    # A standard deviation is no vote: its weights sum to one even where stacked ones do not.
    log_sigma = np.tensordot(weights / weights.sum(), np.log(raws[..., 1]), axes=1)
    return np.stack([mu, np.exp(log_sigma)], axis=-1)


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

    Raises
    ------
    EnsembleError
        When the tables of the members differ in length.
    """
    first, share = heads[0], weights / weights.sum()
    mixed = {}
    for name in (field.name for field in fields(first)):  # type: ignore[arg-type]
        tables = [np.asarray(getattr(head, name)) for head in heads]
        if len({table.shape for table in tables}) > 1:
            raise EnsembleError(f"members keep {name} in tables of different length; refit them")
        mean = np.tensordot(share, np.stack(tables), axes=1)
        mixed[name] = mean if mean.ndim else float(mean)
    return type(first)(**mixed)
