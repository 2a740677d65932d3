"""Servers and children: one owner, reuse, leftovers, and an end with the parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from flows import children
from flows.environment import quiet, use_home
from flows.errors import ServerError
from flows.recovery import alive
from flows.servers import ServerKind, ensure, prefect_server, read_state
from orchestration.settings import Settings
from tests.flows.processes import wait_for

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def web_server(folder: Path, port: int) -> ServerKind:
    """Return a small real server: Python's own."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "http.server", str(port), "--bind", HOST]

    return ServerKind("web", folder, HOST, port, command, lambda _: os.environ, answers)


@pytest.fixture
def kind(tmp_path: Path) -> ServerKind:
    return web_server(tmp_path / "web", children.free_port(HOST, 0))


def test_a_server_is_started_once_and_reused_by_others(kind: ServerKind) -> None:
    first = ensure(kind).wait()
    try:
        second = ensure(kind)
        assert first.owned
        assert not second.owned
        assert second.url == first.url
        assert second.alive
        second.stop()
        assert answers(first.url), "whoever reuses a server must not end it"
    finally:
        first.stop()
    assert not answers(first.url)
    assert read_state(kind) == {}


def test_after_its_end_it_can_be_started_again(kind: ServerKind) -> None:
    ensure(kind).wait().stop()
    again = ensure(kind).wait()
    assert again.owned
    again.stop()


def test_a_busy_port_is_avoided(kind: ServerKind, tmp_path: Path) -> None:
    first = ensure(kind).wait()
    other = ensure(web_server(tmp_path / "other", kind.port)).wait()
    try:
        assert other.url != first.url
        assert answers(other.url)
    finally:
        other.stop()
        first.stop()


def test_a_port_lost_while_the_server_starts_is_replaced(
    kind: ServerKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two homes that start at once both see the usual port free; one of them loses it."""
    other = ensure(web_server(tmp_path / "other", kind.port)).wait()
    with monkeypatch.context() as patch:
        patch.setattr(children, "free_port", lambda host, port: port)
        server = ensure(kind)
    assert server.url == other.url
    try:
        wait_for(lambda: not server.alive, 5, "the end of the server without a port")
        assert server.wait().url != other.url
        assert server.alive
        assert read_state(kind)["url"] == server.url
    finally:
        server.stop()
        other.stop()


def test_a_leftover_of_a_killed_owner_is_ended_first(kind: ServerKind) -> None:
    """Where children outlive a killed parent, the next start must not share their database."""
    kind.folder.mkdir(parents=True)
    left = subprocess.Popen(
        kind.command(kind.port),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{HOST}:{kind.port}"
    while not answers(url):
        time.sleep(0.05)
    (kind.folder / "server.json").write_text(json.dumps({"pid": left.pid, "url": url}))
    server = ensure(kind).wait()
    try:
        assert left.wait(5) == -signal.SIGTERM
        assert server.owned
    finally:
        server.stop()


def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    broken = ServerKind(
        "web",
        tmp_path,
        HOST,
        children.free_port(HOST, 0),
        lambda _: [sys.executable, "-c", "raise SystemExit('the database is read-only')"],
        lambda _: os.environ,
        answers,
    )
    server = ensure(broken)
    with pytest.raises(ServerError, match="the database is read-only"):
        server.wait()
    server.stop()


def test_a_prefect_server_named_outside_must_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://{HOST}:{children.free_port(HOST, 0)}/api")
    with pytest.raises(ServerError, match=r"PREFECT_API_URL names .* nothing answers"):
        prefect_server(Settings(home=tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start cleans up")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from flows.children import spawn\n"
        "child = spawn('nap', ['sleep', '60'], os.environ, Path('nap.log'))\n"
        "print(child.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_text():
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)


def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = children.spawn("deaf", [sys.executable, "-c", deaf], os.environ, tmp_path / "log")
    time.sleep(0.3)
    child.stop(grace=0.2)
    assert child.process.returncode == -signal.SIGKILL


def test_what_the_user_has_set_is_left_alone() -> None:
    environ = {"OMP_NUM_THREADS": "4", "PREFECT_SERVER_ANALYTICS_ENABLED": "true"}
    quiet(environ)
    assert environ["OMP_NUM_THREADS"] == "4"
    assert environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "true"
    assert environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_home_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ: dict[str, str] = {}
    use_home(Path("here"), environ)
    assert environ["TIDEWHEEL_HOME"] == str(tmp_path / "here")
    assert environ["PREFECT_HOME"] == str(tmp_path / "here" / "prefect")


def test_somebody_elses_server_at_the_address_of_a_leftover_is_left_alone(
    kind: ServerKind, tmp_path: Path
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    dead.wait()
    other = ensure(web_server(tmp_path / "other", kind.port)).wait()
    kind.folder.mkdir(parents=True)
    state = {"pid": dead.pid, "url": other.url}
    (kind.folder / "server.json").write_text(json.dumps(state))
    server = ensure(kind).wait()
    try:
        assert other.alive
        assert server.url != other.url
    finally:
        server.stop()
        other.stop()


def test_a_run_that_fails_leaves_no_lock_that_says_it_was_killed(tmp_path: Path) -> None:
    def fail() -> None:
        with alive(tmp_path, "run"):
            assert list((tmp_path / "runs").iterdir())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "runs").iterdir()) == []
