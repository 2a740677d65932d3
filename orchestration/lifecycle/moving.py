"""Alias, statuses and links of a slot move together, or not at all, whenever they are cut off.

The order is intent, alias, statuses, links, intent removed. MLflow's alias is the truth, so it
moves first of the three; the link moves last, so that a strategy never runs what the store does not
know.
"""

from __future__ import annotations

from contextlib import suppress

from models.common.slot import Slot
from orchestration.lifecycle.errors import CutOff, PromotionRunning, SyncRefused
from orchestration.lifecycle.intent import (
    Intent,
    clear_intent,
    one_at_a_time,
    pending,
    read_intent,
    write_intent,
)
from orchestration.lifecycle.places import Places
from orchestration.lifecycle.sync import Synced, sound_bundle, sync
from orchestration.store.errors import RecordError
from orchestration.tracking import Tracker
from orchestration.tracking.errors import TrackingError, UnknownVersion

CHAMPION, CHALLENGER = "champion", "challenger"


def carry_out(intent: Intent, places: Places) -> Synced:
    """Do what an intent says; the caller has verified its bundles and holds the slot's lock.

    Raises
    ------
    CutOff
        MLflow or the database failed half way: what is left is done by `recover`.
    """
    write_intent(places.registry, intent)
    try:
        return _effect(intent, places)
    except (TrackingError, RecordError, OSError) as error:
        raise CutOff(
            f"{intent.slot_key}: the {_noun(intent)} of {intent.champion} was begun and is not "
            f"finished ({error}); it is written down, and the next turn, `tidewheel up` or "
            "`tidewheel models` command finishes it"
        ) from error


def recover(places: Places) -> list[str]:
    """Finish, or undo, what a killed process has begun; say what was done in sentences.

    Promotions that a living process is busy with are left to it.

    Raises
    ------
    TrackingError, RecordError
        MLflow or the database cannot be asked; the intents stay for the next time.
    """
    said = []
    for slot in pending(places.registry):
        try:
            with one_at_a_time(places.registry, slot, timeout_s=0):
                sentence = settle(slot, places)
        except PromotionRunning:
            continue
        if sentence:
            said.append(sentence)
    return said


def settle(slot: Slot, places: Places) -> str | None:
    """Bring a slot's unfinished promotion to its end; the caller holds its lock.

    It is finished, unless the alias was moved by hand meanwhile, which then counts, or a bundle
    broke or MLflow lost the version, which undoes it.
    """
    intent = read_intent(places.registry, slot)
    if intent is None:
        return None
    begun = f"{slot}: the {_noun(intent)} of {intent.champion}, which was cut off,"
    current = places.tracking.champion(slot)
    if current not in (intent.before, intent.champion):
        clear_intent(places.registry, slot)
        sync(slot, places.tracking, places.registry)
        return f"{begun} is given up: the alias was moved to {current} by hand, and that counts"
    try:
        for version in filter(None, (intent.champion, intent.challenger)):
            sound_bundle(slot, version, places.tracking, places.registry)
        _effect(intent, places)
    except (SyncRefused, UnknownVersion) as error:
        _undo(intent, places)
        return f"{begun} is undone: {error}"
    return f"{begun} is finished"


def _effect(intent: Intent, places: Places) -> Synced:
    """Change the three places; every part can be repeated."""
    slot, store, tracking = intent.slot, places.store, places.tracking
    tracking.set_alias(slot, CHAMPION, intent.champion)
    tracking.set_alias(slot, CHALLENGER, intent.challenger)
    for version, status in intent.statuses.items():
        facts = intent.facts.get(version, {})
        store.register_model(slot.key, version, status=status, **facts)
        _tag(slot, version, status, tracking)
    if intent.tags:
        tracking.set_tags(slot, intent.champion, intent.tags)
    if intent.before and intent.action == "promote" and intent.tags:
        # A person has chosen another; what a turn or a rollback lets go still wants retraining.
        store.clear_flag(f"{slot.key}/{intent.before}")
    synced = sync(slot, tracking, places.registry)
    clear_intent(places.registry, slot)
    return synced


def _undo(intent: Intent, places: Places) -> None:
    """Put back what may have moved."""
    slot, tracking = intent.slot, places.tracking
    for alias, version in (
        (CHAMPION, intent.before),
        (CHALLENGER, intent.challenger_before),
    ):
        with suppress(UnknownVersion):  # nothing to point at any more
            tracking.set_alias(slot, alias, version)
    for version, status in intent.statuses_before.items():
        places.store.register_model(slot.key, version, status=status)
        _tag(slot, version, status, tracking)
    clear_intent(places.registry, slot)
    with suppress(SyncRefused):  # a shadow that broke: the champion's link is back all the same
        sync(slot, tracking, places.registry)


def _tag(slot: Slot, version: str, status: str, tracking: Tracker) -> None:
    # A refused version was never registered there, others may have been deleted there since.
    with suppress(UnknownVersion):
        tracking.set_status(slot, version, status)


def _noun(intent: Intent) -> str:
    return {"promote": "promotion", "install": "promotion"}.get(intent.action, intent.action)
