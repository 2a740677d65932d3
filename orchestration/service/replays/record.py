"""What a replay decided, turn by turn, without clock or paths: the same bytes at every run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from market.timeframes import utc
from models.common.files import replace_file
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.service.refs import Json, TurnRef
from orchestration.service.replays.plan import Plan
from orchestration.service.resources import registry_of, store_of
from orchestration.settings import Settings
from orchestration.store.store import Store

RECORDS = "records"
DECISIONS = "decisions.json"
CHECKSUMS = "checksums.json"
_HERE = frozenset(
    (
        # What a clock measured, where things lie, and what a turn that was cut off counts twice.
        "seconds", "fit_seconds", "run_ids", "pictures", "mlflow_run", "folder", "fetch",
        "openings", "changed", "ledger", "started_at", "finished_at", "cpu_seconds", "wall_seconds",
    )
)  # fmt: skip


def keep(plan: Plan, turn: TurnRef, summary: Mapping[str, Any], cost: Json) -> Json:
    """Store what a turn decided, its bundles' digests and, apart from it, what it cost."""
    registry, store = registry_of(plan.settings), store_of(plan.settings)
    record = {
        "turn": turn.turn_id,
        "at": turn.at.isoformat(),
        "summary": decided(summary, plan.folder),
        "bundles": _bundles(registry, store, turn),
    }
    _write(_path(plan, turn.at_ms, "cost"), cost)
    _write(_path(plan, turn.at_ms, "turn"), record)
    return record


def keep_between(plan: Plan, moment: int, found: Json) -> None:
    """Store what was seen between turns: predictions, outcomes, harm."""
    _write(_path(plan, moment, "between"), {"at": utc(moment).isoformat(), **found})


def turn_record(plan: Plan, moment: int) -> Json | None:
    """Return what the turn at `moment` decided, None where it is not over."""
    return _read(_path(plan, moment, "turn"))


def between_record(plan: Plan, moment: int) -> Json | None:
    """Return what was seen at a moment between turns, None where it is not over."""
    return _read(_path(plan, moment, "between"))


def between_records(plan: Plan) -> list[Json]:
    """Return what was seen between turns, in order."""
    moments = [at for moment in plan.turns for at in plan.between(moment)]
    return [found for at in moments if (found := between_record(plan, at))]


def costs(plan: Plan) -> dict[int, Json]:
    """Return what the turns cost that are over, by moment."""
    found = {moment: _read(_path(plan, moment, "cost")) for moment in plan.turns}
    return {moment: cost for moment, cost in found.items() if cost is not None}


def decisions(plan: Plan) -> Json:
    """Return the whole document: the parameters, every turn, flags, and the ledger's digests."""
    turns = [turn_record(plan, moment) for moment in plan.turns]
    store = store_of(plan.settings)
    slots = sorted({model.slot_key for model in store.list_models()})
    return {
        "parameters": plan.parameters(),
        "turns": [turn for turn in turns if turn],
        "between": between_records(plan),
        "flags": [
            {
                "name": flag.name,
                "reason": flag.reason,
                "raised_at": flag.raised_at.isoformat(),
                "cleared_at": flag.cleared_at.isoformat() if flag.cleared_at else None,
            }
            for flag in store.list_flags()
        ],
        "statuses": {model.key: model.status for model in store.list_models()},
        "ledger": {key: ledger_digest(store, key) for key in slots},
    }


def text_of(document: Mapping[str, Any]) -> bytes:
    """Return a document as canonical JSON: keys sorted, one newline at the end."""
    return (json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def decided(summary: Mapping[str, Any], home: Path) -> Json:
    """Return what a turn decided, without its first sentence: whether it was begun before."""
    return dict(canonical({k: v for k, v in summary.items() if k != "sentence"}, home))


def canonical(value: Any, home: Path) -> Any:
    """Return a value without what differs from run to run; paths of the home become ``~``."""
    if isinstance(value, Mapping):
        return {k: canonical(v, home) for k, v in value.items() if k not in _HERE}
    if isinstance(value, str):
        return value.replace(str(home), "~")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Sequence):
        return [canonical(item, home) for item in value]
    return value


def ledger_digest(store: Store, slot_key: str) -> Json:
    """Return the count of a slot's ledger rows and a SHA-256 of all that they say."""
    rows = store.ledger(slot_key).sort_values(["ts_ms", "symbol", "version"])
    digest = hashlib.sha256()
    for name in sorted(rows.columns):
        column = rows[name].to_numpy()
        numbers = column.dtype.kind in "fiub"
        digest.update(name.encode())
        digest.update(
            np.ascontiguousarray(column).tobytes()
            if numbers
            else "\n".join(map(str, column)).encode()
        )
    return {"rows": len(rows), "sha256": digest.hexdigest()}


def _bundles(registry: PredictionModelRegistry, store: Store, turn: TurnRef) -> dict[str, str]:
    """Return the digest of each bundle that a turn wrote: of the list of its files' digests."""
    stamp = turn.turn_id.partition("_")[0]
    found = {}
    for kind in turn.settings.kinds:
        slot: Slot = turn.slot(kind)
        for model in store.list_models(slot_key=slot.key):
            path = registry.folder(slot, model.version) / CHECKSUMS
            if model.version.startswith(stamp) and path.is_file():
                found[model.key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _path(plan: Plan, moment: int, what: str) -> Path:
    return plan.folder / RECORDS / f"{utc(moment):%Y-%m-%dT%H%MZ}.{what}.json"


def _write(path: Path, content: Json) -> None:
    replace_file(path, json.dumps(content, sort_keys=True).encode())


def _read(path: Path) -> Json | None:
    try:
        found: Json = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found


def settings_at(plan: Plan, moment: int) -> Settings:
    """Return the replay's settings with `moment` for now."""
    return plan.settings.at(utc(moment).to_pydatetime())
