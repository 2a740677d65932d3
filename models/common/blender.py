"""Blender: what the members that answered say together, by an ensemble's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.common.blending import blend_heads, blend_raw, count_votes, shares
from models.common.bundle import Bundle
from models.common.ensemble_config import EnsembleConfig
from models.common.errors import EnsembleError, FeatureError, ModelError, PredictionError
from models.common.heads import Answer, Floats, Head
from models.common.model import Model, matrix_for
from models.common.regimes import UNKNOWN
from models.common.risk_score import with_items, with_novelty
from models.common.runner import check_close
from models.common.stack import Stack


@dataclass(frozen=True)
class Told:
    """What one member says of N rows: its version, raw output [N, K] and novelty [N]."""

    bundle: Bundle
    raw: Floats
    novelty: Floats | None

    @property
    def kind(self) -> str:
        """The member's kind."""
        return self.bundle.kind


def ask(model: Model, rows: Any) -> Told:
    """Return what `model` says of `rows`, whose columns may stand in any order.

    Raises
    ------
    FeatureError, PredictionError
        When it refuses them.
    """
    bundle = model.bundle
    matrix = matrix_for(bundle, rows, ordered=False, seen=bundle.seen_anyhow)
    return Told(bundle, *bundle.runner.forecast(matrix))


def ask_all(members: Mapping[str, Model], rows: Any) -> tuple[dict[str, Told], dict[str, str]]:
    """Return what the members say by name, and why those that say nothing do not.

    Raises
    ------
    FeatureError, PredictionError
        When none says anything: the first one's reason.
    """
    told, refused = dict[str, Told](), dict[str, ModelError]()
    for name, model in members.items():
        try:
            told[name] = ask(model, rows)
        except (FeatureError, PredictionError) as error:
            refused[name] = error
    if not told:
        raise next(iter(refused.values()))
    return told, {name: str(error) for name, error in refused.items()}


def answer(
    config: EnsembleConfig, kind: str, told: Mapping[str, Told], rows: Any, close: Any
) -> Answer:
    """Return the answer of one kind to `rows`, without what the ensemble says of itself.

    Parameters
    ----------
    config : EnsembleConfig
        How to blend.
    kind : str
        Which kind to answer; members of others are read by a stack only.
    told : mapping of str to Told
        What the members say that said anything.
    rows : DataFrame or mapping
        The rows, for weights by regime.
    close : float or array [N], optional
        Closing prices.
    """
    own = _own(kind, told)
    raw = blend(config, kind, told, rows)
    prices = None if close is None else check_close(close, len(raw))
    said = _head(config, kind, own).decode(raw, prices)
    far = largest(one.novelty for one in own.values())
    said = with_novelty(said, far if far is None or len(far) > 1 else float(far[0]))
    if config.method == "voting" and len(raw) == 1:
        votes = count_votes(kind, np.stack([one.raw for one in own.values()]))
        return with_items(said, votes=votes)
    return said


def blend(config: EnsembleConfig, kind: str, told: Mapping[str, Told], rows: Any) -> Floats:
    """Return the blended raw output [N, K] of one kind; parameters as `answer`.

    Raises
    ------
    EnsembleError
        When no member of the kind is left, or those that are all have weight 0.
    """
    own, stack = _own(kind, told), config.stack
    raws = np.stack([one.raw for one in own.values()])
    if stack is None:
        weights = _row_weights(config, kind, list(own), rows)
        return blend_raw(kind, config.method, raws, weights)
    shift = stack.intercept
    for name, one in told.items():
        if name not in own:
            shift = shift + stack.foreign(name, one.kind, one.raw)
    weights = weights_of(config, kind, list(own))
    return blend_raw(kind, config.method, raws, weights, shift, logistic=stack.logistic)


def weights_of(config: EnsembleConfig, kind: str, names: Sequence[str]) -> Floats:
    """Return the weights [M, K] or [M, 1] of `names`, scaled up for those that are not there.

    A mean's sum to one; a stack's to what the coefficients of all its inputs of the kind sum to.

    Raises
    ------
    EnsembleError
        When all that are left have weight 0.
    """
    every = config.models if config.stack is None else config.stack.inputs
    table = config.weights[:, None] if config.stack is None else config.stack.table
    weights = table[[every.index(name) for name in names]]
    if not weights.any():
        raise EnsembleError(f"the {kind} members that are left all have weight 0")
    if config.stack is None:
        return shares(weights)
    own = [name not in config.stack.centres for name in every]
    return np.asarray(shares(weights) * table[own].sum(axis=0))


def check_input(stack: Stack, name: str, kind: str, answered: str) -> None:
    """Refuse an input of a stack that does not fit what it answers.

    Raises
    ------
    EnsembleError
        When one of another kind has no usual value, one of its own has, or counts negatively.
    """
    if (kind != answered) != (name in stack.centres):
        raise EnsembleError(
            f"{name} is of kind {kind} and the stack answers {answered}: inputs of other kinds, "
            "and only those, need their usual value under centres"
        )
    if kind == answered and (stack.of(name) < 0).any():
        raise EnsembleError(
            f"{name} is of the stack's own kind, {kind}: its coefficient must be >= 0"
        )


def largest(novelties: Iterable[Floats | None]) -> Floats | None:
    """Return what the member says to whom each row is strangest, [N]; None if none can tell."""
    known = [novelty for novelty in novelties if novelty is not None]
    return np.asarray(np.max(known, axis=0)) if known else None


def _own(kind: str, told: Mapping[str, Told]) -> dict[str, Told]:
    own = {name: one for name, one in told.items() if one.kind == kind}
    if not own:
        raise EnsembleError(f"no {kind} member is left, and a stack of {kind} cannot do without")
    return own


def _head(config: EnsembleConfig, kind: str, own: Mapping[str, Told]) -> Head:
    return blend_heads(
        [one.bundle.head for one in own.values()], weights_of(config, kind, list(own))
    )


def _row_weights(config: EnsembleConfig, kind: str, names: Sequence[str], rows: Any) -> Floats:
    """Return weights [M, 1] or, by regime, [M, N, 1]; plain where the regime is not known."""
    plain, table = weights_of(config, kind, names), config.weights_by_regime
    if table is None or config.edges is None:
        return plain
    part = config.edges.of(rows)
    chosen = table[:, [config.models.index(name) for name in names]]
    known = (part != UNKNOWN)[:, None] & chosen[part].any(axis=1, keepdims=True)
    return shares(np.where(known, chosen[part], plain[:, 0]).T[..., None])
