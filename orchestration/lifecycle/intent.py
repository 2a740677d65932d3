"""What a promotion is about to do, written down before it begins and removed when it is done.

A promotion changes three places, and no transaction spans them. So the whole of it is first written
to ``<models>/.promotions/<slot>.json``, atomically and synced; then each place is changed, every
change being the same however often it is made; then the file is removed. Whoever finds the file and
gets the lock knows that its writer is dead, and finishes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.common.errors import BadName
from models.common.files import replace_file, sync_folder
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.lifecycle.errors import PromotionRunning

FOLDER = ".promotions"
LOCK_S = 60.0
DECISIONS = "decisions"
"""Fact of a version: what people decided about it, each with who, when and why."""


@dataclass(frozen=True)
class Intent:
    """All that a promotion changes, and what to put back should it be impossible.

    Attributes
    ----------
    slot_key, action
        Where, and what it is called: promote, rollback, or an action of a turn.
    champion, before
        Who serves from now on, and who served (None at first).
    challenger, challenger_before
        The same of the shadow.
    statuses, statuses_before
        By version.
    facts
        Facts that the store adds, by version.
    tags
        Tags of the champion in MLflow.
    """

    slot_key: str
    action: str
    champion: str
    before: str | None
    challenger: str | None
    challenger_before: str | None
    statuses: dict[str, str]
    statuses_before: dict[str, str]
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def slot(self) -> Slot:
        """The slot it is about."""
        return Slot.parse(self.slot_key)


def write_intent(registry: PredictionModelRegistry, intent: Intent) -> None:
    """Write an intent so that it outlasts a power cut."""
    path = _path(registry, intent.slot)
    replace_file(path, json.dumps(asdict(intent), indent=1).encode())
    sync_folder(path.parent.parent)


def read_intent(registry: PredictionModelRegistry, slot: Slot) -> Intent | None:
    """Return the intent of a slot, None where there is none.

    One that cannot be read is put aside as ``…json.damaged``: nothing writes such a file but a
    failing disk, and MLflow's alias still says who serves.
    """
    path = _path(registry, slot)
    try:
        return Intent(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        path.replace(path.with_name(f"{path.name}.damaged"))
        return None


def clear_intent(registry: PredictionModelRegistry, slot: Slot) -> None:
    """Remove an intent: what it says is done, or undone."""
    path = _path(registry, slot)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def pending(registry: PredictionModelRegistry) -> list[Slot]:
    """Return the slots with an intent, as cheaply as a folder is listed."""
    found = []
    for path in sorted((registry.root / FOLDER).glob("*.json")):
        with suppress(BadName):  # nothing of ours, and no reason to stop
            found.append(Slot.parse("/".join(path.stem.rsplit(".", 2))))
    return found


@contextmanager
def one_at_a_time(
    registry: PredictionModelRegistry, slot: Slot, timeout_s: float = LOCK_S
) -> Iterator[None]:
    """Hold the lock of a slot's promotions; the kernel releases it when its holder dies.

    Raises
    ------
    PromotionRunning
        Another process has held it for `timeout_s` seconds.
    """
    path = _path(registry, slot).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=timeout_s):
            yield
    except Timeout:
        raise PromotionRunning(
            f"another promotion in {slot} is running (it holds {path}); try again when it is done"
        ) from None


def _path(registry: PredictionModelRegistry, slot: Slot) -> Path:
    return registry.root / FOLDER / f"{slot.scope}.{slot.kind}.{slot.timeframe}.json"
