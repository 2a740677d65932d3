"""The same through a real MLflow server on loopback, as `tidewheel up` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from models.common.bundle import read_bundle
from models.common.slot import Slot
from orchestration.store import Store
from orchestration.tracking import (
    Tracking,
    experiment_link,
    mlflow_server_command,
    mlflow_server_environment,
    model_link,
    run_link,
)
from tests.models import tiny
from tests.records.conftest import free_port

SLOT = Slot("majors", "direction", "1m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """Return the address of a server that ends with the module."""
    uri = f"sqlite:///{folder}/mlflow.db"
    Tracking(uri, folder / "artifacts")
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            mlflow_server_command(folder / "artifacts", port=port),
            env={**os.environ, **mlflow_server_environment(uri)},
            cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/health", process)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from {address}")


def get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def test_a_turn_through_http_is_seen_in_the_database_and_back(
    server: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    remote = Tracking(server)
    turn = remote.turn_run("turn", {"seed": 0})
    bundle = tiny.bundle(tmp_path / "models")
    picture = tmp_path / "roc.png"
    picture.write_bytes(b"png")
    run_id = remote.model_run(turn, "v1", {"lr": 0.1}, {"skill": 0.5}, [picture], bundle)
    assert remote.register(SLOT, "v1", run_id, bundle, {"recipe": "tiny"}) == 1
    assert remote.register(SLOT, "v1", run_id, bundle) == 1
    remote.set_alias(SLOT, "champion", "v1")
    remote.set_alias(SLOT, "challenger", None)
    remote.finish_run(turn)
    assert (remote.champion(SLOT), remote.challenger(SLOT)) == ("v1", None)
    assert remote.champion("majors/risk/1m") is None
    (version,) = remote.versions(SLOT)
    assert (version.number, version.aliases, version.run_id) == (1, ("champion",), run_id)
    fetched = remote.fetch_bundle(SLOT, "v1", tmp_path / "fetched" / "v1")
    assert read_bundle(fetched).key == f"{SLOT}/v1"
    assert capfd.readouterr().out == "", "standard output belongs to the caller"

    direct = Tracking(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")
    assert direct.champion(SLOT) == "v1"
    assert direct.turn_run("turn", {}) == turn
    direct.set_alias(SLOT, "champion", None)
    assert remote.champion(SLOT) is None

    # What the UI asks for when it shows the run, its picture and its model.
    api = f"{server}/ajax-api/2.0/mlflow"
    assert get(f"{server}/get-artifact?path=pictures/roc.png&run_uuid={run_id}") == b"png"
    run = json.loads(get(f"{api}/runs/get?run_id={run_id}"))["run"]
    model_id = run["outputs"]["model_outputs"][0]["model_id"]
    listed = json.loads(get(f"{api}/logged-models/{model_id}/artifacts/directories"))
    assert {"MLmodel", "model.onnx", "README.md"} <= {file["path"] for file in listed["files"]}


def test_a_stranger_on_the_network_is_refused(server: str) -> None:
    request = urllib.request.Request(server, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403


def test_the_password_is_not_on_the_command_line() -> None:
    uri = "postgresql://tide:secret@db/mlflow"
    assert "secret" not in " ".join(mlflow_server_command("/tmp/artifacts"))
    served = mlflow_server_environment(uri)["MLFLOW_BACKEND_STORE_URI"]
    assert served == "postgresql+psycopg://tide:secret@db/mlflow"


def test_store_and_mlflow_share_one_postgres(postgres: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE shared")
    shared = postgres.replace("/postgres", "/shared")
    store = Store(shared)
    store.begin_turn("t1", {})
    tracking = Tracking(shared, tmp_path / "artifacts")
    assert tracking.turn_run("t1", {}) == tracking.turn_run("t1", {})
    again = Store(shared)
    assert again.get_turn("t1").status == "running"
    store.close()
    again.close()


def test_links_open_the_page_for_model_training() -> None:
    base = "http://127.0.0.1:5000/"
    end = "?workflowType=machine_learning"
    assert run_link(base, "1", "ab") == f"http://127.0.0.1:5000/#/experiments/1/runs/ab{end}"
    assert experiment_link(base, "1") == f"http://127.0.0.1:5000/#/experiments/1/runs{end}"
    assert model_link(base, "majors/risk/1m") == (
        f"http://127.0.0.1:5000/#/models/majors.risk.1m{end}"
    )
