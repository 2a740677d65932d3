"""The retrain flow without parameters: what is flagged, or nothing to do; and its drift table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flows.artifacts import drift_table
from flows.servers import prefect_server
from orchestration.settings import Settings
from tests.flows.processes import environment

PROGRAM = """
from flows.retrain import retrain
from orchestration.service.drifting import raise_flag
from orchestration.settings import load_settings
if __name__ == "__main__":
    idle = retrain(return_state=True)
    print(idle.name, "|", idle.message)
    raise_flag(load_settings(), "BTC-USDT/direction/1m", "doubts")
    state = retrain(return_state=True)
    (slot,) = state.result()["slots"]
    print(state.name, "|", slot["kind"], "|", [row["recipe"] for row in slot["retrained"]])
"""


def test_what_is_flagged_is_retrained_and_else_there_is_nothing_to_do(tmp_path: Path) -> None:
    env = environment(tmp_path / "home") | {
        "TIDEWHEEL_SYMBOLS": "BTC-USDT",
        "TIDEWHEEL_DAYS": "3",
        "TIDEWHEEL_RECIPES": "logistic",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    (tmp_path / "program.py").write_text(PROGRAM)
    port = int(env["TIDEWHEEL_PREFECT_PORT"])
    server = prefect_server(Settings(home=tmp_path / "home", prefect_port=port))
    try:
        done = subprocess.run(
            [sys.executable, str(tmp_path / "program.py")],
            env=env | {"PREFECT_API_URL": f"{server.wait().url}/api"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    first, second = (line for line in done.stdout.splitlines() if " | " in line)
    assert first == "Nothing to do | nothing is flagged for retraining"
    assert second == "Completed | direction | ['logistic']"


def test_the_drift_table_shows_slots_pools_and_what_moved() -> None:
    slot = {
        "kind": "direction", "champion": "v1", "status": "WARN", "days": 8.25,
        "sentence": "little skill", "shifted": [{"feature": "rsi_14", "psi": 0.312, "ks": 0.2}],
    }  # fmt: skip
    pool = {**slot, "kind": "all pooled", "champion": None, "slots": ["a", "b"], "shifted": []}
    rows = drift_table({"drift": [slot], "drift_pooled": [pool]})
    assert [row["champion"] for row in rows] == ["v1", "2 slots"]
    assert [row["moved most (advice only)"] for row in rows] == ["rsi_14 0.31", ""]
    assert rows[0]["days of outcomes"] == "8.2"
    assert len(drift_table({"drift": [slot]})) == 1, "a report of before there were pools"
