"""MLflow: a run for every turn and model, a registry whose aliases say what is in service."""

from orchestration.tracking import quiet as quiet  # first: it sets what MLflow reads when imported
from orchestration.tracking.tracking import Tracking

__all__ = ["Tracking"]
