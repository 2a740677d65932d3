"""What turns need of a tracking, whoever keeps it: MLflow, or the light one of a replay."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from orchestration.tracking.registered import RegisteredVersion


class Tracker(Protocol):
    """Runs, registered versions and aliases; `Tracking` says what each method does.

    `orchestration.tracking.Tracking` keeps them in MLflow, `orchestration.tracking.LightTracking`
    in one small file.
    """

    def turn_run(
        self, turn_id: str, params: Mapping[str, Any], tags: Mapping[str, Any] | None = None
    ) -> str:
        """Return the id of a turn's run, begun now unless it was before."""

    def model_run(
        self,
        parent_run_id: str,
        version: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, Any],
        pictures: Iterable[Path],
        bundle: Path,
        *,
        slot: object = None,
        tags: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the id of a model's run below its turn's."""

    def log_members(self, run_id: str, members: Mapping[str, Mapping[str, Any]]) -> None:
        """Add an ensemble's members, by their runs, to its run."""

    def finish_run(self, run_id: str, status: str = "FINISHED") -> None:
        """End a run."""

    def log_metrics(self, run_id: str, metrics: Mapping[str, Any]) -> None:
        """Add figures to a run."""

    def log_figure(self, run_id: str, picture: Path, folder: str = "pictures") -> None:
        """Add an image file to a run."""

    def log_text(self, run_id: str, text: str, file: str) -> None:
        """Add a text to a run."""

    def register(
        self,
        slot: object,
        version: str,
        run_id: str,
        bundle: Path,
        tags: Mapping[str, Any] | None = None,
    ) -> int:
        """Return the number of a version, registered now unless it was before."""

    def champion(self, slot: object) -> str | None:
        """Return the version in service in a slot, None when there is none."""

    def challenger(self, slot: object) -> str | None:
        """Return the version that predicts in shadow, None when there is none."""

    def set_alias(self, slot: object, alias: str, version: str | None) -> None:
        """Give an alias to a version; None takes it away."""

    def set_status(self, slot: object, version: str, status: str) -> None:
        """Tag a version with its status."""

    def set_tags(self, slot: object, version: str, tags: Mapping[str, Any]) -> None:
        """Write tags of a version over those that are there."""

    def is_pinned(self, slot: object, version: str) -> bool:
        """Return whether a version is tagged ``pinned=true``."""

    def versions(self, slot: object) -> list[RegisteredVersion]:
        """Return the versions of a slot, the newest first."""

    def fetch_bundle(self, slot: object, version: str, folder: str | os.PathLike[str]) -> Path:
        """Bring a version's bundle back as `folder`, whole or not at all."""
