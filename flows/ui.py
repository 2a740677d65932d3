"""The MLflow server of a home, and addresses of pages in both UIs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flows.environment import quiet
from flows.servers import Server, ServerKind, ensure, fetched, read_state
from orchestration.service.resources import mlflow_of
from orchestration.settings import Settings
from orchestration.tracking.backend import (
    experiment_link,
    mlflow_server_command,
    mlflow_server_environment,
    prepare,
    run_link,
)


def mlflow_server(settings: Settings) -> Server:
    """Start or reuse the MLflow server of this home; an ``http`` tracking URI names another one."""
    if settings.tracking_uri.startswith("http"):
        return Server(settings.tracking_uri.rstrip("/"))
    # A fresh SQLite file that several processes open at once breaks: make it first.
    prepare(settings.tracking_uri, settings.artifact_root)
    return ensure(mlflow_kind(settings))


def mlflow_kind(settings: Settings) -> ServerKind:
    """Describe the MLflow server of a home."""

    def env(port: int) -> dict[str, str]:
        env = {**os.environ, **mlflow_server_environment(settings.tracking_uri)}
        quiet(env)
        return env

    return ServerKind(
        name="MLflow",
        folder=settings.mlflow_dir,
        host=settings.host,
        port=settings.mlflow_port,
        command=lambda port: mlflow_server_command(settings.artifact_root, settings.host, port),
        env=env,
        answers=lambda url: fetched(f"{url}/health") is not None,
    )


def mlflow_address(settings: Settings) -> str:
    """Return where the MLflow UI of this home is, or will be after `tidewheel up`."""
    if settings.tracking_uri.startswith("http"):
        return settings.tracking_uri.rstrip("/")
    running = read_state(mlflow_kind(settings)).get("url")
    return str(running or f"http://{settings.host}:{settings.mlflow_port}")


def experiment_address(settings: Settings) -> str:
    """Return the address of the table of all turns in the MLflow UI."""
    return experiment_link(mlflow_address(settings), mlflow_of(settings).experiment_id)


def run_address(settings: Settings, summary: Mapping[str, Any]) -> str:
    """Return the address of a turn's run in the MLflow UI."""
    experiment = mlflow_of(settings).experiment_id
    return run_link(mlflow_address(settings), experiment, summary["mlflow_run"])
