"""Promotion and rollback as people ask for them: by symbol, kind and the beginning of a version."""

from __future__ import annotations

from models.common.slot import Slot
from orchestration.lifecycle import promotion
from orchestration.lifecycle.promotion import By, Moved
from orchestration.service.lining import by_ledger
from orchestration.service.listing import find_slot, list_versions, pick, slots_of
from orchestration.service.resources import places_of
from orchestration.settings import Settings


def promote(
    settings: Settings,
    symbol: str,
    kind: str,
    version: str,
    by: By,
    *,
    timeframe: str | None = None,
    scope: str | None = None,
) -> Moved:
    """Make a version the champion of the slot that serves `symbol`.

    Parameters
    ----------
    version
        Its name, or a beginning of it that fits one version of the slot.

    Raises
    ------
    ModelNotFound, UnknownModel, AmbiguousModel
        What is meant is not there, or not one thing.
    LifecycleError, TrackingError
        As `orchestration.lifecycle.promotion.promote` does; nothing was moved.
    """
    rows = list_versions(settings)
    keys = {slot.key for slot in slots_of(rows, symbol, kind, timeframe, scope)}
    row = pick([row for row in rows if row["slot"] in keys], version)
    slot = Slot.parse(row["slot"])
    ledger = by_ledger(settings, slot, row["version"], by.at_ms)
    return promotion.promote(slot, row["version"], places_of(settings), by, ledger=ledger)


def rollback(
    settings: Settings,
    symbol: str,
    kind: str,
    by: By,
    *,
    timeframe: str | None = None,
    scope: str | None = None,
) -> Moved:
    """Put the previous champion, or else the baseline, back into the slot that serves `symbol`.

    Raises
    ------
    ModelNotFound
        Nothing serves it.
    LifecycleError, TrackingError
        As `orchestration.lifecycle.promotion.rollback` does; nothing was moved.
    """
    rows = list_versions(settings)
    slot = find_slot(rows, symbol, kind, timeframe, scope, usual=settings.timeframe)
    return promotion.rollback(slot, places_of(settings), by)
