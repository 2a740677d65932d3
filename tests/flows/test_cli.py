"""The command line: help, settings, what goes to which stream, and exit statuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows.up import Addresses
from orchestration.service.resources import store_of
from orchestration.settings import Settings
from serving import cli, desk, past, shell
from tests.flows.processes import ROOT, environment, run


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line in this process and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["tidewheel", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def row(**more: Any) -> dict[str, Any]:
    return {
        "kind": "direction",
        "champion": "2025-05-28T0000Z_1m_xgboost",
        "skill": 0.0123,
        "lower": 0.0045,
        "z": 2.5,
        "n": 241_920,
        "days": 1.94,
        "days_missing": 12.06,
        "baseline": False,
        **more,
    }


def summary(**more: Any) -> dict[str, Any]:
    return {
        "turn_id": "2025-05-28T0000Z_majors_1m",
        "simulated": True,
        "source_name": "simulated-seed7",
        "leaderboard": [row(), row(kind="price", champion=None, skill=None, lower=None, n=None)],
        **more,
    }


def shown(table: Any, width: int = 80) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


COMMANDS = [
    "cycle", "backfill", "up", "leaderboard", "turns", "decisions", "settings", "features list",
    "features show", "models list", "models compare", "models validate", "models show",
    "models promote", "models rollback", "train model", "live train", "live deploy",
    "live rollback", "predict", "backtest", "trials", "ledger status", "ledger export",
    "ledger prune",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *command.split(), "--help") == 0
    assert f"Example: tidewheel {command}" in capsys.readouterr().out


def test_settings_as_json_are_the_settings_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEWHEEL_DAYS", "21")
    monkeypatch.setenv("TIDEWHEEL_DATABASE_URL", "postgresql://tide:secret@db/tide")
    assert call(monkeypatch, "settings", "--home", str(tmp_path), "--json") == 0
    out = capsys.readouterr().out
    found = json.loads(out)
    assert found["days"] == 21
    assert found["home"] == str(tmp_path)
    assert "secret" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--now", "2025-05-28T00:00:00"], "no time zone"),
        (["--now", "yesterday-ish"], "is not a time"),
        (["--symbols", "BTC"], "BTC"),
        (["--timeframe", "7m"], "7m"),
        (["--kinds", "mood"], "choose from direction, risk"),
        (["--recipes", "lstm"], "choose default, all, or of direction/ xgboost, logistic"),
        (["--recipes", "network-30d"], "price/network-30d is left out: it trains on 30 days"),
        (["--days", "0"], "days"),
        (["--source", "carrier-pigeon"], "carrier-pigeon"),
        (["--source", "files:/no/such/folder"], "/no/such/folder"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = call(monkeypatch, "cycle", "--home", str(tmp_path / "home"), *arguments)
    captured = capsys.readouterr()
    assert status == 2, captured.err
    assert said in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert not (tmp_path / "home" / "prefect").exists(), "nothing is started for a mistake"


def test_a_home_without_turns_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "leaderboard", "--home", str(tmp_path)) == 1
    assert "run one: tidewheel cycle" in capsys.readouterr().err


def test_past_turns_and_their_leaderboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_of(Settings(home=tmp_path))
    for hour in ("0000", "1200"):
        turn_id = f"2025-05-28T{hour}Z_majors_1m"
        store.begin_turn(turn_id, {})
        store.finish_turn(turn_id, "completed", summary(turn_id=turn_id))
    store.begin_turn("2025-05-28T1300Z_majors_1m", {})
    store.finish_turn("2025-05-28T1300Z_majors_1m", "failed", summary(turn_id="nothing decided"))
    store.begin_turn("2025-05-29T0000Z_majors_1m", {})
    assert call(monkeypatch, "turns", "--home", str(tmp_path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [turn["status"] for turn in found] == [
        "running", "failed", "completed", "completed",
    ]  # fmt: skip
    assert call(monkeypatch, "leaderboard", "--home", str(tmp_path)) == 0
    assert "2025-05-28T1200Z_majors_1m" in capsys.readouterr().out


def test_the_leaderboard_fits_a_terminal_and_says_simulated() -> None:
    text = shown(past.board(summary()))
    assert "SIMULATED" in text.splitlines()[0]
    line = next(line for line in text.splitlines() if "xgboost" in line)
    assert line.split() == ["direction", "2025-05-28T0000Z_1m_xgboost", "+1.23", "+0.45", "+2.50",
                            "241,920", "1.9/14"]  # fmt: skip
    assert "…" not in text
    assert "SIMULATED" not in shown(past.board(summary(simulated=False)))


def test_the_command_that_opens_the_interfaces_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(shell, "_HOME_BEFORE", None)
    assert shell.up_command(tmp_path / "var", tmp_path) == "tidewheel up"
    spaced = tmp_path / "my home"
    assert shell.up_command(spaced, tmp_path) == f"tidewheel up --home '{spaced}'"
    monkeypatch.setattr(shell, "_HOME_BEFORE", str(spaced))
    assert shell.up_command(spaced, tmp_path) == "tidewheel up"


def test_a_program_that_is_not_on_the_path_is_called_by_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert shell.program("prefect", tmp_path) == ".venv/bin/prefect"
    assert shell.program("prefect", tmp_path / "x") == str(tmp_path / ".venv" / "bin" / "prefect")


def test_a_run_by_hand_is_told_where_the_server_is() -> None:
    usual, moved = (Addresses(f"http://127.0.0.1:{port}", "") for port in (4200, 4300))
    assert [Path(line.split()[0]).name for line in desk.by_hand(usual, ROOT)] == ["prefect"]
    assert desk.by_hand(moved, ROOT)[0] == "export PREFECT_API_URL=http://127.0.0.1:4300/api"
    assert desk.by_hand(usual, Path("/"))[0].startswith("export PREFECT_API_URL=")


def test_threads_are_counted_before_anything_numerical_is_imported(tmp_path: Path) -> None:
    env = environment(tmp_path) | {"PYTHONPROFILEIMPORTTIME": "1"}
    env.pop("OMP_NUM_THREADS", None)
    listed = run("settings", "--json", env=env, cwd=tmp_path)
    imported = [line.rpartition("|")[2].strip() for line in listed.stderr.splitlines()]
    assert "flows.environment" in imported
    before = imported[: imported.index("flows.environment")]
    assert not {"numpy", "torch", "prefect", "mlflow"} & set(before)
    assert not {"torch", "prefect", "mlflow", "xgboost"} & set(imported), "listing is quick"


def test_a_backfill_ends_with_a_table_of_lines_that_says_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEWHEEL_DAYS", "3")
    asked = "backfill --days 1 --kinds direction --recipes logistic --symbols BTC-USDT"
    moment = ["--now", "2025-05-28T00:00:00Z", "--home", str(tmp_path / "home")]
    assert call(monkeypatch, *asked.split(), *moment) == 0
    captured = capsys.readouterr()
    assert "SIMULATED market" in captured.out
    assert "direction/logistic" in captured.out
    assert "4 folds fitted, 0 failed" in captured.out
    assert call(monkeypatch, *asked.split(), *moment, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["fitted"], again["simulated"]) == (0, True)
    assert [line["folds"] for line in again["lines"]] == [2, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--every", "soon"], "write it like 12h"),
        (["--every", "30s"], "no whole number of bars"),
        (["--days", "0.1"], "hold no fold of 12 hours"),
        (["--days", "nan"], "nan days cannot be filled in"),
        (["--days", "inf"], "inf days cannot be filled in"),
        (["--kinds", "mood"], "choose from direction, risk"),
    ],
)
def test_a_backfill_that_cannot_be_is_refused(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "backfill", "--home", str(tmp_path / "home"), *arguments) == 2
    assert said in capsys.readouterr().err
