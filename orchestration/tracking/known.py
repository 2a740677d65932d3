"""Known versions: an entry of MLflow's registry found by slot and version name, fast and once."""

from __future__ import annotations

from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from orchestration.tracking.backend import registry_name, translated
from orchestration.tracking.errors import ForeignVersion, UnknownVersion
from orchestration.tracking.registered import VERSION_TAG
from orchestration.tracking.runs import Runs


class Known(Runs):
    """The part of tracking that finds registered models and versions."""

    def _known(self, name: str) -> bool:
        try:
            self._registered(name)
        except MlflowException as error:
            if missing(error):
                return False
            raise
        return True

    def _registered(self, name: str) -> RegisteredModel:
        return self._client.get_registered_model(name)

    def _lookup(self, name: str, version: str) -> ModelVersion | None:
        known = self._remembered(name, version)
        if known is not None:
            return known
        query = f"name = '{name}' and tags.`{VERSION_TAG}` = '{version}'"
        found = self._client.search_model_versions(query)
        if not found:
            return None
        # The oldest: should two ever have been made, all go on with the same one.
        oldest = min(found, key=lambda entry: int(entry.version))
        self._numbers[name, version] = str(oldest.version)
        return oldest

    def _remembered(self, name: str, version: str) -> ModelVersion | None:
        """Return a version by the number it was found under before: a search costs far more."""
        number = self._numbers.get((name, version))
        if number is None:
            return None
        try:
            found = self._client.get_model_version(name, number)
        except MlflowException as error:
            if not missing(error):
                raise
            found = None
        if found is None or found.tags.get(VERSION_TAG) != version:
            self._numbers.pop((name, version), None)
            return None
        return found

    def _version(self, slot: object, version: str) -> ModelVersion:
        found = self._lookup(registry_name(str(slot)), version)
        if found is None:
            raise UnknownVersion(f"{slot} has no registered version {version!r}")
        return found

    @translated
    def _alias(self, slot: object, alias: str) -> str | None:
        name = registry_name(str(slot))
        try:
            number = self._registered(name).aliases.get(alias)
            if number is None:
                return None
            found = self._client.get_model_version(name, str(number))
        except MlflowException as error:
            if missing(error):
                return None
            raise
        if VERSION_TAG not in found.tags:
            raise ForeignVersion(
                f"{alias} of {name} is version {number}, which has no tag {VERSION_TAG}: it is no "
                "bundle of Tidewheel; move the alias to one that is"
            )
        return str(found.tags[VERSION_TAG])


def missing(error: MlflowException) -> bool:
    """Return whether MLflow says that there is no such thing."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")
