"""Watching between turns: what serves is judged by its ledger, and harm is rolled back at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from market.symbols import scope_of
from market.timeframes import instant_ms, utc
from ml_pipeline.splits import EVALUATION_DAYS
from models.common.slot import Slot
from orchestration.drift import HARM, OK
from orchestration.judge.lines import BASELINE, recipe_of
from orchestration.lifecycle import promotion
from orchestration.lifecycle.errors import ChampionMoved, LifecycleError
from orchestration.lifecycle.intent_by_hand import By
from orchestration.lifecycle.state import PREVIOUS, champion_in_store
from orchestration.lifecycle.transitions import IN_SERVICE
from orchestration.service.drift_rows import Seen, flag, see
from orchestration.service.lining import standings_at
from orchestration.service.refs import Json
from orchestration.service.resources import places_of, store_of, tracking_of
from orchestration.settings import Settings
from orchestration.store.records import ModelRecord
from orchestration.tracking.errors import TrackingError

_TURNS = 8  # turns of other symbols or bar lengths may lie between

WATCH = "the watch"
"""Who decides a rollback between turns, as the decision's record says."""


def watch_now(settings: Settings, now: datetime | str | int) -> Json:
    """Judge what serves now by its ledger; roll back what does harm, at once.

    It may run beside a turn and beside itself: each slot is moved under the lock of its promotions,
    and only while what was found harmful still serves. A turn that is deciding about the slot at
    this moment finds the alias moved, and leaves it. Done again it finds nothing more to do. A
    pinned champion stays, and the row says so.

    Parameters
    ----------
    settings
        Which home, symbols, kinds and thresholds.
    now
        Bars that closed by then count.

    Returns
    -------
    dict
        ``at``; ``slots``, a drift row for each slot with a champion, with ``action`` (``rollback``,
        ``pinned``, ``failed`` or None) and, after a rollback, ``now``, the version that serves;
        ``rolled_back``, the slots that were; ``sentence``.

    Raises
    ------
    RecordError
        The database cannot be asked.
    """
    at_ms, store = instant_ms(now), store_of(settings)
    scope, rows = scope_of(settings.symbols), []
    for kind in settings.kinds:
        slot = Slot(scope, kind, settings.timeframe)
        champion = champion_in_store(store, slot)
        if champion is not None:
            naive = bool(champion.facts.get("baseline"))
            rows.append(_plain(slot, champion) if naive else _look(settings, slot, at_ms))
    moved = [row["slot"] for row in rows if row["action"] == "rollback"]
    harmed = [row["sentence"] for row in rows if row["status"] == HARM]
    count = f"{len(rows)} slot{'' if len(rows) == 1 else 's'}"
    said = "; ".join(harmed) or f"{count} watched, none does harm"
    return {
        "at": utc(at_ms).isoformat(),
        "slots": rows,
        "rolled_back": moved,
        "sentence": said,
    }


def _plain(slot: Slot, champion: ModelRecord) -> Json:
    """Return the row of a slot that its baseline serves: its ledger need not be read."""
    return {
        "slot": slot.key,
        "kind": slot.kind,
        "champion": champion.version,
        "status": OK,
        "sentence": "the baseline serves: it has no skill to lose",
        "action": None,
    }


def _look(settings: Settings, slot: Slot, at_ms: int) -> Json:
    seen = see(settings, slot, at_ms)
    row: Json = {"slot": slot.key, **seen.row(at_ms), "action": None}
    if seen.verdict.status == HARM:
        row |= _answer(settings, seen, at_ms)
    _store(settings, slot, row)
    return row


def _answer(settings: Settings, seen: Seen, at_ms: int) -> Json:
    """Roll a harmful champion back, and say what came of it."""
    slot, champion = seen.slot, seen.champion
    if champion is None:
        return {}
    said = f"{slot.key}: {seen.verdict.sentence}"
    by = By(WATCH, at_ms, f"HARM: {seen.verdict.sentence}", figures=seen.verdict.figures)

    def still(_: Slot, before: str | None) -> None:
        if before != champion.version:
            raise ChampionMoved(f"{before} serves by now, and not {champion.version}")

    try:
        if tracking_of(settings).is_pinned(slot, champion.version):
            flag(settings, seen)
            told = f"{said}; {champion.version} is pinned and stays"
            return {"action": "pinned", "sentence": told}
        way = proven_before(settings, slot, champion, at_ms)
        moved = promotion.rollback(slot, places_of(settings), by, still, way)
    except (LifecycleError, TrackingError) as error:
        return {"action": "failed", "sentence": f"{said}; not rolled back: {error}"}
    flag(settings, seen)
    return {"action": "rollback", "now": moved.champion, "sentence": f"{said}; {moved.sentence}"}


def proven_before(settings: Settings, slot: Slot, champion: ModelRecord, at_ms: int) -> list[str]:
    """Return versions of the previous champion's line, freshest first, if it is still proven.

    None where that is the champion's own line: another version of what does harm is no way back.

    Proven: the lower 95 % bound of the line's skill over the baseline's, on the last days of the
    ledger that count, is above `Gates.skill_above`, and the last two days do not speak against it:
    what broke one line may have broken the other.
    """
    store, gates = store_of(settings), settings.gates
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    previous = models.get(str(champion.facts.get(PREVIOUS)))
    line = recipe_of(previous) if previous else BASELINE
    if line in (BASELINE, recipe_of(champion)):
        return []
    standing = standings_at(settings, slot, at_ms, None).get(line)
    if standing is None or standing.lower is None or not standing.lower > gates.skill_above:
        return []
    days = EVALUATION_DAYS[-1]
    recent = standings_at(settings, slot, at_ms, None, days=days).get(line)
    if recent is not None and recent.z is not None and recent.z < gates.z_refresh:
        return []
    able = [*IN_SERVICE, "superseded"]
    own = [m for m in models.values() if recipe_of(m) == line and m.status in able]
    own = [m for m in own if m.version != champion.version]
    own.sort(key=lambda m: (m.status in IN_SERVICE, m.version), reverse=True)
    return [model.version for model in own]


def _store(settings: Settings, slot: Slot, row: Json) -> None:
    """Keep a row as the last turn's line of its slot; a rollback stays to be read until the next.

    Before any turn there is no table to keep it in: the decision is recorded with the version.
    """
    store = store_of(settings)
    own = f"{slot.scope}_{slot.timeframe}"
    last = next((t for t in store.list_turns(_TURNS) if t.turn_id.partition("_")[2] == own), None)
    if last is None:
        return
    known: dict[str, Any] = next(iter(store.list_drift(last.turn_id, slot.key)), {})
    if known.get("action") != "rollback":
        shown = {"shifted": known.get("shifted", [])}
        plain = {name: value for name, value in row.items() if name != "slot"}
        store.add_drift(last.turn_id, slot.key, {**shown, **plain})
