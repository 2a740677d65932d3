"""Registry: one registered model a slot, aliases that say which version serves."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from models.common.bundle import read_documents
from models.common.files import locked, write_folder
from orchestration.tracking.backend import registry_name, translated
from orchestration.tracking.errors import TrackingError
from orchestration.tracking.known import Known, missing
from orchestration.tracking.packing import MLFLOW_FILES
from orchestration.tracking.registered import (
    CHALLENGER,
    CHAMPION,
    LINK_TAG,
    PINNED_TAG,
    STATUS_TAG,
    VERSION_TAG,
    RegisteredVersion,
    texts,
)


class Registry(Known):
    """The part of tracking that knows the registry.

    A slot is given as ``scope/kind/timeframe`` or as anything whose ``str`` is that.
    """

    @translated
    def register(
        self,
        slot: object,
        version: str,
        run_id: str,
        bundle: Path,
        tags: Mapping[str, Any] | None = None,
    ) -> int:
        """Return MLflow's number of a version, registered now unless it was before.

        Parameters
        ----------
        slot, version
            Which one.
        run_id : str
            Its run, from `model_run`.
        bundle : Path
            Its bundle; logged now if the run does not have it.
        tags : mapping, optional
            Such as ``status``, recipe, data hash, window and gate figures. Written over those that
            are there; ``status`` is ``candidate`` unless given.
        """
        name = registry_name(str(slot))
        self._ensure_registered(name, str(slot))
        found = self._lookup(name, version)
        model = self._find_model(run_id)
        if found is None:
            if model is None or model.status != LoggedModelStatus.READY:
                run = self._client.get_run(run_id)
                model = self._logged_model(run, read_documents(bundle), run.data.params)
            found = self._create(name, version, model, tags or {})
        else:
            self._tag(found, tags or {})
        if model is not None:
            self._link(found, model)
        return int(found.version)

    def champion(self, slot: object) -> str | None:
        """Return the version in service in a slot, None when there is none.

        Raises
        ------
        ForeignVersion
            Someone gave the alias to a version that is no bundle.
        """
        return self._alias(slot, CHAMPION)

    def challenger(self, slot: object) -> str | None:
        """Return the version that predicts in shadow; otherwise as `champion`."""
        return self._alias(slot, CHALLENGER)

    @translated
    def set_alias(self, slot: object, alias: str, version: str | None) -> None:
        """Give an alias to a version, taking it from any other; None takes it away.

        Raises
        ------
        UnknownVersion
            The version is not registered in that slot.
        """
        name = registry_name(str(slot))
        if version is not None:
            self._client.set_registered_model_alias(
                name, alias, self._version(slot, version).version
            )
        elif alias in self._registered(name).aliases:
            self._client.delete_registered_model_alias(name, alias)

    @translated
    def set_status(self, slot: object, version: str, status: str) -> None:
        """Tag a version with its status.

        Raises
        ------
        UnknownVersion
            The version is not registered in that slot.
        """
        self._tag(self._version(slot, version), {STATUS_TAG: status})

    @translated
    def set_tags(self, slot: object, version: str, tags: Mapping[str, Any]) -> None:
        """Write tags of a version over those that are there; otherwise as `set_status`."""
        self._tag(self._version(slot, version), tags)

    @translated
    def is_pinned(self, slot: object, version: str) -> bool:
        """Return whether a version is tagged ``pinned=true``; False for one not registered."""
        found = self._lookup(registry_name(str(slot)), version)
        return found is not None and found.tags.get(PINNED_TAG, "").lower() == "true"

    @translated
    def versions(self, slot: object) -> list[RegisteredVersion]:
        """Return the versions of a slot, the newest first; none for a slot that is not there."""
        name = registry_name(str(slot))
        try:
            aliases = self._registered(name).aliases
        except MlflowException as error:
            if missing(error):
                return []
            raise
        numbers: dict[str, list[str]] = {}
        for alias, number in sorted(aliases.items()):
            numbers.setdefault(str(number), []).append(alias)
        found = self._client.search_model_versions(f"name = '{name}'")
        return [
            RegisteredVersion(
                slot_key=str(slot),
                version=entry.tags[VERSION_TAG],
                number=int(entry.version),
                run_id=str(entry.run_id or ""),
                status=entry.tags.get(STATUS_TAG, ""),
                aliases=tuple(numbers.get(str(entry.version), ())),
                tags=dict(entry.tags),
            )
            for entry in sorted(found, key=lambda entry: -int(entry.version))
            if VERSION_TAG in entry.tags
        ]

    @translated
    def fetch_bundle(self, slot: object, version: str, folder: str | os.PathLike[str]) -> Path:
        """Bring a version's bundle back from MLflow as `folder`, whole or not at all.

        The bundle is not verified here: read it with `models.common.bundle.read_bundle`.

        Raises
        ------
        UnknownVersion
            The version is not registered in that slot.
        TrackingError
            Its artifacts are gone or cannot be read.
        """
        source = self._version(slot, version).source
        target = Path(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tidewheel-") as scratch:
            try:
                fetched = download_artifacts(
                    artifact_uri=source, dst_path=scratch, tracking_uri=self.tracking_uri
                )
            except MlflowException as error:
                raise TrackingError(
                    f"the bundle of {slot}, {version} cannot be fetched: {error.message}"
                ) from error
            files = {
                path.name: path.read_bytes()
                for path in Path(fetched).iterdir()
                if path.is_file() and path.name not in MLFLOW_FILES
            }
        with locked(target.parent):
            write_folder(target, files)
        return target

    def _ensure_registered(self, name: str, slot_key: str) -> None:
        if self._known(name):
            return
        try:
            self._client.create_registered_model(
                name,
                tags={"slot": slot_key},
                description=f"Slot {slot_key}: the alias champion is what serves, challenger what "
                "predicts in shadow. Moving the alias is promotion; the tag pinned=true keeps a "
                "version in service.",
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _create(
        self, name: str, version: str, model: LoggedModel, tags: Mapping[str, Any]
    ) -> ModelVersion:
        return self._client.create_model_version(
            name,
            model.artifact_location,
            run_id=model.source_run_id,
            tags={STATUS_TAG: "candidate", **texts(tags), VERSION_TAG: version},
            # The one free text that the UI's table of versions shows in full.
            description=version,
            model_id=model.model_id,
        )

    def _link(self, found: ModelVersion, model: LoggedModel) -> None:
        """Let the UI lead from a run's model to its registered version."""
        link = json.dumps([{"name": found.name, "version": str(found.version)}])
        if model.tags.get(LINK_TAG) != link:
            self._client.set_logged_model_tags(model.model_id, {LINK_TAG: link})

    def _tag(self, found: ModelVersion, tags: Mapping[str, Any]) -> None:
        for name, value in texts(tags).items():
            if found.tags.get(name) != value:
                self._client.set_model_version_tag(found.name, found.version, name, value)
