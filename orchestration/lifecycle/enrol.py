"""Make a bundle in the folder known to store and MLflow, so that it can be promoted like any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from models.common.bundle import Bundle
from models.common.slot import Slot
from orchestration.lifecycle.places import Places
from orchestration.store.records import BACKFILL

_SHOWN = ("skill", "lower", "upper", "z", "n")
BY_HAND, DEPLOYED = "by_hand", "deployed_ms"


def enrol(bundle: Bundle, places: Places, pictures: Iterable[Path] = ()) -> str:
    """Register a bundle that no turn made in store and MLflow; return its run.

    Its run lies below one for the training by hand, as a turn's lie below the turn's. It can be
    repeated: what is there is found by its tags.

    Parameters
    ----------
    bundle
        Verified; it lies in its place in the folder.
    pictures
        Image files to show with the run.

    Raises
    ------
    TrackingError, RecordError
        One of them cannot be reached.
    """
    about, slot, version = bundle.metadata, bundle.slot, bundle.version_id
    simulated = str(bool(about["simulated"])).lower()
    tags = {
        "recipe": about["recipe"],
        "baseline": str(bool(about["baseline"])).lower(),
        "simulated": simulated,
        "trained": BY_HAND,
        **{name: about.get(name) for name in ("data_hash", "recipe_hash", "trained_through")},
    }
    tracking = places.tracking
    parent = tracking.turn_run(
        f"{BY_HAND}_{version}_{slot.scope}_{slot.kind}",
        {"slot": slot.key, "source": about.get("source"), "seed": about.get("seed")},
        {"simulated": simulated, "scope": slot.scope, "trained": BY_HAND},
    )
    params = {**about.get("hyperparams", {}), "kind": slot.kind, "recipe": about["recipe"]}
    run_id = tracking.model_run(
        parent, version, params, bundle.metrics, pictures, bundle.folder, slot=slot, tags=tags
    )
    tracking.finish_run(parent)
    tracking.register(slot, version, run_id, bundle.folder, {**tags, **gate_tags(bundle.metrics)})
    places.store.register_model(slot.key, version, **_facts(about), run_id=run_id)
    return run_id


def lacks_baseline(slot: Slot, places: Places) -> bool:
    """Return whether a slot has no sound baseline to fall back on; one of a fold has no bundle."""
    models = places.store.list_models(slot_key=slot.key)
    return not any(
        m.facts.get("baseline") and not m.facts.get("faults") and not m.facts.get(BACKFILL)
        for m in models
    )


def enrol_baseline(bundle: Bundle, places: Places) -> None:
    """Register the baseline that a model was judged beside as its slot's way back."""
    enrol(bundle, places)
    places.store.register_model(bundle.slot.key, bundle.version_id, status="baseline")
    places.tracking.set_status(bundle.slot, bundle.version_id, "baseline")


def mark_deployed(bundle: Bundle, at_ms: int, places: Places) -> None:
    """Note that a version is being deployed; it counts once it has served."""
    places.store.register_model(bundle.slot.key, bundle.version_id, **{DEPLOYED: at_ms})


def last_deployed(places: Places) -> Slot | None:
    """Return the slot of the last deployment; None where there was none."""
    served = [m for m in places.store.list_models() if m.facts.get(DEPLOYED) is not None]
    served = [model for model in served if model.status != "candidate"]  # a hook stopped that one
    last = max(served, key=lambda model: int(model.facts[DEPLOYED]), default=None)
    return None if last is None else Slot.parse(last.slot_key)


def _facts(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the store keeps of a version, as a turn's publishing does."""
    return {
        "recipe": about["recipe"],
        "baseline": bool(about["baseline"]),
        "head": about["head"],
        "data_hash": about.get("data_hash"),
        "parity": about.get("parity_max_abs"),
        "seconds": about.get("training_seconds"),
        "simulated": bool(about["simulated"]),
        "trained_through": about["trained_through"],
        "trained": BY_HAND,
    }


def gate_tags(figures: Mapping[str, Any], measured_on: str = "holdout") -> dict[str, str]:
    """Return a verdict as tags, so that the registry's page shows why.

    Parameters
    ----------
    measured_on
        ``holdout`` for what a version did before it served, ``ledger`` for what its line did: the
        tags are called ``holdout_skill`` and so on.
    """
    found = {name: figures.get(name) for name in _SHOWN}
    return {f"{measured_on}_{name}": f"{v:.6g}" for name, v in found.items() if v is not None}
