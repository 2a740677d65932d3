"""A replay throws away as it goes: bundles that can never serve again."""

from __future__ import annotations

import shutil

from models.common.slot import Slot
from orchestration.engine import in_service
from orchestration.lifecycle.state import PREVIOUS
from orchestration.service.replays.plan import Plan
from orchestration.service.resources import registry_of, store_of

KEPT_TURNS = 2
"""Turns whose bundles all stay: the last ones are still looked at."""


def tidy(plan: Plan, moment: int) -> int:
    """Remove bundles of versions that are out, and return how many.

    What stays: the last turns' versions, those in service, the champion before each of them, which
    a rollback may bring back, and members of ensembles.
    """
    store, registry = store_of(plan.settings), registry_of(plan.settings)
    young = moment - (KEPT_TURNS - 1) * plan.every_ms
    needed = {
        version
        for ensemble in store.list_ensembles()
        for version in ensemble.config.get("models", ())
    }
    removed = 0
    for key in sorted({model.slot_key for model in store.list_models()}):
        slot = Slot.parse(key)
        serving = in_service(store, slot)
        keep = {model.version for model in serving}
        keep |= {str(model.facts.get(PREVIOUS)) for model in serving}
        for model in store.list_models(slot_key=key):
            folder = registry.folder(slot, model.version)
            old = model.created_at.timestamp() * 1000 < young
            named = {model.version, model.key, model.name} & needed
            if old and not named and model.version not in keep and folder.is_dir():
                shutil.rmtree(folder)
                removed += 1
    return removed
