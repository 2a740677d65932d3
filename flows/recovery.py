"""Which flow runs are dead: their process is gone, whatever Prefect still believes.

A run holds a file lock for as long as its process lives. The kernel frees it at any end, `kill -9`
included, so a free lock is proof. Dead runs are marked Crashed, which also frees their
deployment's concurrency slot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock, Timeout

from flows.children import die_with_parent

_UNFINISHED = ["PENDING", "RUNNING", "CANCELLING"]
_CRASHED = {"type": "CRASHED", "name": "Crashed", "message": "its process ended without a word"}


@contextmanager
def alive(prefect_dir: Path, flow_run_id: str) -> Iterator[None]:
    """Hold the lock of this flow run while its body runs.

    In a process that a worker started, also end when that worker ends.
    """
    if os.environ.get("PREFECT__FLOW_RUN_ID"):
        die_with_parent()
    path = _lock_file(prefect_dir, flow_run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        try:
            yield
        finally:
            # While it is held: a free lock that is still there says that its run is dead.
            path.unlink(missing_ok=True)


def mark_dead_runs(url: str, prefect_dir: Path, fresh: bool) -> list[str]:
    """Mark the flow runs Crashed whose process is gone, with their task runs; return their names.

    Parameters
    ----------
    url
        Address of the Prefect server, without ``/api``.
    prefect_dir
        ``<home>/prefect``, where the runs' lock files lie.
    fresh
        Whether this process has just started the server. Then no run can be about to take its
        lock, and runs without a lock file are dead too; otherwise such runs are left alone.
    """
    dead = []
    with httpx.Client(base_url=f"{url}/api", timeout=30, trust_env=False) as client:
        for run in _find(client, "flow_runs", {"flow_runs": _in_state(_UNFINISHED)}):
            if not _is_dead(_lock_file(prefect_dir, run["id"]), fresh):
                continue
            for task_run in _find(client, "task_runs", _unfinished_tasks(run["id"])):
                _crash(client, "task_runs", task_run["id"])
            _crash(client, "flow_runs", run["id"])
            dead.append(run["name"])
    return dead


def _lock_file(prefect_dir: Path, flow_run_id: str) -> Path:
    return prefect_dir / "runs" / f"{flow_run_id}.lock"


def _is_dead(path: Path, fresh: bool) -> bool:
    if not path.exists():
        return fresh
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    path.unlink(missing_ok=True)
    return True


def _in_state(types: list[str]) -> dict[str, Any]:
    return {"state": {"type": {"any_": types}}}


def _unfinished_tasks(flow_run_id: str) -> dict[str, Any]:
    return {"flow_runs": {"id": {"any_": [flow_run_id]}}, "task_runs": _in_state(_UNFINISHED)}


def _find(client: httpx.Client, what: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    return list(client.post(f"/{what}/filter", json=query).raise_for_status().json())


def _crash(client: httpx.Client, what: str, run_id: str) -> None:
    body = {"state": _CRASHED, "force": True}
    client.post(f"/{what}/{run_id}/set_state", json=body).raise_for_status()
