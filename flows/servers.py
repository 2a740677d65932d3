"""Start or reuse the Prefect and MLflow servers of a home, on loopback, each owned by one process.

The owner of a server holds the lock ``server.lock`` in its folder for as long as the server lives,
and writes its address to ``server.json``. So a held lock means a server to be reused; a free lock
means that there is none, whatever a killed owner has left in ``server.json``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock, Timeout

from flows import children
from flows.environment import quiet
from flows.errors import ServerError
from orchestration.settings import Settings

START_SECONDS = 180.0  # a cold disk and a busy machine; 3 to 9 s is usual
_POLL = 0.1
_LEFTOVER_SECONDS = 15.0


@dataclass(frozen=True)
class ServerKind:
    """How one kind of server is started and recognised.

    Parameters
    ----------
    name
        For messages: "Prefect" or "MLflow".
    folder
        Its part of the home: database, log, lock and state file.
    host, port
        Where it should listen; another port is taken when this one is busy.
    command, env
        Functions of the port.
    answers
        Whether the server at a URL is healthy and belongs to this folder.
    """

    name: str
    folder: Path
    host: str
    port: int
    command: Callable[[int], list[str]]
    env: Callable[[int], Mapping[str, str]]
    answers: Callable[[str], bool]


@dataclass
class Server:
    """A server in use: our own child, another process's of the same home, or one outside.

    Parameters
    ----------
    url
        Its address, without a path.
    kind
        None for a server outside, named by the user.
    child, lock
        Set when this process owns it.
    """

    url: str
    kind: ServerKind | None = None
    child: children.Child | None = None
    lock: FileLock | None = field(default=None, repr=False)

    @property
    def owned(self) -> bool:
        """Whether this process started it and has to end it."""
        return self.child is not None

    @property
    def alive(self) -> bool:
        """Whether it still runs (asked of the process when owned, of the address otherwise)."""
        if self.child is not None:
            return self.child.alive
        return self.kind is None or self.kind.answers(self.url)

    def wait(self, seconds: float = START_SECONDS) -> Server:
        """Wait until it answers, and return it.

        Raises
        ------
        ServerError
            It ended, or did not answer in time; the message ends with the log's last lines.
        """
        if self.kind is None or self.child is None:
            return self
        deadline = time.monotonic() + seconds
        while not (self.child.alive and self.kind.answers(self.url)):
            if not self.child.alive and self._lost_its_port():
                self._spawn(children.free_port(self.kind.host, 0))
            if not self.child.alive or time.monotonic() > deadline:
                raise ServerError(
                    f"the {self.kind.name} server did not start on {self.url}; the end of "
                    f"{self.child.log}:\n{self.child.tail()}"
                )
            time.sleep(_POLL)
        state = {"pid": self.child.process.pid, "url": self.url}
        (self.kind.folder / "server.json").write_text(json.dumps(state))
        return self

    def stop(self) -> None:
        """End it when it is ours; leave another process's server alone."""
        if self.child is not None:
            self.child.stop()
            (self.child.log.parent / "server.json").unlink(missing_ok=True)
        if self.lock is not None:
            self.lock.release()

    def _spawn(self, port: int) -> None:
        assert self.kind is not None
        log = self.kind.folder / "server.log"
        log.unlink(missing_ok=True)
        self.url = f"http://{self.kind.host}:{port}"
        self.child = children.spawn(
            self.kind.name, self.kind.command(port), self.kind.env(port), log
        )

    def _lost_its_port(self) -> bool:
        """Tell whether somebody took the port between our look at it and the server's start."""
        assert self.kind is not None
        port = int(self.url.rpartition(":")[2])
        return children.free_port(self.kind.host, port) != port


def prefect_server(settings: Settings) -> Server:
    """Begin or reuse the Prefect server of this home; ``PREFECT_API_URL`` names another one.

    Raises
    ------
    ServerError
        Nothing answers at ``PREFECT_API_URL``.
    """
    outside = os.environ.get("PREFECT_API_URL")
    if outside:
        if fetched(f"{outside}/health") is None:
            raise ServerError(
                f"PREFECT_API_URL names {outside}, where nothing answers: start that server, or "
                "unset the variable and a server of this home is started"
            )
        return Server(outside.removesuffix("/").removesuffix("/api"))
    return ensure(prefect_kind(settings))


def prefect_kind(settings: Settings) -> ServerKind:
    """Describe the Prefect server of a home: its SQLite database lies in ``<home>/prefect``."""
    folder, host = settings.prefect_dir, settings.host

    def command(port: int) -> list[str]:
        start = [sys.executable, "-m", "prefect", "server", "start"]
        return [*start, "--host", host, "--port", str(port)]

    def env(port: int) -> dict[str, str]:
        api = f"http://{host}:{port}/api"
        urls = {"PREFECT_API_URL": api, "PREFECT_SERVER_UI_API_URL": api}
        return {**_environment(settings), **urls}

    def answers(url: str) -> bool:
        settings_of_server = fetched(f"{url}/api/admin/settings")
        return isinstance(settings_of_server, dict) and settings_of_server.get("home") == str(
            folder
        )

    return ServerKind("Prefect", folder, host, settings.prefect_port, command, env, answers)


def ensure(kind: ServerKind, seconds: float = START_SECONDS) -> Server:
    """Return the running server of this folder, or start one and own it; then `Server.wait`.

    Call it from the main thread (see `flows.children.spawn`).

    Raises
    ------
    ServerError
        Another process owns the server of this folder, and it has not answered for `seconds`.
    """
    kind.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(kind.folder / "server.lock")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            url = read_state(kind).get("url")
            if url and kind.answers(url):
                return Server(url, kind)
            time.sleep(_POLL)
            continue
        return _start(kind, lock)
    raise ServerError(
        f"another process holds {kind.folder / 'server.lock'} but no {kind.name} server of this "
        f"home has answered for {seconds:.0f} s: end that process and try again"
    )


def _start(kind: ServerKind, lock: FileLock) -> Server:
    _end_leftover(kind)
    server = Server("", kind, lock=lock)
    server._spawn(children.free_port(kind.host, kind.port))
    return server


def _end_leftover(kind: ServerKind) -> None:
    """End a server whose owner was killed where children do not die with their parents."""
    state = read_state(kind)
    if not state or not kind.answers(state["url"]):
        return
    try:
        os.killpg(state["pid"], signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return  # it is gone, and what answers at its address is somebody else's
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    while kind.answers(state["url"]) and time.monotonic() < deadline:
        time.sleep(_POLL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(state["pid"], signal.SIGKILL)


def read_state(kind: ServerKind) -> dict[str, Any]:
    """Return what the owner of this server wrote: ``pid`` and ``url``; empty when there is none."""
    try:
        state = json.loads((kind.folder / "server.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return dict(state)


def _environment(settings: Settings) -> dict[str, str]:
    env = {**os.environ, "PREFECT_HOME": str(settings.prefect_dir)}
    quiet(env)
    return env


def fetched(url: str) -> Any:
    """Return the JSON or text at `url`; None when nothing healthy answers."""
    try:
        answer = httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return None
    if answer.status_code != 200:
        return None
    is_json = "json" in answer.headers.get("content-type", "")
    return answer.json() if is_json else answer.text
