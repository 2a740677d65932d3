"""Carries out a decision: alias first, then statuses, then the folder; repeatable at any point."""

from __future__ import annotations

from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.lifecycle.decide import Decision
from orchestration.lifecycle.errors import ChampionMoved
from orchestration.lifecycle.state import PREVIOUS, SERVES_FROM, TENURE
from orchestration.lifecycle.sync import Synced, sound_bundle, sync
from orchestration.lifecycle.transitions import IN_SERVICE, check_transition
from orchestration.store.errors import UnknownModel
from orchestration.store.store import Store
from orchestration.tracking import Tracking

CHAMPION, CHALLENGER = "champion", "challenger"


def apply(
    decision: Decision,
    slot: Slot,
    serves_from_ms: int,
    *,
    store: Store,
    tracking: Tracking,
    registry: PredictionModelRegistry,
) -> Synced:
    """Put a decision into effect.

    Both bundles are verified before anything moves. Then the alias in MLflow moves, which
    is the promotion; statuses and links follow. Killed in between and repeated with the same
    decision, it reaches the same end.

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
    """
    current = tracking.champion(slot)
    if current not in (decision.before, decision.champion):
        raise ChampionMoved(
            f"{slot}: the alias champion was moved to {current} while the turn ran; it stays there "
            f"and {decision.champion} was not promoted"
        )
    for version in filter(None, (decision.champion, decision.challenger)):
        sound_bundle(slot, version, tracking, registry)
    tracking.set_alias(slot, CHAMPION, decision.champion)
    tracking.set_alias(slot, CHALLENGER, decision.challenger)
    for version, status in decision.statuses.items():
        _set_status(slot, version, status, serves_from_ms, store, tracking)
    store.register_model(
        slot.key,
        decision.champion,
        **{TENURE: decision.figures[TENURE], PREVIOUS: decision.figures[PREVIOUS]},
    )
    return sync(slot, tracking, registry)


def _set_status(
    slot: Slot, version: str, status: str, serves_from_ms: int, store: Store, tracking: Tracking
) -> None:
    key = f"{slot.key}/{version}"
    model = store.get_model(key)
    check_transition(version, model.status, status)
    facts = {}
    if status in IN_SERVICE and SERVES_FROM not in model.facts:
        facts[SERVES_FROM] = serves_from_ms
    store.register_model(slot.key, version, status=status, **facts)
    if status != "refused":  # a refused version was never registered there
        tracking.set_status(slot, version, status)


def status_of(store: Store, slot: Slot, version: str) -> str:
    """Return the stored status of a version; one that is not stored is a candidate."""
    try:
        return store.get_model(f"{slot.key}/{version}").status
    except UnknownModel:
        return "candidate"
