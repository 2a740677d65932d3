"""`tidewheel replay` at a terminal: what it prints, refuses and survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL = [
    *("--from", "2025-05-20", "--to", "2025-05-22", "--every", "12h"),
    *("--source", "simulated:seed=7", "--symbols", "BTC-USDT,ETH-USDT"),
    *("--timeframe", "5m", "--days", "8", "--kinds", "direction"),
]


def started(folder: Path, *further: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "serving.cli", "replay", *SMALL, *further],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TIDEWHEEL_HOME": str(folder), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Who is started in the background inherits that Ctrl-C is not for it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def run(folder: Path, *further: str) -> subprocess.CompletedProcess[str]:
    process = started(folder, *further)
    out, err = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_the_tables_say_simulated_and_where_the_picture_lies(tmp_path: Path) -> None:
    done = run(tmp_path, "--no-mlflow", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED market" in done.stdout
    assert "served" in done.stdout
    assert "xgboost" in done.stdout
    (picture,) = tmp_path.glob("replays/*/skill.png")
    assert str(picture) in done.stdout.replace("\n", "")
    assert not (tmp_path / "mlflow").exists()

    again = run(tmp_path, "--no-mlflow", "--workers", "1", "--json")
    assert json.loads(again.stdout)["turns"] == 4


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    for wrong, said in (
        (("--every", "7h"), "does not divide a day"),
        (("--train-days", "-3"), "--train-days"),
        (("--train-days", "nan"), "--train-days"),
        (("--source", "files:/no/such/folder", "--name", "a"), "there is no folder"),
    ):
        refused = run(tmp_path, *wrong)
        assert refused.returncode == 2
        assert said in refused.stderr
    assert not list(tmp_path.iterdir()), "what is refused leaves nothing behind"


def test_ctrl_c_says_that_it_goes_on(tmp_path: Path) -> None:
    process = started(tmp_path, "--no-mlflow", "--workers", "1")
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("replays/*/replay.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said


BETWEEN = ("--predict-every", "4h", "--backfill", "1")


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("workers", "further"),
    [("1", ()), ("2", ()), ("2", BETWEEN)],
    ids=["alone", "ahead", "between"],
)
def test_killed_anywhere_it_comes_to_the_same_end(
    tmp_path: Path, workers: str, further: tuple[str, ...]
) -> None:
    """Killed with -9 again and again, each time a few steps later, and started again."""
    whole = run(tmp_path / "whole", "--no-mlflow", "--workers", "1", *further)
    assert whole.returncode == 0, whole.stderr
    home = tmp_path / "killed"
    for steps in (1, 4, 7, 10, 13, 16, 19, 22):
        process = started(home, "--no-mlflow", "--workers", workers, *further)
        before, seen = left(home), set()
        while len(seen) < steps and process.poll() is None:
            seen |= left(home) - before
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = run(home, "--no-mlflow", "--workers", workers, *further)
    assert last.returncode == 0, last.stderr
    first, second = (
        next(folder.glob("replays/*/decisions.json")).read_bytes()
        for folder in (tmp_path / "whole", home)
    )
    assert first == second


def left(home: Path) -> set[Path]:
    """Return the results of steps that a replay has left so far."""
    time.sleep(0.02)
    return {*home.glob("replays/*/work/*/*.json"), *home.glob("replays/*/records/*.json")}
