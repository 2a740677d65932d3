"""The folder that runs follows the registry that decides: bundles verified, links moved at once."""

from __future__ import annotations

from dataclasses import dataclass

from models.common.bundle import Bundle
from models.common.errors import BundleError, ModelError
from models.common.registry import CHALLENGER, LATEST, PredictionModelRegistry
from models.common.slot import Slot
from orchestration.lifecycle.errors import SyncRefused
from orchestration.tracking import Tracker
from orchestration.tracking.errors import TrackingError


@dataclass(frozen=True)
class Synced:
    """What the links of a slot point at after a sync, and whether that is new."""

    champion: str | None
    challenger: str | None
    moved: bool


def sound_bundle(
    slot: Slot, version: str, tracking: Tracker, registry: PredictionModelRegistry
) -> Bundle:
    """Return a verified bundle, brought back from MLflow where the local copy is gone or damaged.

    Raises
    ------
    SyncRefused
        Neither the folder nor MLflow holds a sound copy.
    """
    folder = registry.folder(slot, version)
    try:
        bundle = registry.read(folder)
        _ = bundle.runner
        return bundle
    except ModelError as local:
        try:
            tracking.fetch_bundle(slot, version, folder)
            return registry.read(folder)
        except (TrackingError, ModelError, OSError) as remote:
            raise SyncRefused(
                f"{slot} cannot serve {version}: {local}; and MLflow's copy: {remote}"
            ) from remote


def sync(slot: Slot, tracking: Tracker, registry: PredictionModelRegistry) -> Synced:
    """Make the links of a slot point at what MLflow's aliases say.

    A link moves only to a bundle that has passed every check; otherwise all stays as it was.
    Without an alias nothing is taken out of service: no champion is no reason to stop predicting.

    Raises
    ------
    SyncRefused
        The champion's bundle is refused; the version before keeps serving.
    TrackingError
        MLflow cannot be asked.
    """
    champion, challenger = tracking.champion(slot), tracking.challenger(slot)
    moved = _follow(slot, LATEST, champion, tracking, registry)
    if challenger is None:
        moved = registry.linked(slot, CHALLENGER) is not None or moved
        registry.unlink(slot, CHALLENGER)
    else:
        moved = _follow(slot, CHALLENGER, challenger, tracking, registry) or moved
    return Synced(
        champion=registry.linked(slot, LATEST),
        challenger=registry.linked(slot, CHALLENGER),
        moved=moved,
    )


def _follow(
    slot: Slot,
    role: str,
    version: str | None,
    tracking: Tracker,
    registry: PredictionModelRegistry,
) -> bool:
    if version is None:
        return False
    sound_bundle(slot, version, tracking, registry)
    if registry.linked(slot, role) == version:
        return False
    try:
        registry.link(slot, role, version)
    except BundleError as error:
        raise SyncRefused(f"{slot} keeps its {role}: {error}") from error
    return True
