"""A turn through Prefect: what it records, how it names its end, and who may mark a run dead."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from filelock import FileLock

from flows.recovery import mark_dead_runs
from flows.servers import Server, prefect_server
from market.source import open_source
from market.timeframes import utc
from orchestration.settings import Settings
from tests.flows.processes import environment, processes_of, run

T_MS = 1_748_390_400_000  # 2025-05-28T00:00:00Z
DAY_MS = 86_400_000


@dataclass
class House:
    """A home with a running Prefect server, and files of one symbol as its market."""

    env: dict[str, str]
    folder: Path
    server: Server

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def post(self, path: str, **query: Any) -> Any:
        url = f"{self.server.url}/api/{path}"
        return httpx.post(url, json=query, timeout=30, trust_env=False).raise_for_status().json()

    def runs(self, what: str, flow_run: str) -> list[dict[str, Any]]:
        return list(self.post(f"{what}/filter", flow_runs={"id": {"any_": [flow_run]}}))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("turn")
    env = environment(folder / "home")
    candles = open_source("simulated:seed=3").fetch(
        "BTC-USDT", "1m", utc(T_MS - 8 * DAY_MS), utc(T_MS + DAY_MS // 24)
    )
    (folder / "market").mkdir()
    candles.to_parquet(folder / "market" / "BTC-USDT_1m.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_API_URL", raising=False)
        port = int(env["TIDEWHEEL_PREFECT_PORT"])
        server = prefect_server(Settings(home=folder / "home", prefect_port=port))
    try:
        yield House(env, folder, server.wait())
    finally:
        server.stop()


@pytest.fixture(scope="module")
def turn(house: House) -> subprocess.CompletedProcess[str]:
    """Run one turn in which one symbol does not exist and one kind has too little history."""
    return cycle(house, "--json")


def cycle(house: House, *more: str, symbols: str = "BTC-USDT,DOGE-USDT") -> Any:
    asked = {
        "--source": f"files:{house.folder / 'market'}",
        "--symbols": symbols,
        "--kinds": "direction,volatility",
        "--days": "3",
        "--now": "2025-05-28T00:00:00Z",
    }
    words = [word for pair in asked.items() for word in pair]
    return run("cycle", *words, *more, env=house.env, cwd=house.folder)


def test_one_failure_is_one_failure(turn: subprocess.CompletedProcess[str]) -> None:
    assert turn.returncode == 3, turn.stderr
    summary = json.loads(turn.stdout)
    failed = {(failure["stage"], failure["subject"]) for failure in summary["failures"]}
    assert failed == {("fetch", "DOGE-USDT"), ("fit", "volatility")}
    assert "fetch DOGE-USDT failed" in turn.stderr
    champions = {slot["kind"]: slot["champion"] for slot in summary["slots"]}
    assert champions["direction"] is not None
    assert champions["volatility"] is None
    assert summary["changed"]
    assert not summary["simulated"]


def test_the_run_is_recorded_whole(house: House, turn: subprocess.CompletedProcess[str]) -> None:
    summary = json.loads(turn.stdout)
    flow_run = house.runs("flow_runs", summary["prefect_run"])[0]
    assert flow_run["state"]["name"] == "Completed with failures"
    assert "volatility" in flow_run["state"]["message"]
    states = {task["name"]: task["state_type"] for task in house.runs("task_runs", flow_run["id"])}
    failed = {name for name, state in states.items() if state == "FAILED"}
    assert failed == {"fetch DOGE-USDT", "fit volatility"}
    assert {state for name, state in states.items() if name not in failed} == {"COMPLETED"}
    assert {"dataset", "serve direction", "drift volatility", "ensembles"} < set(states)
    assert "judge volatility" not in states


def test_edges_of_the_graph_are_those_of_the_data(
    house: House, turn: subprocess.CompletedProcess[str]
) -> None:
    flow_run = json.loads(turn.stdout)["prefect_run"]
    url = f"{house.server.url}/api/flow_runs/{flow_run}/graph-v2"
    nodes = dict(httpx.get(url, timeout=30, trust_env=False).json()["nodes"])
    parents = {
        node["label"]: {nodes[parent["id"]]["label"] for parent in node["parents"]}
        for node in nodes.values()
    }
    assert parents["dataset"] == {"fetch BTC-USDT"}
    assert parents["fit direction"] == {"dataset"}
    assert parents["judge direction"] == {"fit direction", "drift direction"}
    assert parents["decide direction"] == {"publish direction"}


def test_artifacts_tell_the_turn(house: House, turn: subprocess.CompletedProcess[str]) -> None:
    summary = json.loads(turn.stdout)
    found = {
        artifact["key"]: artifact for artifact in house.runs("artifacts", summary["prefect_run"])
    }
    assert {"progress", "leaderboard", "drift", "turn"} <= set(found)
    assert found["progress"]["data"] == 100
    board = {row["kind"]: row for row in json.loads(found["leaderboard"]["data"])}
    champions = {row["kind"]: row["champion"] for row in summary["leaderboard"]}
    assert board["direction"]["champion"] == champions["direction"]
    assert "DOGE-USDT" in found["turn"]["data"]
    assert f"/runs/{summary['mlflow_run']}" in found["turn"]["data"]
    assert "workflowType=machine_learning" in found["turn"]["data"]


def test_pictures_are_embedded(house: House, turn: subprocess.CompletedProcess[str]) -> None:
    summary = json.loads(turn.stdout)
    found = {
        artifact["key"]: artifact for artifact in house.runs("artifacts", summary["prefect_run"])
    }
    drawn = [slot["kind"] for slot in summary["slots"] if slot["pictures"]]
    assert drawn == ["direction"]
    assert "](data:image/png;base64,iVBOR" in found["pictures-direction"]["data"]


def test_the_same_again_changes_nothing_and_says_so(
    house: House, turn: subprocess.CompletedProcess[str]
) -> None:
    again = cycle(house, "--json")
    summary = json.loads(again.stdout)
    assert summary["changed"] is False
    assert "nothing changed" in summary["sentence"]
    first = json.loads(turn.stdout)
    assert summary["leaderboard"] == first["leaderboard"]
    flow_run = house.runs("flow_runs", summary["prefect_run"])[0]
    assert flow_run["state"]["name"] == "Nothing to do"


def test_a_turn_without_any_candles_fails_and_says_why(house: House) -> None:
    failed = cycle(house, symbols="DOGE-USDT")
    assert failed.returncode == 1
    assert "no symbol could be fetched" in failed.stderr
    assert failed.stdout == ""


def test_a_second_turn_is_refused_while_one_runs(house: House) -> None:
    (house.home / "work").mkdir(parents=True, exist_ok=True)
    with FileLock(house.home / "work" / "turn.lock"):
        refused = cycle(house)
    assert refused.returncode == 1
    assert "another turn is running" in refused.stderr


PREDICT = """
import sys
from flows.predict import predict
state = predict(
    symbols=["BTC-USDT", "DOGE-USDT"], kinds=["direction"], source=sys.argv[1],
    now="2025-05-28T01:00:00Z", return_state=True,
)
print(state.state_details.flow_run_id, state.name, state.message, sep="|")
"""


def test_between_turns_what_is_in_service_predicts(
    house: House, turn: subprocess.CompletedProcess[str]
) -> None:
    assert turn.returncode == 3

    def predict() -> list[str]:
        env = {**house.env, "PREFECT_API_URL": f"{house.server.url}/api"}
        env["PREFECT_HOME"] = str(house.home / "prefect")
        done = subprocess.run(
            [sys.executable, "-c", PREDICT, f"files:{house.folder / 'market'}"],
            env=env, cwd=house.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1].split("|")

    with FileLock(house.home / "work" / "turn.lock"):
        _, name, message = predict()
    assert name == "Nothing to do"
    assert "another turn is running" in message
    flow_run, name, message, *_ = predict()
    assert name == "Completed with failures"
    assert "fetch DOGE-USDT" in message
    table = next(a for a in house.runs("artifacts", flow_run) if a["key"] == "predictions")
    (row,) = json.loads(table["data"])
    assert row["predictions"] == 60 * row["versions"] > 0
    assert "files" in table["description"]
    assert predict()[1] == "Completed with failures"  # the symbol is still not there


def running_flow(house: House) -> str:
    """Make a flow run that Prefect believes to be running, with a task run in it."""
    flow = house.post("flows/", name="cycle")["id"]
    state = {"type": "RUNNING", "name": "Running"}
    made = str(house.post("flow_runs/", flow_id=flow, name=f"run-{uuid4()}", state=state)["id"])
    house.post("task_runs/", flow_run_id=made, task_key="fit", dynamic_key="0", state=state)
    return made


def lock_of(house: House, flow_run: str) -> FileLock:
    path = house.home / "prefect" / "runs" / f"{flow_run}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def state_of(house: House, flow_run: str) -> str:
    return str(house.runs("flow_runs", flow_run)[0]["state_type"])


def test_a_run_whose_process_is_gone_is_marked_crashed(house: House) -> None:
    dead, living, unknown = (running_flow(house) for _ in range(3))
    with lock_of(house, dead):
        pass
    with lock_of(house, living):
        mark_dead_runs(house.server.url, house.home / "prefect", fresh=False)
        assert state_of(house, dead) == "CRASHED"
        assert house.runs("task_runs", dead)[0]["state_type"] == "CRASHED"
        assert state_of(house, living) == "RUNNING"
        assert state_of(house, unknown) == "RUNNING", "it may be about to take its lock"
        mark_dead_runs(house.server.url, house.home / "prefect", fresh=True)
        assert state_of(house, unknown) == "CRASHED", "nothing can run before its server does"
        assert state_of(house, living) == "RUNNING"


def test_nothing_of_it_is_left_running(
    house: House, turn: subprocess.CompletedProcess[str]
) -> None:
    assert turn.returncode == 3
    assert not processes_of(house.home)
