"""MLflow's backend: opened once under a lock, its errors translated, its server's command line."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from orchestration.tracking import quiet
from orchestration.tracking.errors import TrackingDown, TrackingError, UnknownVersion

LOCK_S = 120
UI = "?workflowType=machine_learning"
SQLITE = "sqlite:///"

P = ParamSpec("P")
R = TypeVar("R")


def translated(method: Callable[P, R]) -> Callable[P, R]:
    """Make a method raise `TrackingError` where MLflow raises its own."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except MlflowException as error:
            raise _translate(error) from error

    return call


def _translate(error: MlflowException) -> TrackingError:
    code = error.error_code
    if code == "RESOURCE_DOES_NOT_EXIST":
        return UnknownVersion(f"MLflow: {error.message}")
    # A server that does not answer has no code of its own: MLflow calls it an internal error.
    if code in {"TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED"}:
        return TrackingDown(f"MLflow cannot be reached: {error.message}")
    return TrackingError(f"MLflow: {error.message}")


class Backend:
    """One client of one MLflow backend, safe to share between threads.

    Nothing global is touched: no active run, no tracking URI of the process.

    Parameters
    ----------
    tracking_uri : str
        ``sqlite:////absolute/mlflow.db``, ``postgresql://…`` or ``http://host:port``.
    artifact_root : str or Path, optional
        Folder or object-store URL for what runs leave behind. None leaves it to the server.
    experiment : str
        Name of the experiment that all turns belong to; made if absent.

    Raises
    ------
    TrackingDown
        The backend cannot be reached.
    """

    def __init__(
        self,
        tracking_uri: str,
        artifact_root: str | os.PathLike[str] | None = None,
        experiment: str = "tidewheel",
    ) -> None:
        self.tracking_uri = with_driver(tracking_uri)
        self._client, self.experiment_id = prepare(tracking_uri, artifact_root, experiment)
        # MLflow's number of a version, by registered model and version: never another one's.
        self._numbers: dict[tuple[str, str], str] = {}


@translated
def prepare(
    tracking_uri: str,
    artifact_root: str | os.PathLike[str] | None = None,
    experiment: str = "tidewheel",
) -> tuple[MlflowClient, str]:
    """Make the backend and the experiment if they are not there, one process at a time.

    Returns
    -------
    MlflowClient, str
        A client of the backend and the experiment's id.

    Raises
    ------
    TrackingDown
        The backend cannot be reached, or another process has held its lock for too long.
    TrackingError
        The URI is relative, so that it would mean another place in another folder.
    """
    uri = with_driver(tracking_uri)
    if uri.startswith("http"):
        return _open(uri, artifact_root, experiment)
    try:
        with FileLock(_lock_file(uri), timeout=LOCK_S):
            return _open(uri, artifact_root, experiment)
    except Timeout:
        raise TrackingDown(f"another process has been opening MLflow for {LOCK_S} s") from None


def _open(
    tracking_uri: str, artifact_root: str | os.PathLike[str] | None, experiment: str
) -> tuple[MlflowClient, str]:
    client = MlflowClient(tracking_uri, tracking_uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        location = None if artifact_root is None else _absolute(artifact_root)
        try:
            return client, client.create_experiment(experiment, artifact_location=location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(experiment)
    if found is None or found.lifecycle_stage != "active":
        raise TrackingError(
            f"the experiment {experiment!r} was deleted in MLflow; restore it there "
            "(mlflow experiments restore) or choose another name"
        )
    return client, found.experiment_id


def with_driver(tracking_uri: str) -> str:
    """Return the URI with the Postgres driver that is installed named in it."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", tracking_uri)


def _absolute(artifact_root: str | os.PathLike[str]) -> str:
    """Return an object-store URL as it is and a folder with its full path."""
    text = os.fspath(artifact_root)
    return text if "://" in text else str(Path(text).expanduser().resolve())


def _lock_file(tracking_uri: str) -> Path:
    if not tracking_uri.startswith(SQLITE):
        digest = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tidewheel-mlflow-{digest}.lock"
    database = Path(tracking_uri.removeprefix(SQLITE))
    if not database.is_absolute():
        raise TrackingError(f"{tracking_uri} is relative; write sqlite:////absolute/path/mlflow.db")
    database.parent.mkdir(parents=True, exist_ok=True)
    return database.with_name(f"{database.name}.lock")


def mlflow_server_command(
    artifact_root: str | os.PathLike[str] | None, host: str = "127.0.0.1", port: int = 5000
) -> list[str]:
    """Return the command that serves MLflow's UI; run it with `mlflow_server_environment`."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    if artifact_root is not None:
        command += ["--default-artifact-root", _absolute(artifact_root)]
    return [*command, "--workers", "1"]


def mlflow_server_environment(tracking_uri: str) -> dict[str, str]:
    """Return the variables for the server: its database, lean and without telemetry.

    The database goes by the environment because a command line shows its password to everyone.
    """
    return {
        **quiet.DEFAULTS,
        "MLFLOW_BACKEND_STORE_URI": with_driver(tracking_uri),
        # A third of the memory: the job runner is for features that are not used here.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def run_link(base: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run in the UI at `base`, such as ``http://127.0.0.1:5000``."""
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}{UI}"


def experiment_link(base: str, experiment_id: str) -> str:
    """Return the address of an experiment's table of runs in the UI at `base`."""
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs{UI}"


def model_link(base: str, slot_key: str) -> str:
    """Return the address of a slot in the registry of the UI at `base`."""
    return f"{base.rstrip('/')}/#/models/{quote(registry_name(slot_key), safe='')}{UI}"


def registry_name(slot_key: str) -> str:
    """Return what MLflow calls a slot: ``majors/direction/1m`` is ``majors.direction.1m``."""
    return slot_key.replace("/", ".")
