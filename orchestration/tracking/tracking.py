"""Tracking's one face: runs, registry and aliases of one MLflow backend."""

from __future__ import annotations

from orchestration.tracking.registry import Registry


class Tracking(Registry):
    """What MLflow knows of Tidewheel: a run for every turn and model, a registry of versions.

    Safe to share between threads. Every method can be repeated without harm.

    Parameters
    ----------
    tracking_uri : str
        ``sqlite:////absolute/mlflow.db``, ``postgresql://…`` or ``http://host:port``. A database
        that is not there is made, by one process at a time.
    artifact_root : str or Path, optional
        Folder or object-store URL for what runs leave behind. None leaves it to the server.
    experiment : str
        Name of the experiment that all turns belong to; made if absent.

    Raises
    ------
    TrackingDown
        The backend cannot be reached.
    TrackingError
        A relative SQLite URI, or a deleted experiment.
    """
