"""A home that a real turn has been through, and real servers on free ports over copies of it."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestration.service import resources
from orchestration.service.turn import run_turn
from orchestration.settings import Settings, load_settings
from serving.api.server import server
from tests.doors.desk import MARKET, NOW

Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after a turn on a small simulated market; nobody writes into it."""
    home = tmp_path_factory.mktemp("turned") / "home"
    for now in NOW:
        assert run_turn(load_settings(home=home, **MARKET), now)["failures"] == []
    return home


@pytest.fixture(autouse=True)
def forget_resources() -> Iterator[None]:
    """Homes come and go: none may be remembered from another test."""
    resources.forget()
    yield
    resources.forget()


@pytest.fixture
def settings(turned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a copy of the turned home."""
    home = tmp_path / "home"
    shutil.copytree(turned, home, symlinks=True)
    monkeypatch.delenv("TIDEWHEEL_CONFIG", raising=False)
    return load_settings(home=home, **MARKET, api={"rate": 1000, "burst": 1000})


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return what starts a server over settings, and returns a client of it."""
    running: list[tuple[Any, threading.Thread, httpx.Client]] = []

    def start(settings: Settings, **client: Any) -> httpx.Client:
        made = server(settings, "127.0.0.1", 0)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=made.run, kwargs={"sockets": [listening]})
        thread.start()
        while not made.started:
            assert thread.is_alive()
            time.sleep(0.01)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        running.append((made, thread, httpx.Client(base_url=url, timeout=120, **client)))
        return running[-1][2]

    yield start
    for made, thread, client in running:
        client.close()
        made.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def client(settings: Settings, serve: Serve) -> httpx.Client:
    """Return a client of a server over the turned home."""
    return serve(settings)
