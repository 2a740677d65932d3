"""Helpers: processes of the command line in a home of their own, on ports of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flows.children import free_port

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"


def environment(home: Path | str) -> dict[str, str]:
    """Return the environment of a process that works in `home`, on ports that are free now."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "TIDEWHEEL_"))}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "TIDEWHEEL_HOME": str(home),
        "TIDEWHEEL_PREFECT_PORT": str(free_port(HOST, 0)),
        "TIDEWHEEL_MLFLOW_PORT": str(free_port(HOST, 0)),
        "COLUMNS": "120",
    }


def tidewheel(*arguments: str) -> list[str]:
    """Return the command line of `tidewheel` in this interpreter."""
    return [sys.executable, "-m", "serving.cli", *arguments]


def run(*arguments: str, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `tidewheel` to its end."""
    return subprocess.run(
        tidewheel(*arguments), env=dict(env), cwd=cwd, capture_output=True, text=True, check=False
    )


def descendants(pid: int) -> set[int]:
    """Return the children of a process, their children, and so on, as /proc knows them."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        found |= frontier
    return found


def runs(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `condition` holds, or fail saying `what` did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def _stat(pid: int) -> list[str]:
    """Return state, parent and so on of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def processes_of(home: Path) -> list[str]:
    """Return the command lines of the processes whose environment names this home."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environ = (entry / "environ").read_bytes()
            if entry.name.isdigit() and f"TIDEWHEEL_HOME={home}\0".encode() in environ:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found
