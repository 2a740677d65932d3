"""Who may ask, how often and how much; and where the server may listen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from orchestration.settings import Settings, SettingsError, load_settings
from serving.api.guard import Buckets
from serving.api.server import server
from tests.api.conftest import Serve

TOKEN = "a-token-of-this-test"


def of(home: Path, **changes: object) -> Settings:
    return load_settings(home=home, source="simulated:seed=3", **changes)


def test_a_token_is_asked_for_everywhere_but_where_nothing_is_told(
    tmp_path: Path, serve: Serve
) -> None:
    client = serve(of(tmp_path, api_token=TOKEN))
    for headers in ({}, {"Authorization": "Bearer a-token-of-this-tesT"}, {"Authorization": TOKEN}):
        for path in ("/api/turns", "/metrics", "/api/nothing"):
            refused = client.get(path, headers=headers)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in refused.text
    assert client.get("/health").status_code == 200
    known = client.get("/api/turns", headers={"Authorization": f"Bearer {TOKEN}"})
    assert known.status_code == 200
    document = client.get("/openapi.json").json()
    assert document["security"] == [{"token": []}]
    assert "401" in document["paths"]["/api/turns"]["get"]["responses"]


def test_without_a_token_only_loopback(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        with pytest.raises(SettingsError, match="TIDEWHEEL_API_TOKEN"):
            server(of(tmp_path), host, 0)
    for host in ("127.0.0.1", "localhost"):
        server(of(tmp_path), host, 0)
    server(of(tmp_path, api_token=TOKEN), "0.0.0.0", 0)


def test_a_page_elsewhere_cannot_ask_through_a_browser(tmp_path: Path, serve: Serve) -> None:
    client = serve(of(tmp_path))
    refused = client.get("/api/turns", headers={"Host": "rebound.example"})
    assert (refused.status_code, refused.json()["title"]) == (403, "Other host")
    plain = client.post(
        "/api/models/majors/direction/1m/promote", content=b'{"version": "2025"}',
        headers={"Content-Type": "text/plain"},
    )  # fmt: skip
    assert plain.status_code == 422


def test_too_often_is_said_with_when_to_come_again(tmp_path: Path, serve: Serve) -> None:
    client = serve(of(tmp_path, api={"rate": 0.5, "burst": 3}))
    answers = [client.get("/health") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[3].headers["retry-after"]) <= 3
    assert answers[3].json()["remedy"].startswith("ask again in")


def test_buckets_refill_at_their_rate_and_forget_the_oldest() -> None:
    now = [0.0]
    buckets = Buckets(rate=2, burst=2, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0.5]
    assert buckets.take("b") == 0
    now[0] = 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    for one in range(20_000):
        buckets.take(str(one))
    assert len(buckets._left) <= 10_000


def test_a_long_body_is_refused_told_or_not(tmp_path: Path, serve: Serve) -> None:
    client = serve(of(tmp_path, api={"body_max": 1000}))
    path = "/api/models/majors/direction/1m/promote"
    long = json.dumps({"version": "x" * 2000}).encode()
    assert client.post(path, content=long).status_code == 413

    def chunks() -> object:
        yield from (long[k : k + 100] for k in range(0, len(long), 100))

    untold = client.post(path, content=chunks(), headers={"Content-Type": "application/json"})
    assert untold.status_code in (400, 413)


def test_the_token_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = of(tmp_path, api_token=TOKEN)
    assert TOKEN not in repr(settings)
    assert TOKEN not in json.dumps(settings.as_dict())
    file = tmp_path / "tidewheel.toml"
    file.write_text(f'api_token = "{TOKEN}"\n')
    monkeypatch.setenv("TIDEWHEEL_CONFIG", str(file))
    with pytest.raises(SettingsError, match="TIDEWHEEL_API_TOKEN"):
        load_settings()


def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serving.cli", "serve", "--port", "0", "--home"]
    environment = {**os.environ, "TIDEWHEEL_SOURCE": "simulated:seed=3", "COLUMNS": "200"}
    with subprocess.Popen(
        [*command, str(tmp_path / "home")], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            while "REST API" not in said:
                assert process.poll() is None, said
                said = process.stderr.readline()
            address = said.split()[2]
            for _ in range(3):
                assert httpx.get(f"{address}/health", timeout=30).json()["status"] == "ok"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_the_command_says_why_it_does_not_serve(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serving.cli", "serve", "--host", "0.0.0.0", "--home"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "TIDEWHEEL_API_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
