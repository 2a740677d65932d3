"""Runs and registry on a real MLflow: complete, repeatable, quiet, free of pickles."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from models.common.bundle import read_bundle
from models.common.slot import KINDS, Slot
from orchestration.tracking import ForeignVersion, Tracking, TrackingDown, TrackingError
from orchestration.tracking.backend import prepare, registry_name
from orchestration.tracking.errors import UnknownVersion
from tests.models import tiny

ROOT = Path(__file__).parents[2]
NUMBERS = count()
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """Return tracking on a fresh SQLite backend, shared by the tests: each has its own slot."""
    folder = tmp_path_factory.mktemp("mlflow")
    return Tracking(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")


class Case:
    """One turn with one slot that no other test uses."""

    def __init__(self, tracking: Tracking, folder: Path) -> None:
        self.tracking, self.folder = tracking, folder
        self.slot = Slot(f"scope{next(NUMBERS)}", "direction", "1m")
        self.turn = tracking.turn_run(f"turn of {self.slot.scope}", {"seed": 0})
        self.picture = folder / "roc.png"
        self.picture.write_bytes(PIXEL)

    def bundle(self, version: str = "v1", **more: Any) -> Path:
        models, scope = self.folder / "models", self.slot.scope
        return tiny.bundle(models, version=version, scope=scope, novelty=1.0, **more)

    def run(self, version: str = "v1", metrics: dict[str, Any] | None = None) -> str:
        figures = {"skill": 0.5} if metrics is None else metrics
        return self.tracking.model_run(
            self.turn, version, {"lr": 0.03}, figures, [self.picture], self.bundle(version)
        )

    def register(self, version: str = "v1", **tags: Any) -> int:
        run_id = self.run(version)
        return self.tracking.register(self.slot, version, run_id, self.bundle(version), tags)


@pytest.fixture
def case(tracking: Tracking, tmp_path: Path) -> Case:
    return Case(tracking, tmp_path)


def test_a_turn_has_one_run(tracking: Tracking) -> None:
    first = tracking.turn_run("turn", {"seed": 1, "symbols": ["BTC-USDT"]}, {"simulated": True})
    again = tracking.turn_run("turn", {"seed": 2, "days": 14}, {"simulated": False})
    assert again == first
    run = tracking._client.get_run(first)
    assert run.data.params == {"seed": "1", "symbols": '["BTC-USDT"]', "days": "14"}
    assert run.data.tags["simulated"] == "false"
    assert run.info.run_name == "turn"
    tracking.finish_run(first)
    assert tracking.turn_run("turn", {}) == first
    assert tracking._client.get_run(first).info.status == "FINISHED"


def test_a_model_run_holds_figures_picture_card_and_bundle(case: Case) -> None:
    run_id = case.run(metrics={"skill": np.float32(0.5), "bound": np.nan, "ok": True, "name": "x"})
    client = case.tracking._client
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"skill": 0.5}
    assert run.data.params == {"lr": "0.03"}
    assert run.data.tags["mlflow.parentRunId"] == case.turn
    assert run.data.tags["mlflow.note.content"] == "# v1\n"
    assert run.info.run_name == "direction v1"
    assert [file.path for file in client.list_artifacts(run_id, "pictures")] == ["pictures/roc.png"]
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (str(model.status), model.model_type) == ("READY", "direction")
    assert {metric.key: metric.value for metric in model.metrics} == {"skill": 0.5}
    names = {file.path for file in client.list_logged_model_artifacts(output.model_id)}
    assert {"MLmodel", "model.onnx", "metadata.json", "README.md", "requirements.txt"} <= names
    assert not {name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))}


def test_the_same_version_name_in_two_slots_is_two_runs(case: Case, tmp_path: Path) -> None:
    other = Case(case.tracking, tmp_path)
    other.turn = case.turn
    assert case.run() != other.run()


@pytest.mark.parametrize(
    "step",
    [
        "log_batch",
        "create_logged_model",
        "log_model_artifacts",
        "log_outputs",
        "finalize_logged_model",
        "log_artifacts",
        "set_terminated",
    ],
)
def test_a_model_run_that_was_killed_is_completed(
    case: Case, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_args: object, **_kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(case.tracking._client, step, die)
        with pytest.raises(Killed):
            case.run()
    run_id = case.run()
    assert case.run() == run_id
    client = case.tracking._client
    assert len(client.search_runs(["1"], f"tags.`tidewheel.model` = '{case.slot}/v1'")) == 1
    models = client.search_logged_models(["1"], f"source_run_id = '{run_id}'")
    assert [str(model.status) for model in models] == ["READY"]
    run = client.get_run(run_id)
    assert len(run.outputs.model_outputs) == 1
    assert len(client.get_metric_history(run_id, "skill")) == 1
    assert run.info.status == "FINISHED"


def test_more_params_and_metrics_than_one_request_takes(case: Case) -> None:
    case.tracking.model_run(
        case.turn,
        "v1",
        {f"p{k}": "x" * (7000 if k == 0 else 1) for k in range(150)},
        {f"m{k}": k for k in range(1100)},
        [],
        case.bundle(),
    )
    (run,) = case.tracking._client.search_runs(["1"], f"tags.`tidewheel.model` = '{case.slot}/v1'")
    assert (len(run.data.params), len(run.data.metrics)) == (150, 1100)


def test_figures_texts_and_pictures_go_on_the_turn(case: Case) -> None:
    for _ in range(2):
        case.tracking.log_metrics(case.turn, {"seconds": 3.5, "note": None})
        case.tracking.log_text(case.turn, "# Leaderboard", "leaderboard.md")
        case.tracking.log_figure(case.turn, case.picture)
    client = case.tracking._client
    assert client.get_run(case.turn).data.metrics == {"seconds": 3.5}
    assert len(client.get_metric_history(case.turn, "seconds")) == 1
    assert {file.path for file in client.list_artifacts(case.turn)} == {
        "leaderboard.md",
        "pictures",
    }


def test_a_version_is_registered_once(case: Case) -> None:
    assert case.register(recipe="xgboost", lower=0.25) == 1
    assert case.register(lower=0.5) == 1
    assert case.register("v2") == 2
    newest, oldest = case.tracking.versions(case.slot)
    assert (newest.version, newest.number, newest.status) == ("v2", 2, "candidate")
    assert (oldest.tags["recipe"], oldest.tags["lower"]) == ("xgboost", "0.5")
    model = case.tracking._client.search_logged_models(["1"], f"source_run_id = '{oldest.run_id}'")[
        0
    ]
    assert registry_name(case.slot.key) in model.tags["mlflow.modelVersions"]


def test_a_version_that_was_deleted_in_the_registry_is_registered_anew(case: Case) -> None:
    assert case.register() == 1
    case.tracking.set_status(case.slot, "v1", "champion")
    case.tracking._client.delete_model_version(registry_name(case.slot.key), "1")
    with pytest.raises(UnknownVersion):
        case.tracking.set_status(case.slot, "v1", "archived")
    assert case.register() == 2
    case.tracking.set_status(case.slot, "v1", "archived")
    assert [(v.number, v.status) for v in case.tracking.versions(case.slot)] == [(2, "archived")]


def test_a_registration_that_was_killed_is_completed(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    for step in ("create_registered_model", "create_model_version", "set_logged_model_tags"):
        with monkeypatch.context() as patch:
            patch.setattr(case.tracking._client, step, die)
            with pytest.raises(KeyboardInterrupt):
                case.register()
    assert case.register() == 1
    assert len(case.tracking.versions(case.slot)) == 1


def test_a_version_can_be_registered_without_a_complete_run(case: Case) -> None:
    number = case.tracking.register(case.slot, "v1", case.turn, case.bundle())
    assert case.tracking.versions(case.slot)[0].number == number


def test_moving_the_alias_is_promotion(case: Case) -> None:
    tracking, slot = case.tracking, case.slot
    assert tracking.champion(slot) is None
    assert tracking.versions(slot) == []
    case.register("v1")
    case.register("v2")
    assert tracking.champion(slot) is None
    tracking.set_alias(slot, "champion", "v1")
    tracking.set_alias(slot.key, "challenger", "v2")
    assert (tracking.champion(slot), tracking.challenger(slot.key)) == ("v1", "v2")
    tracking.set_alias(slot, "champion", "v2")
    aliases = {entry.version: entry.aliases for entry in tracking.versions(slot)}
    assert aliases == {"v1": (), "v2": ("challenger", "champion")}
    for _ in range(2):
        tracking.set_alias(slot, "challenger", None)
    assert tracking.challenger(slot) is None
    with pytest.raises(UnknownVersion, match="'v9'"):
        tracking.set_alias(slot, "champion", "v9")


def test_a_status_is_a_tag_and_so_is_a_pin(case: Case) -> None:
    case.register()
    tracking = case.tracking
    tracking.set_status(case.slot, "v1", "archived")
    assert tracking.versions(case.slot)[0].status == "archived"
    assert not tracking.is_pinned(case.slot, "v1")
    # As a person does it in the UI.
    name = registry_name(case.slot.key)
    tracking._client.set_model_version_tag(name, "1", "pinned", "True")
    assert tracking.is_pinned(case.slot, "v1")
    assert tracking.versions(case.slot)[0].pinned
    assert not tracking.is_pinned(case.slot, "v9")
    with pytest.raises(UnknownVersion):
        tracking.set_status(case.slot, "v9", "archived")


def test_an_alias_on_a_foreign_version_is_refused_by_name(case: Case) -> None:
    case.register()
    client, name = case.tracking._client, registry_name(case.slot.key)
    source = client.get_model_version(name, "1").source
    client.create_model_version(name, source, run_id=case.turn)
    client.set_registered_model_alias(name, "champion", "2")
    with pytest.raises(ForeignVersion, match="version 2, which has no tag bundle_version"):
        case.tracking.champion(case.slot)
    assert [entry.number for entry in case.tracking.versions(case.slot)] == [1]


def test_a_bundle_comes_back_byte_for_byte(case: Case, tmp_path: Path) -> None:
    case.register()
    target = tmp_path / "fetched" / "v1"
    for _ in range(2):
        assert case.tracking.fetch_bundle(case.slot, "v1", target) == target
    assert read_bundle(target).key == f"{case.slot}/v1"
    original = {path.name: path.read_bytes() for path in case.bundle().iterdir()}
    assert {path.name: path.read_bytes() for path in target.iterdir()} == original
    with pytest.raises(UnknownVersion):
        case.tracking.fetch_bundle(case.slot, "v9", target)


def test_a_bundle_whose_artifacts_are_gone_leaves_the_folder_alone(
    case: Case, tmp_path: Path
) -> None:
    case.register()
    target = tmp_path / "fetched" / "v1"
    case.tracking.fetch_bundle(case.slot, "v1", target)
    name = registry_name(case.slot.key)
    source = Path(case.tracking._client.get_model_version(name, "1").source)
    for file in source.iterdir():
        file.unlink()
    source.rmdir()
    with pytest.raises(TrackingError, match=r"/1m, v1 cannot be fetched"):
        case.tracking.fetch_bundle(case.slot, "v1", target)
    assert read_bundle(target).version_id == "v1"


@pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_mlflow_itself_can_load_what_was_registered(case: Case) -> None:
    case.register()
    case.tracking.set_alias(case.slot, "champion", "v1")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(case.tracking.tracking_uri)
    try:
        model = mlflow.pyfunc.load_model(f"models:/{registry_name(case.slot.key)}@champion")
    finally:
        mlflow.set_tracking_uri(before)
    answer = model.predict({"features": tiny.ROWS})
    runner = read_bundle(case.bundle()).runner
    np.testing.assert_array_equal(answer["output"], runner.run(tiny.ROWS))
    np.testing.assert_array_equal(answer["novelty"][:, 0], runner.novelty(tiny.ROWS))
    assert model.metadata.signature.inputs.to_dict()[0]["tensor-spec"]["shape"] == (-1, 3)


def test_threads_share_one_tracking(tracking: Tracking, tmp_path: Path) -> None:
    scope = f"threads{next(NUMBERS)}"
    turn = tracking.turn_run(scope, {})

    def publish(kind: str) -> str | None:
        slot = Slot(scope, kind, "1m")
        bundle = tiny.bundle(tmp_path / "models", kind, scope=scope)
        run_id = tracking.model_run(turn, "v1", {"kind": kind}, {"skill": 0.1}, [], bundle)
        tracking.register(slot, "v1", run_id, bundle)
        tracking.set_alias(slot, "champion", "v1")
        return tracking.champion(slot)

    with ThreadPoolExecutor(len(KINDS)) as pool:
        assert list(pool.map(publish, KINDS)) == ["v1"] * len(KINDS)
    children = tracking._client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{turn}'")
    assert {run.data.params["kind"] for run in children} == set(KINDS)
    assert mlflow.active_run() is None


def test_a_relative_database_is_refused() -> None:
    with pytest.raises(TrackingError, match="relative"):
        Tracking("sqlite:///mlflow.db")


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingDown, match=r"127\.0\.0\.1"):
        Tracking("http://127.0.0.1:9")


def test_a_deleted_experiment_says_how_to_go_on(tracking: Tracking) -> None:
    _, doomed = prepare(tracking.tracking_uri, None, "doomed")
    tracking._client.delete_experiment(doomed)
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        Tracking(tracking.tracking_uri, experiment="doomed")


OPEN_TOGETHER = """
    import sys
    from orchestration.tracking import Tracking
    folder, number = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    tracking = Tracking(f"sqlite:///{folder}/mlflow.db", f"{folder}/artifacts")
    run = tracking.turn_run("turn" + number, {})
    tracking.finish_run(run)
    import os, mlflow.telemetry.client as telemetry
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert telemetry.get_telemetry_client() is None
"""


def test_fresh_processes_may_open_it_at_once_and_say_nothing(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(OPEN_TOGETHER), str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate() for child in children] == [("", ""), ("", "")]
    runs = Tracking(f"sqlite:///{tmp_path}/mlflow.db")._client.search_runs(["1"])
    assert {run.info.run_name for run in runs} == {"turn0", "turn1"}
    assert not (ROOT / "mlruns").exists()
