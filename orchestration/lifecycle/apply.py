"""Carries out a turn's decision: alias first, then statuses, then the folder; as one operation."""

from __future__ import annotations

from typing import Any

from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.lifecycle.decide import Decision
from orchestration.lifecycle.errors import ChampionMoved
from orchestration.lifecycle.intent import Intent, one_at_a_time
from orchestration.lifecycle.moving import carry_out, settle
from orchestration.lifecycle.places import Places
from orchestration.lifecycle.state import PREVIOUS, SERVES_FROM, TENURE
from orchestration.lifecycle.sync import Synced, sound_bundle
from orchestration.lifecycle.transitions import IN_SERVICE, check_transition
from orchestration.store.errors import UnknownModel
from orchestration.store.records import FELL, REIGN_BEGAN, REIGN_ENDED
from orchestration.store.store import Store
from orchestration.tracking import Tracker


def apply(
    decision: Decision,
    slot: Slot,
    serves_from_ms: int,
    *,
    store: Store,
    tracking: Tracker,
    registry: PredictionModelRegistry,
) -> Synced:
    """Put a decision into effect.

    Both bundles are verified before anything moves. Then alias, statuses and links move as one
    operation (`orchestration.lifecycle.moving`). Killed in between it is finished by whoever starts
    next, and repeated with the same decision it reaches the same end.

    Parameters
    ----------
    serves_from_ms
        First bar, by opening time, that versions new in service predict.

    Raises
    ------
    ChampionMoved
        Someone moved the alias since the decision was made; theirs stays.
    SyncRefused
        The bundle of the new champion or challenger is refused; nothing was moved.
    PromotionRunning
        Somebody is promoting in this slot at this moment.
    """
    places = Places(store, tracking, registry)
    with one_at_a_time(registry, slot):
        settle(slot, places)
        current = tracking.champion(slot)
        if current not in (decision.before, decision.champion):
            raise ChampionMoved(
                f"{slot}: the alias champion was moved to {current} while the turn ran; it stays "
                f"there and {decision.champion} was not promoted"
            )
        for version in filter(None, (decision.champion, decision.challenger)):
            sound_bundle(slot, version, tracking, registry)
        return carry_out(_intent(decision, slot, serves_from_ms, store, tracking), places)


def _intent(
    decision: Decision, slot: Slot, serves_from_ms: int, store: Store, tracking: Tracker
) -> Intent:
    before: dict[str, str] = {}
    facts: dict[str, dict[str, Any]] = {}
    for version, status in decision.statuses.items():
        model = store.get_model(f"{slot.key}/{version}")
        check_transition(version, model.status, status)
        before[version] = model.status
        new = status in IN_SERVICE and SERVES_FROM not in model.facts
        facts[version] = {SERVES_FROM: serves_from_ms} if new else {}
    facts.setdefault(decision.champion, {}).update(
        {name: decision.figures[name] for name in (TENURE, PREVIOUS)}
    )
    if decision.champion != decision.before:
        facts[decision.champion][REIGN_BEGAN] = serves_from_ms
        if decision.before is not None:
            facts.setdefault(decision.before, {})[REIGN_ENDED] = serves_from_ms
    if decision.before is not None and decision.figures["fell"]:
        facts.setdefault(decision.before, {})[FELL] = serves_from_ms
    return Intent(
        slot_key=slot.key,
        action=decision.action,
        champion=decision.champion,
        before=decision.before,
        challenger=decision.challenger,
        challenger_before=tracking.challenger(slot),
        statuses=dict(decision.statuses),
        statuses_before=before,
        facts=facts,
    )


def status_of(store: Store, slot: Slot, version: str) -> str:
    """Return the stored status of a version; one that is not stored is a candidate."""
    try:
        return store.get_model(f"{slot.key}/{version}").status
    except UnknownModel:
        return "candidate"
