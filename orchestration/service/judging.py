"""Verdicts of a turn: every candidate and every version in service on the same unseen bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import hashes
from market.timeframes import instant_ms, utc
from ml_pipeline.errors import JudgingError, PanelError
from ml_pipeline.panel import Panel
from ml_pipeline.scoring import metrics, novel_share
from ml_pipeline.tasks import TASKS
from models.common.errors import ModelError
from orchestration.engine import in_service, raw_output
from orchestration.judge.lines import recipe_of
from orchestration.lifecycle.errors import SyncRefused
from orchestration.lifecycle.gates import Contender, Incumbent
from orchestration.lifecycle.state import adopt
from orchestration.lifecycle.sync import sound_bundle
from orchestration.service.arena import Arena, Entrant, against, finite, open_arena, said
from orchestration.service.data import split_of
from orchestration.service.lining import begin_lines, line_standings
from orchestration.service.refs import Dataset, Fits, Json, Judged, TurnRef
from orchestration.service.resources import registry_of, store_of, tracking_of

Floats = NDArray[np.float64]

CANDIDATE = "candidate"


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
    rows = [
        _verdict(arena, entrant, base, champion, _elder(entrant, entrants.values(), champion))
        for entrant in entrants.values()
    ]
    begin_lines(turn, data, arena, fresh)
    lines = line_standings(turn, slot, incumbent, entrants.values())
    holdout = {
        "start": utc(arena.start_ms).isoformat(),
        "end": utc(arena.end_ms).isoformat(),
        "rows": len(arena.rows),
        "versions": len(rows),
        "openings": openings,
        "shrunk": split_of(turn, panel, fits.kind).shrunk,
    }
    known = [contender(row) for row in rows[1:]] or [contender(rows[0])]
    best = max(known, key=lambda c: -math.inf if c.lower is None else c.lower)
    return Judged(
        kind=fits.kind,
        contenders=tuple(rows),
        incumbent=asdict(_broken(incumbent, champion)) if incumbent else None,
        holdout=holdout,
        sentence=f"{len(rows)} versions on {len(arena.rows):,} unseen rows; best of the rest "
        f"{best.version}: {best.figures()}",
        lines=tuple(asdict(line) for line in lines.values()),
    )


def contender(row: Mapping[str, Any]) -> Contender:
    """Return a stored row as the contender that the decision looks at."""
    fields = Contender.__dataclass_fields__
    values = {name: value for name, value in row.items() if name in fields}
    return Contender(**{**values, "faults": tuple(row["faults"])})


def _serving(turn: TurnRef, arena: Arena, incumbent: Incumbent | None) -> list[Entrant]:
    """Score the versions in service, each brought back from MLflow where its copy is damaged."""
    settings, slot = turn.settings, arena.slot
    store, tracking, registry = store_of(settings), tracking_of(settings), registry_of(settings)
    entrants = []
    for model in in_service(store, slot):
        entrant = Entrant(
            version=model.version,
            recipe=str(model.facts.get("recipe") or recipe_of(model)),
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


def _elder(
    entrant: Entrant, entrants: Iterable[Entrant], champion: Entrant | None
) -> Entrant | None:
    """Return the version in service whose place a candidate would take: that of its own line."""
    if entrant.status != CANDIDATE:
        return None
    serving = [
        other
        for other in entrants
        if other.status != CANDIDATE
        and (other.recipe, other.baseline) == (entrant.recipe, entrant.baseline)
    ]
    if champion in serving:
        return champion
    return max(serving, key=lambda other: other.version, default=None)


def _verdict(
    arena: Arena,
    entrant: Entrant,
    base: Entrant,
    champion: Entrant | None,
    elder: Entrant | None,
) -> Json:
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
    row["metrics"] = {name: finite(value) for name, value in found.items()}
    for name, other in (("champion", champion), ("elder", elder)):
        if other is not None and other is not entrant and other.loss is not None:
            try:
                paired = against(arena, entrant, other)
                row |= {f"z_{name}": paired["z"], f"n_{name}": paired["n"]}
            except JudgingError as error:
                row["reason"] = str(error)
    return row
