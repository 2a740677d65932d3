"""Who is champion now: MLflow says it, and what people did there is taken over."""

from __future__ import annotations

from models.common.slot import Slot
from orchestration.judge.lines import BASELINE, recipe_of
from orchestration.lifecycle.gates import Incumbent
from orchestration.lifecycle.transitions import IN_SERVICE
from orchestration.store.errors import UnknownModel
from orchestration.store.records import ModelRecord
from orchestration.store.store import Store
from orchestration.tracking import Tracker

SERVES_FROM = "serves_from_ms"
TENURE, PREVIOUS = "tenure", "previous"


def champion_in_store(store: Store, slot: Slot) -> ModelRecord | None:
    """Return the champion that the store knows of, None before the first."""
    return next(iter(store.list_models(slot_key=slot.key, status="champion")), None)


def adopt(slot: Slot, store: Store, tracking: Tracker, at_ms: int) -> Incumbent | None:
    """Return the champion in service, None where there is none.

    The alias in MLflow is the truth. Where it has been moved by hand since the last turn, the store
    follows: the version so chosen is champion with no tenure behind it, the one before goes into
    shadow.

    Parameters
    ----------
    at_ms
        The moment of the turn: from here on a version chosen by hand predicts as champion.
    """
    version = tracking.champion(slot)
    if version is None:
        return None
    known = champion_in_store(store, slot)
    if known is None or known.version != version:
        _take_over(slot, store, version, known, at_ms)
    model = store.get_model(f"{slot.key}/{version}")
    return Incumbent(
        version=version,
        recipe=str(model.facts.get("recipe", version.rpartition("_")[2])),
        baseline=bool(model.facts.get("baseline", version.endswith(f"_{BASELINE}"))),
        pinned=tracking.is_pinned(slot, version),
        tenure=int(model.facts.get(TENURE) or 0),
        previous=model.facts.get(PREVIOUS),
        previous_line=_line_of(slot, store, model.facts.get(PREVIOUS)),
    )


def _line_of(slot: Slot, store: Store, version: str | None) -> str | None:
    """Return the line of a version; None where there is none, or the store does not know it."""
    if version is None:
        return None
    try:
        return recipe_of(store.get_model(f"{slot.key}/{version}"))
    except UnknownModel:
        return None


def _take_over(
    slot: Slot, store: Store, version: str, known: ModelRecord | None, at_ms: int
) -> None:
    """Make the store say what MLflow says."""
    if known is not None:
        shadow = BASELINE if known.facts.get("baseline") else "challenger"
        store.update_model_status(known.key, shadow)
        store.clear_flag(known.key)  # it asked for a better champion, and a person has chosen one
    facts = {TENURE: 0, PREVIOUS: known.version if known else None}
    try:
        stored = store.get_model(f"{slot.key}/{version}")
        if stored.status not in IN_SERVICE:  # nobody asked it since, so it has nothing to catch up
            facts |= {SERVES_FROM: at_ms}
    except UnknownModel:  # the database was lost or is another one
        recipe = version.rpartition("_")[2]
        facts |= {SERVES_FROM: at_ms, "recipe": recipe, "baseline": recipe == BASELINE}
    store.register_model(slot.key, version, status="champion", **facts)
