"""MLflow: a run for every turn and model, a registry whose aliases say what is in service."""

from orchestration.tracking import quiet as quiet  # first: it sets what MLflow reads when imported
from orchestration.tracking.backend import (
    experiment_link,
    mlflow_server_command,
    mlflow_server_environment,
    model_link,
    prepare,
    run_link,
)
from orchestration.tracking.errors import (
    ForeignVersion,
    TrackingDown,
    TrackingError,
    UnknownVersion,
)
from orchestration.tracking.light import LightTracking
from orchestration.tracking.registered import RegisteredVersion
from orchestration.tracking.tracker import Tracker
from orchestration.tracking.tracking import Tracking

__all__ = [
    "ForeignVersion",
    "LightTracking",
    "RegisteredVersion",
    "Tracker",
    "Tracking",
    "TrackingDown",
    "TrackingError",
    "UnknownVersion",
    "experiment_link",
    "mlflow_server_command",
    "mlflow_server_environment",
    "model_link",
    "prepare",
    "run_link",
]
