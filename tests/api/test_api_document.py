"""The examples of docs/api.md run against a live server: the curl lines, and the Python client."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestration.settings import Settings
from tests.api.conftest import Serve

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
USUAL = "http://localhost:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_examples_run(
    settings: Settings, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    url = str(serve(settings).base_url).rstrip("/")
    (client,) = blocks("python")
    exec(compile(client.replace(USUAL, url), "client", "exec"), {})
    said = capsys.readouterr().out
    assert "R² of later returns" in said
    assert "of a simulated market" in said

    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = blocks("bash")
    assert len(lines) == 9
    for line in lines:
        command = ["bash", "-c", line.replace(USUAL, url).replace("curl ", "curl -sSf ", 1)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, (line, done.stderr)
        if "/metrics" in line:
            assert "tidewheel_champion_skill" in done.stdout
        else:
            assert json.loads(done.stdout), line


def test_every_endpoint_is_in_the_table(settings: Settings, serve: Serve) -> None:
    paths = serve(settings).get("/openapi.json").json()["paths"]
    for path in paths:
        assert path.replace("{prediction_id}", "{id}") in TEXT


def test_the_example_of_an_error_is_one(settings: Settings, serve: Serve) -> None:
    (example,) = blocks("json")
    wish = {"symbol": "BTC_USDT", "timeframe": "1m", "days_history": 0.5}
    told = serve(settings).post("/api/models/train", json=wish).json()
    told["numbers"].pop("job_id")
    assert told == json.loads(example)
