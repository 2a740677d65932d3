"""The environment of every process: one thread a fit, no telemetry, no temporary Prefect server.

Import this module and call `quiet` before numpy, torch or Prefect are imported: they read these
variables once, at import. What the user has set is left alone.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

# Parallelism is across fits; an OpenMP team per fit on a shared machine costs up to ten times more.
THREADS = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
PREFECT = {
    # A temporary server per process loses task runs; flows here always talk to a real one.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    # Leases in memory leak a deployment's concurrency slot for good when the server is killed.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}
MLFLOW = {
    # 403 MB instead of 1,351 MB: nothing here uses MLflow's job workers.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def quiet(environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what every process of the house needs, where the user has not set it."""
    for name, value in {**THREADS, **TELEMETRY_OFF, **PREFECT, **MLFLOW}.items():
        environ.setdefault(name, value)


def use_home(home: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Point every default of this process and its children to `home` (made absolute)."""
    home = home.expanduser().resolve()
    environ["TIDEWHEEL_HOME"] = str(home)
    environ["PREFECT_HOME"] = str(home / "prefect")
