"""Reload every bundle of a home, graph included, and say what is missing or refused."""

from __future__ import annotations

from typing import Any

from features import hashes
from models.common.errors import ModelError
from models.common.registry import CHALLENGER, LATEST, PredictionModelRegistry
from models.common.slot import Slot
from orchestration.lifecycle.transitions import IN_SERVICE
from orchestration.service.resources import registry_of, store_of
from orchestration.settings import Settings

Json = dict[str, Any]
_LINKS = {LATEST: "champion", CHALLENGER: "challenger"}


def validate(settings: Settings) -> Json:
    """Verify every bundle: files, checksums, schema, graph and probe, features, links.

    Returns
    -------
    dict
        ``ok``, ``sound`` (keys of bundles that pass), ``refused`` (reasons by place; versions in
        service whose bundle is gone and links that lead nowhere among them) and ``absent``
        (versions out of service without a bundle here: MLflow keeps theirs).
    """
    registry = registry_of(settings)
    refused = registry.problems()
    sound = []
    for bundle in registry.list_bundles(tell=False):
        place = str(bundle.folder.relative_to(registry.root.resolve()))
        if place in refused:
            continue
        changed = hashes.changed(bundle.schema.hashes)
        if changed:
            refused[place] = (
                f"features mean something else now: {', '.join(changed[:5])}; bring their "
                "definitions back, or train it anew"
            )
        else:
            sound.append(bundle.key)
    missing, absent = _without_bundle(settings, registry)
    refused |= {key: reason for key, reason in missing.items() if key not in refused}
    refused |= _dead_links(settings, registry)
    return {"ok": not refused, "sound": sound, "refused": refused, "absent": absent}


def _without_bundle(
    settings: Settings, registry: PredictionModelRegistry
) -> tuple[dict[str, str], list[str]]:
    """Return versions in service whose folder is gone, and those out of service."""
    missing, absent = {}, []
    for record in store_of(settings).list_models():
        folder = registry.folder(Slot.parse(record.slot_key), record.version)
        if folder.is_dir() or record.facts.get("faults"):
            continue
        if record.status in IN_SERVICE:
            missing[str(folder.relative_to(registry.root))] = (
                f"it is {record.status}, and its folder is missing; "
                "`tidewheel models validate --repair` brings it back from MLflow"
            )
        else:
            absent.append(record.key)
    return missing, absent


def _dead_links(settings: Settings, registry: PredictionModelRegistry) -> dict[str, str]:
    dead = {}
    for key in sorted({record.slot_key for record in store_of(settings).list_models()}):
        slot = Slot.parse(key)
        for link, role in _LINKS.items():
            version = registry.linked(slot, link)
            if version is not None and not registry.folder(slot, version).is_dir():
                place = f"{slot.scope}/{slot.kind}/{link}-{slot.timeframe}"
                dead[place] = f"it names {version} as {role}, which is not there"
    return dead


def repair(settings: Settings) -> dict[str, str]:
    """Bring refused and missing bundles of versions in service back from MLflow.

    Returns
    -------
    dict
        By version's key, what happened.
    """
    from orchestration.lifecycle.errors import SyncRefused
    from orchestration.lifecycle.sync import sound_bundle
    from orchestration.service.resources import tracking_of

    registry, tracking = registry_of(settings), tracking_of(settings)
    said = {}
    for record in store_of(settings).list_models():
        slot = Slot.parse(record.slot_key)
        folder = registry.folder(slot, record.version)
        if record.facts.get("faults") or not (record.status in IN_SERVICE or folder.is_dir()):
            continue
        try:
            _ = registry.read(folder).runner
        except ModelError:
            try:
                sound_bundle(slot, record.version, tracking, registry)
                said[record.key] = "brought back from MLflow"
            except SyncRefused as error:
                said[record.key] = f"could not be brought back: {error}"
    return said
