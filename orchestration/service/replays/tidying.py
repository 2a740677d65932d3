"""A replay throws away as it goes: bundles that can never serve again."""

from __future__ import annotations

import shutil
from collections import Counter

from models.common.slot import Slot
from orchestration.engine import in_service
from orchestration.judge.lines import recipe_of
from orchestration.lifecycle.state import PREVIOUS
from orchestration.service.replays.plan import Plan
from orchestration.service.resources import registry_of, store_of

FRESHEST = 3
"""Versions of each line that stay, whatever their status: a rollback goes to the freshest."""


def tidy(plan: Plan) -> int:
    """Remove bundles of versions that can never serve again, and return how many.

    What stays: versions in service, the champion before each of them, the freshest of each line,
    and members of ensembles.
    """
    store, registry = store_of(plan.settings), registry_of(plan.settings)
    blends = store.list_ensembles()
    members = {str(name) for blend in blends for name in blend.config.get("models", ())}
    removed = 0
    for key in sorted({model.slot_key for model in store.list_models()}):
        slot, serving = Slot.parse(key), in_service(store, Slot.parse(key))
        keep = {model.version for model in serving}
        keep |= {str(model.facts.get(PREVIOUS)) for model in serving}
        seen: Counter[str] = Counter()
        for model in store.list_models(slot_key=key):  # the freshest first
            folder = registry.folder(slot, model.version)
            if not folder.is_dir():
                continue
            seen[recipe_of(model)] += 1
            full = f"{slot.scope}/{slot.kind}/{model.version}"
            named = {model.version, model.key, model.name, full} & members
            if seen[recipe_of(model)] > FRESHEST and not named and model.version not in keep:
                shutil.rmtree(folder)
                removed += 1
    return removed
