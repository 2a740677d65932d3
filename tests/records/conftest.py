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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Return the URL of a database on a real server that ends with the session."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no Postgres server is installed (initdb and pg_ctl were not found)")
    folder = Path(tempfile.mkdtemp(prefix="tidewheel-postgres-"))
    who = unprivileged()
    if who:
        os.chown(folder, who["user"], who["group"])
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    port, data = free_port(), str(folder / "data")

    def call(*command: str) -> None:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, **who,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    control = str(binaries / "pg_ctl")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    try:
        call(str(binaries / "initdb"), "-D", data, "-U", "tide", "-A", "trust", "--no-sync")
        call(control, "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
        yield f"postgresql://tide@127.0.0.1:{port}/postgres"
        call(control, "-D", data, "-W", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
