"""Drift rows: the verdict on what serves each slot, and on slots pooled, from the ledger."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from market.timeframes import DAY_MS, timeframe_ms, utc
from ml_pipeline.panel import Panel
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from models.common.bundle import read_documents
from models.common.errors import ModelError
from models.common.files import replace_file
from models.common.slot import Slot
from orchestration.drift import POOLS, DriftVerdict, Member, Rules, Track, assess, pooled, shifted
from orchestration.judge.served import track
from orchestration.lifecycle.gates import DRIFTED
from orchestration.lifecycle.state import champion_in_store
from orchestration.service.refs import Dataset, Drifted, Json, Pooled, TurnRef
from orchestration.service.resources import registry_of, store_of
from orchestration.settings import Settings
from orchestration.store.records import ModelRecord

_OWN_FALL_Z = 1.0
"""Z by which a slot's own score must have fallen to be asked to retrain by its pool."""


@dataclass(frozen=True)
class Seen:
    """What serves one slot, its record, and the verdict on it."""

    slot: Slot
    champion: ModelRecord | None
    record: Track
    verdict: DriftVerdict

    @property
    def baseline(self) -> bool:
        """Whether the baseline serves."""
        return bool(self.champion and self.champion.facts.get("baseline"))

    def row(self, at_ms: int) -> Json:
        """Return the line of the drift table."""
        return {
            "kind": self.slot.kind,
            "champion": self.champion.version if self.champion else None,
            "at": utc(at_ms).isoformat(),
            **self.verdict.row,
        }


def see(settings: Settings, slot: Slot, at_ms: int) -> Seen:
    """Judge what serves a slot by the last days of its ledger before `at_ms`."""
    store, rules = store_of(settings), rules_of(settings)
    champion = champion_in_store(store, slot)
    record = track(store, slot, at_ms - int(rules.track_days * DAY_MS)).part(0, at_ms)
    verdict = assess(
        record,
        timeframe_ms(slot.timeframe),
        _horizon(slot.kind, slot.timeframe),
        rules,
        baseline=bool(champion and champion.facts.get("baseline")),
    )
    return Seen(slot, champion, record, verdict)


def rules_of(settings: Settings) -> Rules:
    """Return the thresholds that the settings give."""
    return Rules(**settings.drift.model_dump())


def watch(turn: TurnRef, kind: str, data: Dataset | None = None) -> Drifted:
    """Judge the champion by its ledger, store the verdict, and flag it where it has fallen.

    Parameters
    ----------
    data
        The panel of the turn, for the features that moved most since the champion was trained.
    """
    store = store_of(turn.settings)
    seen = see(turn.settings, turn.slot(kind), turn.at_ms)
    row = {**seen.row(turn.at_ms), "shifted": moved_most(turn, seen, data) if data else []}
    store.add_drift(turn.turn_id, seen.slot.key, row)
    if seen.champion and seen.verdict.status in DRIFTED:
        flag(turn.settings, seen)
    _keep(_path(turn, kind), seen.record)
    return Drifted(kind, row)


def flag(settings: Settings, seen: Seen) -> None:
    """Ask that what serves be retrained; asking again while it is asked changes nothing."""
    if seen.champion is not None:
        reason = f"{seen.verdict.status}: {seen.verdict.sentence}"
        store_of(settings).flag_for_retraining(seen.champion.key, reason)


def pool(turn: TurnRef, drifted: Mapping[str, Drifted]) -> Pooled:
    """Judge the slots of the turn together; store the verdicts, and flag who fell with the pool.

    Parameters
    ----------
    drifted
        The rows of the slots, by kind.
    """
    store = store_of(turn.settings)
    if len(drifted) < 2:
        return Pooled(())
    members = {turn.slot(kind).key: _member(turn, kind, drifted[kind]) for kind in drifted}
    rows = []
    for name, verdict in pools(members, turn.settings).items():
        row = {"kind": f"{name} pooled", "champion": None, "at": turn.at.isoformat(), **verdict.row}
        store.add_drift(turn.turn_id, pool_key(turn.scope, name, turn.settings.timeframe), row)
        rows.append(row)
        if verdict.status in DRIFTED:
            for kind in drifted:
                if turn.slot(kind).key in row["slots"] and _fell(drifted[kind].row):
                    said = f"{name} slots pooled {verdict.status}: {verdict.sentence}"
                    key = f"{turn.slot(kind).key}/{drifted[kind].row['champion']}"
                    store.flag_for_retraining(key, said)
    return Pooled(tuple(rows))


def pools(members: Mapping[str, Member], settings: Settings) -> dict[str, DriftVerdict]:
    """Return the verdict on each pool."""
    step, rules = timeframe_ms(settings.timeframe), rules_of(settings)
    return {name: pooled(name, members, step, rules) for name in POOLS}


def pool_key(scope: str, name: str, timeframe: str) -> str:
    """Return under what a pool's row is stored; it looks like a slot and can be none."""
    return f"{scope}/{name}-pooled/{timeframe}"


def moved_most(turn: TurnRef, seen: Seen, data: Dataset) -> list[Json]:
    """Return the five features that moved most between training rows and the last day's rows.

    The training rows are those of the turn's panel inside the champion's own window: nothing more
    has to be kept in a bundle. It is advice, and empty where it cannot be had.
    """
    if seen.champion is None:
        return []
    try:
        folder = registry_of(turn.settings).folder(seen.slot, seen.champion.version)
        bundle = read_documents(folder)
    except ModelError:
        return []
    panel = Panel.load(data.folder)
    names = [name for name in bundle.schema.names if name in panel.names]
    window = TurnSplit.from_dict(bundle.metadata["window"])
    trained, late = panel.rows(window.mask(panel, "train")), panel.ts >= turn.at_ms - DAY_MS
    if not len(trained) or not late.any():
        return []
    found = shifted(names, trained.columns(names), panel.rows(late).columns(names))
    return [shift.as_dict() for shift in found]


def _horizon(kind: str, timeframe: str) -> int:
    return TASKS[kind].horizon_bars(timeframe)


def _fell(row: Json) -> bool:
    return row["champion"] is not None and (row["drop_z"] or 0.0) >= _OWN_FALL_Z


def _member(turn: TurnRef, kind: str, drifted: Drifted) -> Member:
    slot, store = turn.slot(kind), store_of(turn.settings)
    record = _kept(_path(turn, kind))
    if record is None:
        record = see(turn.settings, slot, turn.at_ms).record
    champion = drifted.row["champion"]
    naive = champion is None or bool(
        store.get_model(f"{slot.key}/{champion}").facts.get("baseline")
    )
    return Member(kind, record, _horizon(kind, slot.timeframe), naive)


def _path(turn: TurnRef, kind: str) -> Path:
    return turn.folder / f"record-{kind}.npz"


def _keep(path: Path, record: Track) -> None:
    content = io.BytesIO()
    np.savez(content, ts=record.ts, gain=record.gain, score=record.score, plain=record.plain)
    replace_file(path, content.getvalue())


def _kept(path: Path) -> Track | None:
    """Return a record that was kept in the work folder, None where it is not whole."""
    try:
        with np.load(path, allow_pickle=False) as held:
            return Track(*(held[name] for name in ("ts", "gain", "score", "plain")))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
