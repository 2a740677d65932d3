"""Settings of MLflow that must be in the environment before it is imported; imported first."""

from __future__ import annotations

import os

# Each can be overruled by setting the variable; nothing is reported anywhere unless one does.
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Standard output belongs to the caller, who may be writing JSON there.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow's own default waits for minutes on a server that is not there.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # Nothing that is loaded through MLflow may be a pickle.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}
for _name, _value in DEFAULTS.items():
    os.environ.setdefault(_name, _value)
