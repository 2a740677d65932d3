"""Databases for the store's tests: SQLite always, Postgres where its server is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.store import Store


def postgres_binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl, the newest that is installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


def unprivileged() -> dict[str, Any]:
    """Return what subprocess needs to run as someone else: Postgres refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A real Postgres server in a folder of its own, which a test may stop and start again."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder, self._who = binaries, folder, unprivileged()
        if self._who:
            os.chown(folder, self._who["user"], self._who["group"])
        self._data, port = str(folder / "data"), free_port()
        self._options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
        self.url = f"postgresql://tide@127.0.0.1:{port}/postgres"
        self._call("initdb", "-D", self._data, "-U", "tide", "-A", "trust", "--no-sync")
        self.start()

    def start(self) -> None:
        log = str(self._folder / "log")
        self._call("pg_ctl", "-D", self._data, "-w", "-o", self._options, "-l", log, "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments], cwd=self._folder,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, **self._who,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Return a server that ends with the session; who stops it starts it again."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no Postgres server is installed (initdb and pg_ctl were not found)")
    folder = Path(tempfile.mkdtemp(prefix="tidewheel-postgres-"))
    try:
        server = Server(binaries, folder)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_server: Server) -> str:
    """Return the URL of a database on it."""
    return postgres_server.url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database that is not there yet, or is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records' / 'tidewheel.db'}"
    server: str = request.getfixturevalue("postgres")
    # Emptied, not made anew: a fresh database for each test takes most of their time.
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Return a store on an empty database."""
    opened = Store(database_url)
    yield opened
    opened.close()
