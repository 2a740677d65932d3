"""A Postgres server for the time of a benchmark, with fsync on: a commit is on the disk."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.children import free_port


@contextmanager
def postgres(url: str | None) -> Iterator[str | None]:
    """Give the URL of a server: the one named, or one of our own; None where none is installed."""
    if url is not None:
        yield url
        return
    places = [p / "initdb" for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    initdb = next((p for p in places if p.exists()), shutil.which("initdb"))
    if initdb is None:
        yield None
        return
    binaries = Path(initdb).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="tidewheel-bench-"))
    who = {}
    if os.geteuid() == 0:  # it refuses to be root
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    port, data = free_port("127.0.0.1", 5433), str(folder / "data")

    def call(*command: str) -> None:
        subprocess.run(
            command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}, **who,
        )  # fmt: skip

    control = str(binaries / "pg_ctl")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    call(str(binaries / "initdb"), "-D", data, "-U", "tide", "-A", "trust")
    call(control, "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://tide@127.0.0.1:{port}/postgres"
    finally:
        call(control, "-D", data, "-W", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
