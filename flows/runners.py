"""Where the tasks of a turn run: the setting `runner` as a Prefect task runner."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from flows.errors import RunnerMissing
from orchestration.settings import Settings

_CLUSTERS = {
    "dask": ("prefect_dask", "DaskTaskRunner", "prefect-dask==0.3.7"),
    "ray": ("prefect_ray", "RayTaskRunner", "prefect-ray==0.6.0"),
}


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings ask for.

    Threads are the default: boosters, forests and SVMs release the GIL, each fit has one OpenMP
    thread, and what needs a hard time limit runs in a child process of its own anyway. Dask and Ray
    connect to the cluster at ``runner_address``.

    Raises
    ------
    RunnerMissing
        Dask or Ray is asked for and its Prefect integration is not installed.
    """
    if settings.runner == "threads":
        return ThreadPoolTaskRunner(max_workers=settings.workers)
    if settings.runner == "processes":
        return ProcessPoolTaskRunner(max_workers=settings.workers)
    module, name, requirement = _CLUSTERS[settings.runner]
    try:
        runner: Callable[..., TaskRunner[Any]] = getattr(import_module(module), name)
    except ImportError as error:
        raise RunnerMissing(
            f"runner = {settings.runner!r} needs {requirement}, which is not installed: "
            f"pip install '{requirement}', or use runner = 'threads'"
        ) from error
    return runner(address=settings.runner_address)
