"""Verdicts of a turn: every candidate and every version in service on the same unseen bars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import hashes
from market.timeframes import instant_ms, utc
from ml_pipeline.errors import JudgingError, PanelError
from ml_pipeline.export import score_and_novelty
from ml_pipeline.fit import Fitted
from ml_pipeline.panel import Panel
from ml_pipeline.scoring import metrics, novel_share, row_losses
from ml_pipeline.skill import judge
from ml_pipeline.tasks import EVENT_THRESHOLD, TASKS
from models.common.errors import ModelError
from models.common.heads import make_head
from models.common.slot import Slot
from orchestration.engine import in_service, raw_output
from orchestration.lifecycle.apply import status_of
from orchestration.lifecycle.errors import SyncRefused
from orchestration.lifecycle.gates import Contender, Incumbent
from orchestration.lifecycle.state import adopt
from orchestration.lifecycle.sync import sound_bundle
from orchestration.service.data import split_of
from orchestration.service.refs import Dataset, Fits, Json, Judged, TurnRef
from orchestration.service.resources import registry_of, store_of, tracking_of
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


def judge_kind(turn: TurnRef, data: Dataset, fits: Fits, openings: int) -> Judged:
    """Judge the candidates and the versions in service of one kind on the holdout of the turn.

    Parameters
    ----------
    openings
        How often this holdout was opened for this kind, this time included.
    """
    panel = Panel.load(data.folder)
    slot = turn.slot(fits.kind)
    settings = turn.settings
    incumbent = adopt(slot, store_of(settings), tracking_of(settings), turn.at_ms)
    arena, fresh = open_arena(turn, panel, fits)
    entrants = {entrant.version: entrant for entrant in fresh}
    for entrant in _serving(turn, arena, incumbent):
        entrants.setdefault(entrant.version, entrant)
    for entrant in entrants.values():
        if not entrant.faults:
            entrant.loss = arena.loss_of(entrant)
    base = fresh[0]
    champion = entrants.get(incumbent.version) if incumbent else None
    rows = [_verdict(arena, entrant, base, champion) for entrant in entrants.values()]
    holdout = {
        "start": utc(arena.start_ms).isoformat(),
        "end": utc(arena.end_ms).isoformat(),
        "rows": len(arena.rows),
        "versions": len(rows),
        "openings": openings,
        "shrunk": split_of(turn, panel, fits.kind).shrunk,
    }
    best = max(rows[1:], key=lambda row: -math.inf if row["lower"] is None else row["lower"])
    return Judged(
        kind=fits.kind,
        contenders=tuple(rows),
        incumbent=asdict(_broken(incumbent, champion)) if incumbent else None,
        holdout=holdout,
        sentence=f"{len(rows)} versions on {len(arena.rows):,} unseen rows; best of the rest "
        f"{best['version']}: {contender(best).figures()}",
    )


def contender(row: Mapping[str, Any]) -> Contender:
    """Return a stored row as the contender that the decision looks at."""
    fields = Contender.__dataclass_fields__
    values = {name: value for name, value in row.items() if name in fields}
    return Contender(**{**values, "faults": tuple(row["faults"])})


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


def _serving(turn: TurnRef, arena: Arena, incumbent: Incumbent | None) -> list[Entrant]:
    """Score the versions in service, each brought back from MLflow where its copy is damaged."""
    settings, slot = turn.settings, arena.slot
    store, tracking, registry = store_of(settings), tracking_of(settings), registry_of(settings)
    entrants = []
    for model in in_service(store, slot):
        entrant = Entrant(
            version=model.version,
            recipe=str(model.facts.get("recipe", "")),
            baseline=bool(model.facts.get("baseline", False)),
            status=model.status,
        )
        try:
            bundle = sound_bundle(slot, model.version, tracking, registry)
            changed = hashes.changed(bundle.schema.hashes)
            if changed:
                entrant.faults = (f"features mean something else now: {', '.join(changed[:5])}",)
            else:
                entrant.raw = raw_output(bundle, arena.rows)
                entrant.novelty = bundle.runner.novelty(arena.rows.columns(bundle.schema.names))
                entrant.head = bundle.metadata["head"]
                entrant.unseen_from_ms = instant_ms(bundle.metadata["trained_through"])
        except (SyncRefused, ModelError, PanelError) as error:
            entrant.faults = (str(error),)
        entrants.append(entrant)
    return entrants


def _broken(incumbent: Incumbent, champion: Entrant | None) -> Incumbent:
    if champion is None or not champion.faults:
        return incumbent
    return Incumbent(**{**asdict(incumbent), "broken": "; ".join(champion.faults)})


def _verdict(arena: Arena, entrant: Entrant, base: Entrant, champion: Entrant | None) -> Json:
    """Return one row: the contender, its verdict against the baseline, and its metrics."""
    row: Json = asdict(
        Contender(
            version=entrant.version,
            recipe=entrant.recipe,
            baseline=entrant.baseline,
            status=entrant.status,
            faults=entrant.faults,
        )
    )
    row |= {"n_champion": 0, "loss": None, "base_loss": None, "reason": "; ".join(entrant.faults)}
    row["faults"] = list(entrant.faults)
    if entrant.faults:
        return row
    try:
        row |= against(arena, entrant, base)
    except JudgingError as error:
        row["reason"] = str(error)
        return row
    keep = arena.unseen(entrant)
    found = metrics(
        TASKS[arena.slot.kind], arena.shared(entrant), said(entrant)[keep], arena.rows.rows(keep)
    )
    found |= novel_share(None if entrant.novelty is None else entrant.novelty[keep])
    row["metrics"] = {name: _finite(value) for name, value in found.items()}
    if champion is not None and champion is not entrant and champion.loss is not None:
        try:
            paired = against(arena, entrant, champion)
            row |= {"z_champion": paired["z"], "n_champion": paired["n"]}
        except JudgingError as error:
            row["reason"] = str(error)
    return row


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
    return {name: _finite(value) for name, value in verdict.as_dict().items()}


def said(entrant: Entrant) -> Floats:
    """Return the entrant's output on every row of the arena, [n, K]."""
    if entrant.raw is None:
        raise JudgingError(f"{entrant.version} said nothing: {'; '.join(entrant.faults)}")
    return entrant.raw


def _loss(entrant: Entrant) -> Floats:
    if entrant.loss is None:
        raise JudgingError(f"{entrant.version} said nothing: {'; '.join(entrant.faults)}")
    return entrant.loss


def _finite(value: float) -> float | None:
    """Return a figure as JSON can hold it; None for what is not a number."""
    return value if math.isfinite(value) else None
