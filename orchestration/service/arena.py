"""The holdout of one kind, opened: who is on it, what each said, and any two of them compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.errors import JudgingError
from ml_pipeline.export import score_and_novelty
from ml_pipeline.fit import Fitted
from ml_pipeline.panel import Panel
from ml_pipeline.scoring import row_losses
from ml_pipeline.skill import judge
from ml_pipeline.tasks import EVENT_THRESHOLD, TASKS
from models.common.errors import ModelError
from models.common.heads import make_head
from models.common.slot import Slot
from orchestration.lifecycle.apply import status_of
from orchestration.service.data import split_of
from orchestration.service.refs import Fits, Json, TurnRef
from orchestration.service.resources import store_of
from orchestration.service.staging import load_fitted

Floats = NDArray[np.float64]


@dataclass
class Entrant:
    """One version on the holdout: who it is, what it said, and which rows it has not seen."""

    version: str
    recipe: str
    baseline: bool
    status: str
    head: Mapping[str, Any] = field(default_factory=dict)
    raw: Floats | None = None
    novelty: Floats | None = None
    unseen_from_ms: int = 0
    faults: tuple[str, ...] = ()
    loss: Floats | None = None


@dataclass(frozen=True)
class Arena:
    """The holdout of one kind: rows whose outcome is known, and one meaning of an event for all."""

    slot: Slot
    rows: Panel
    horizon: int
    start_ms: int
    end_ms: int
    head: Mapping[str, Any]
    seed: int

    def loss_of(self, entrant: Entrant) -> Floats:
        """Return the entrant's loss of each row."""
        return row_losses(TASKS[self.slot.kind], self.shared(entrant), said(entrant), self.rows)

    def shared(self, entrant: Entrant) -> dict[str, Any]:
        """Return the entrant's head with the event of the fresh baseline: one label for all."""
        event = {key: self.head[key] for key in (EVENT_THRESHOLD,) if key in self.head}
        return {**entrant.head, **event}

    def unseen(self, *entrants: Entrant) -> NDArray[np.bool_]:
        """Return the rows that none of the entrants was fitted on."""
        return np.asarray(self.rows.ts >= max(entrant.unseen_from_ms for entrant in entrants))


def open_arena(turn: TurnRef, panel: Panel, fits: Fits) -> tuple[Arena, list[Entrant]]:
    """Open the holdout, and score the candidates on it; the baseline is the first."""
    staged = [load_fitted(fit.folder) for fit in fits.versions]
    # Of all recipes of a kind only the training slices differ.
    split = split_of(turn, panel, fits.kind)
    start, seen = split.holdout.start_ms, split.trained_through_ms
    inside = panel.rows(split.mask(panel, "holdout"))
    task, base = TASKS[fits.kind], staged[0]
    known = np.isfinite(task.y(inside, base.head)).all(axis=1)
    rows = inside.rows(np.asarray(known))
    horizon = task.horizon_bars(panel.timeframe)
    slot, store = turn.slot(fits.kind), store_of(turn.settings)
    seed = turn.settings.seed
    arena = Arena(slot, rows, horizon, start, split.holdout.end_ms, base.head, seed)
    entrants = []
    for fit, fitted in zip(fits.versions, staged, strict=True):
        raw, novelty = score_and_novelty(fitted.onnx, rows)
        entrants.append(
            Entrant(
                version=fit.version,
                recipe=fit.recipe,
                baseline=fit.baseline,
                status=status_of(store, slot, fit.version),
                head=fitted.head,
                raw=raw,
                novelty=novelty,
                unseen_from_ms=seen,
                faults=_integrity(turn, fitted, raw, seen, start),
            )
        )
    return arena, entrants


def _integrity(
    turn: TurnRef, fitted: Fitted, raw: Floats, seen_ms: int, start_ms: int
) -> tuple[str, ...]:
    """Return what is wrong with a candidate, whatever its skill."""
    faults = []
    limit = turn.settings.gates.parity_max
    if fitted.parity > limit:
        faults.append(f"its graph differs from the fit by {fitted.parity:.1e}, above {limit:.1e}")
    if seen_ms > start_ms:
        faults.append("a label it was fitted on reaches into the holdout")
    try:
        make_head(fitted.kind, fitted.head).check(raw)
    except ModelError as error:
        faults.append(str(error))
    return tuple(faults)


def against(arena: Arena, entrant: Entrant, other: Entrant) -> Json:
    """Return the verdict on `entrant` against `other` on the rows that neither has seen."""
    keep = arena.unseen(entrant, other)
    verdict = judge(
        arena.rows.ts[keep],
        arena.rows.symbol[keep],
        _loss(entrant)[keep],
        _loss(other)[keep],
        arena.horizon,
        arena.seed,
    )
    return {name: finite(value) for name, value in verdict.as_dict().items()}


def said(entrant: Entrant) -> Floats:
    """Return the entrant's output on every row of the arena, [n, K]."""
    if entrant.raw is None:
        raise JudgingError(f"{entrant.version} said nothing: {'; '.join(entrant.faults)}")
    return entrant.raw


def _loss(entrant: Entrant) -> Floats:
    if entrant.loss is None:
        raise JudgingError(f"{entrant.version} said nothing: {'; '.join(entrant.faults)}")
    return entrant.loss


def finite(value: float) -> float | None:
    """Return a figure as JSON can hold it; None for what is not a number."""
    return value if math.isfinite(value) else None
