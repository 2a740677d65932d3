"""A replay through Prefect: its end, its artifacts, the same files as from the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flows.servers import Server, prefect_server
from orchestration.settings import Settings
from tests.flows.processes import environment

PROGRAM = """
from datetime import UTC, datetime
from flows.replay import replay
if __name__ == "__main__":
    state = replay(
        datetime(2025, 5, 20, tzinfo=UTC), datetime(2025, 5, 21, tzinfo=UTC), kinds=["direction"],
        timeframe="5m", days=8, symbols=["BTC-USDT"], source="simulated:seed=7", workers=1,
        name="mine", return_state=True,
    )
    print(state.type.value, state.message)
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    env = environment(tmp_path / "home")
    port = int(env["TIDEWHEEL_PREFECT_PORT"])
    served = prefect_server(Settings(home=tmp_path / "home", prefect_port=port))
    try:
        yield served.wait()
    finally:
        served.stop()


def test_a_replay_is_a_flow_run_with_progress_table_and_picture(
    server: Server, tmp_path: Path
) -> None:
    env = environment(tmp_path / "home") | {"PREFECT_API_URL": f"{server.url}/api"}
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env=env | {"PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "COMPLETED mine · **SIMULATED market** · BTC-USDT · 2 turns" in done.stdout
    folder = tmp_path / "home" / "replays" / "mine"
    assert {"decisions.json", "result.json", "skill.png"} <= {p.name for p in folder.iterdir()}

    answer = httpx.post(
        f"{server.url}/api/artifacts/latest/filter", json={}, timeout=30, trust_env=False
    )
    made = {artifact["key"]: artifact for artifact in answer.raise_for_status().json()}
    assert made["replay"]["data"] == 100.0
    assert "SIMULATED" in made["replay-skill"]["description"]
    assert "data:image/png;base64," in made["replay-picture"]["data"]
