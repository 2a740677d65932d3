"""Backups of live bundles: what served before a deployment, kept apart from what is replaced."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from market.timeframes import utc
from models.common.bundle import Bundle, read_bundle
from models.common.errors import ModelError
from models.common.files import locked, write_folder
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot

ABOUT = "backup.json"
_FOLDER = "bundle"


def back_up(root: Path, bundle: Bundle, at_ms: int, keep: int) -> Path:
    """Copy a verified bundle, whole or not at all, and remove the oldest beyond `keep`.

    Returns
    -------
    Path
        ``<root>/<slot>/<moment>_<version>``.
    """
    place = root / _name(bundle.slot) / f"{utc(at_ms):%Y-%m-%dT%H%M%SZ}_{bundle.version_id}"
    names = (*bundle.checksums, "checksums.json")
    about = {"slot": bundle.slot.key, "version": bundle.version_id, "at": utc(at_ms).isoformat()}
    with locked(place.parent):
        place.mkdir(parents=True, exist_ok=True)
        contents = {name: (bundle.folder / name).read_bytes() for name in names}
        write_folder(place / _FOLDER, contents)
        (place / ABOUT).write_text(json.dumps(about, indent=1))
        for old in list_backups(root, bundle.slot)[keep:]:
            shutil.rmtree(old["folder"], ignore_errors=True)
    return place


def list_backups(root: Path, slot: Slot | None = None) -> list[dict[str, Any]]:
    """Return backups, the newest first: ``slot``, ``version``, ``at``, ``folder``."""
    found = []
    for path in sorted(root.glob(f"{_name(slot) if slot else '*'}/*/{ABOUT}")):
        try:
            found.append({**json.loads(path.read_bytes()), "folder": str(path.parent)})
        except (OSError, ValueError):  # one that was cut off is no backup
            continue
    return sorted(found, key=lambda backup: str(backup["at"]), reverse=True)


def restore(root: Path, slot: Slot, version: str, registry: PredictionModelRegistry) -> bool:
    """Put a version's bundle back from its newest sound backup; return whether there was one."""
    for backup in list_backups(root, slot):
        if backup["version"] != version:
            continue
        try:
            bundle = read_bundle(Path(backup["folder"]) / _FOLDER)
        except ModelError:
            continue
        names = (*bundle.checksums, "checksums.json")
        target = registry.folder(slot, version)
        with locked(target.parent):
            write_folder(target, {name: (bundle.folder / name).read_bytes() for name in names})
        return True
    return False


def _name(slot: Slot) -> str:
    return f"{slot.scope}.{slot.kind}.{slot.timeframe}"
