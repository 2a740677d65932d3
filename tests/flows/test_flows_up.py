"""`tidewheel up` for real: servers, schedule, worker, and an end that leaves nothing behind.

Some versions of fastapi and SQLAlchemy break Prefect without a word: its server does not start, or
no scheduled run is ever created. These tests are where that is noticed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.servers import prefect_kind
from orchestration.settings import Settings
from tests.flows.processes import ROOT, descendants, environment, run, runs, tidewheel, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@dataclass
class Desk:
    """A running `tidewheel up`."""

    process: subprocess.Popen[bytes]
    env: dict[str, str]
    folder: Path
    log: Path

    @property
    def home(self) -> Path:
        return self.folder / "desk"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.env['TIDEWHEEL_PREFECT_PORT']}"

    def said(self, text: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return text in self.log.read_text()

    def post(self, path: str, **query: Any) -> Any:
        answer = httpx.post(f"{self.url}/api/{path}", json=query, timeout=30, trust_env=False)
        return answer.raise_for_status().json()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Start it once for all tests, with a home given relative to the current folder."""
    folder = tmp_path_factory.mktemp("up")
    env = environment("elsewhere")
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            tidewheel("up", "--home", "desk"), env=env, cwd=folder, stdout=output, stderr=output
        )
    started = Desk(process, env, folder, log)
    try:
        wait_for(lambda: started.said("Ctrl-C ends all of it"), 180, "up")
        yield started
    finally:
        process.kill()
        process.wait()


def deployment(desk: Desk, name: str) -> dict[str, Any]:
    answer = httpx.get(f"{desk.url}/api/deployments/name/{name}", timeout=30, trust_env=False)
    return dict(answer.raise_for_status().json())


def test_both_interfaces_answer_where_it_says(desk: Desk) -> None:
    said = desk.log.read_text()
    for port in (desk.env["TIDEWHEEL_PREFECT_PORT"], desk.env["TIDEWHEEL_MLFLOW_PORT"]):
        url = f"http://127.0.0.1:{port}"
        assert url in said
        page = httpx.get(url, timeout=30, trust_env=False, follow_redirects=True)
        assert page.status_code == 200
        assert "<html" in page.text
    assert "/#/experiments/1/runs?workflowType=machine_learning" in said, "not its GenAI pages"


def scheduled(desk: Desk, flow: str) -> list[datetime]:
    """Return the moments for which runs of a flow are scheduled."""
    found = desk.post(
        "flow_runs/filter",
        flows={"name": {"any_": [flow]}},
        flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}},
        sort="EXPECTED_START_TIME_ASC",
    )
    return [datetime.fromisoformat(run["expected_start_time"]) for run in found]


def test_scheduled_runs_exist(desk: Desk) -> None:
    wait_for(lambda: len(scheduled(desk, "cycle")) >= 3, 30, "scheduled turns")
    moments = scheduled(desk, "cycle")
    assert {moment.utctimetuple()[3:6] for moment in moments} == {(0, 0, 0), (12, 0, 0)}
    assert moments[1] - moments[0] == timedelta(hours=12)
    wait_for(lambda: len(scheduled(desk, "predict")) >= 3, 30, "scheduled predictions")
    moments = scheduled(desk, "predict")
    assert {moment.minute % 15 for moment in moments} == {2}, "not at the hour, when a turn begins"
    assert moments[1] - moments[0] == timedelta(minutes=15)
    predict = deployment(desk, "predict/every-15m")
    assert predict["global_concurrency_limit"]["limit"] == 1
    assert predict["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"


def test_one_turn_at_a_time_and_no_run_is_lost(desk: Desk) -> None:
    cycle = deployment(desk, "cycle/every-12h")
    assert cycle["global_concurrency_limit"]["limit"] == 1
    assert cycle["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert cycle["schedules"][0]["schedule"] == {
        "cron": "0 */12 * * *",
        "timezone": "UTC",
        "day_or": True,
    }


def test_predictions_between_turns_are_explained_too(desk: Desk) -> None:
    found = deployment(desk, "predict/every-15m")
    fields = found["parameter_openapi_schema"]["properties"]
    assert set(fields) == {"symbols", "kinds", "timeframe", "source", "now"}
    assert all(field["description"] for field in fields.values())


@pytest.mark.parametrize("name", ["cycle/every-12h", "retrain/ad-hoc", "replay/history"])
def test_parameters_are_typed_and_explained(desk: Desk, name: str) -> None:
    found = deployment(desk, name)
    fields = found["parameter_openapi_schema"]["properties"]
    assert "direction" in json.dumps(fields["kinds"])
    assert fields["days"]["anyOf"][0] == {"minimum": 1, "type": "number"}
    assert fields["symbols"]["anyOf"][0] == {"items": {"type": "string"}, "type": "array"}
    assert all(field["description"] for field in fields.values())
    assert found["enforce_parameter_schema"]
    assert found["job_variables"]["env"]["OMP_NUM_THREADS"] == "1"


def test_others_recognise_its_server_by_the_home(desk: Desk, tmp_path: Path) -> None:
    assert prefect_kind(Settings(home=desk.home)).answers(desk.url)
    assert not prefect_kind(Settings(home=tmp_path)).answers(desk.url)


def test_a_second_one_for_the_same_home_is_refused(desk: Desk) -> None:
    second = run("up", "--home", str(desk.home), env=desk.env, cwd=desk.folder)
    assert second.returncode == 1
    assert "serves" in second.stderr
    assert "already" in second.stderr


def test_a_killed_worker_is_started_again(desk: Desk) -> None:
    before = descendants(desk.process.pid)
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in before}
    worker = next(pid for pid, command in commands.items() if "worker\0start" in command)
    subprocess.run(["kill", "-9", str(worker)], check=True)
    wait_for(lambda: desk.said("the worker ended; it is started again"), 20, "a new worker")
    assert not runs(worker)
    assert desk.process.poll() is None


def test_a_killed_prefect_server_is_started_again(desk: Desk) -> None:
    state = json.loads((desk.home / "prefect" / "server.json").read_text())
    subprocess.run(["kill", "-9", str(state["pid"])], check=True)
    wait_for(lambda: desk.said("the Prefect server ended"), 20, "its end noticed")
    kind = prefect_kind(Settings(home=desk.home))
    wait_for(lambda: kind.answers(desk.url), 120, "the server back at its address")
    assert deployment(desk, "cycle/every-12h")["status"] in ("READY", "NOT_READY")


@pytest.mark.slow
def test_a_run_by_hand_finds_code_home_and_threads(desk: Desk) -> None:
    """In the repository's folder the deployment is run by its name, as the documents say."""
    env = {**desk.env, "PREFECT_API_URL": f"{desk.url}/api"}
    asked = [
        "deployment", "run", "cycle/every-12h",
        "-p", 'symbols=["BTC-USDT"]', "-p", 'kinds=["risk"]', "-p", "days=4", "--watch",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *asked],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((desk.home / "models" / "BTC-USDT" / "risk").glob("latest*"))


def test_ctrl_c_ends_all_of_it(desk: Desk) -> None:
    """The last test of this file: it uses the desk up."""
    wait_for(lambda: len(descendants(desk.process.pid)) >= 4, 20, "two servers, a child, a worker")
    children = descendants(desk.process.pid)
    desk.process.send_signal(signal.SIGINT)
    assert desk.process.wait(60) == 0, desk.log.read_text()
    assert not [pid for pid in children if runs(pid)]
    assert not (desk.home / "prefect" / "server.json").exists()
    assert not (desk.folder / "elsewhere").exists(), "--home comes before TIDEWHEEL_HOME"
