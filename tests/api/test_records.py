"""What the API tells of turns, versions and decisions, and what it says where there is nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from orchestration.service.resources import registry_of, tracking_of
from orchestration.settings import Settings, load_settings
from tests.api.conftest import Serve
from tests.doors.desk import SLOT

PROBLEM = "application/problem+json"


def test_records_of_the_turns(client: httpx.Client) -> None:
    turns = client.get("/api/turns", params={"limit": 1}).json()
    assert [turn["turn_id"] for turn in turns] == ["2025-05-20T1200Z_BTC-USDT+ETH-USDT_1m"]
    assert turns[0]["finished_at"].endswith("Z")
    (row,) = client.get("/api/leaderboard").json()
    assert row["simulated"] is True
    assert row["champion"] == "2025-05-20T1200Z_1m_baseline"
    assert str(Path("/")) not in json.dumps(row).replace(SLOT.key, ""), "no paths of this machine"
    (drift,) = client.get("/api/drift", params={"slot": "direction"}).json()
    assert (drift["slot_key"], drift["status"]) == (SLOT.key, "OK")
    assert client.get("/api/drift", params={"slot": "volatility"}).json() == []
    decisions = client.get("/api/decisions", params={"limit": 5}).json()
    assert [row["by"] for row in decisions] == ["turn", "turn"]
    versions = client.get("/api/models/versions", params={"status": "champion"}).json()
    assert [row["version"] for row in versions] == [row_of(client)["version"]]


def row_of(client: httpx.Client, recipe: str = "baseline") -> dict[str, str]:
    rows = client.get("/api/models/versions", params={"kind": "direction"}).json()
    return next(row for row in rows if row["version"].endswith(recipe))


def test_a_promotion_shows_in_every_place(client: httpx.Client, settings: Settings) -> None:
    wanted = row_of(client, "xgboost")["version"]
    path = f"/api/models/{SLOT.key}/promote"
    refused = client.post(path, json={"version": wanted})
    assert refused.status_code == 409
    assert refused.headers["content-type"] == PROBLEM
    assert refused.json()["type"] == "urn:tidewheel:problem:unproven"
    assert registry_of(settings).linked(SLOT) != wanted

    said = client.post(path, json={"version": wanted, "force": True, "by": "desk", "reason": "no"})
    assert said.status_code == 200, said.text
    assert (said.json()["champion"], said.json()["moved"]) == (wanted, True)
    assert registry_of(settings).linked(SLOT) == wanted
    assert tracking_of(settings).champion(SLOT) == wanted
    (last,) = client.get("/api/decisions", params={"limit": 1}).json()
    assert (last["by"], last["champion"]) == ("desk", wanted)

    again = client.post(path, json={"version": wanted, "force": True})
    assert (again.status_code, again.json()["moved"]) == (200, False)


def test_problems_tell_what_where_and_a_remedy(client: httpx.Client) -> None:
    asked = [
        (client.get("/api/nothing"), 404),
        (client.delete("/api/turns"), 405),
        (client.get("/api/turns", params={"limit": "many"}), 422),
        (client.get("/api/models/versions", params={"kind": "luck"}), 422),
        (client.post(f"/api/models/{SLOT.key}/promote", json={"version": "x", "fast": 1}), 422),
        (client.post(f"/api/models/{SLOT.key}/promote", content=b"{"), 422),
        (client.post(f"/api/models/{SLOT.key}/promote", json={"version": "1999"}), 404),
        (client.post("/api/models/a/direction/1m/promote", json={"version": "2025"}), 404),
        (client.post("/api/models/../../promote", json={"version": "2025"}), 404),
    ]
    for answer, status in asked:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == PROBLEM
        told = answer.json()
        assert set(told) == {
            "type", "title", "status", "detail", "remedy", "instance", "numbers",
        }  # fmt: skip
        assert told["status"] == status
        assert told["detail"]
        assert told["remedy"]
    assert "allow" in asked[1][0].headers


def test_an_empty_home_says_what_to_do(tmp_path: Path, serve: Serve) -> None:
    client = serve(load_settings(home=tmp_path / "new", source="simulated:seed=3"))
    assert client.get("/api/turns").json() == []
    missing = client.get("/api/leaderboard")
    assert missing.status_code == 404
    assert "tidewheel cycle" in missing.json()["remedy"]
    assert client.get("/health").json() == {
        "status": "ok", "degraded": [], "source": "simulated:seed=3", "simulated": True,
    }  # fmt: skip


def test_health_says_what_is_late(client: httpx.Client, settings: Settings, serve: Serve) -> None:
    assert client.get("/health").json()["status"] == "ok"
    settings.spool_dir.mkdir()
    (settings.spool_dir / "rows.json").write_text("{}")
    told = client.get("/health").json()
    assert (told["status"], [one["what"] for one in told["degraded"]]) == ("degraded", ["ledger"])


def test_a_database_that_is_down_is_said_and_not_fatal(tmp_path: Path, serve: Serve) -> None:
    client = serve(
        load_settings(home=tmp_path, database_url="postgresql://tide:secret@127.0.0.1:1/none")
    )
    answer = client.get("/api/turns")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    health = client.get("/health")
    assert (health.status_code, health.json()["degraded"][0]["what"]) == (200, "database")
    assert "tidewheel_database_up 0.0" in client.get("/metrics").text


def test_metrics_are_what_prometheus_reads(client: httpx.Client) -> None:
    client.get("/api/turns")
    found = {
        sample.name: (sample.labels, sample.value)
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }
    assert found["tidewheel_database_up"][1] == 1
    labels, skill = found["tidewheel_champion_skill"]
    assert (labels["slot"], skill) == (SLOT.key, 0.0)
    assert found["tidewheel_drift_state"] == ({"slot": SLOT.key}, 0.0)
    assert 0 < found["tidewheel_last_turn_age_seconds"][1] < 3600
    assert found["tidewheel_request_seconds_count"][0]["route"] == "/api/turns"


def test_openapi_has_examples_and_every_error(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert client.get("/docs").status_code == 200
    for path, methods in document["paths"].items():
        for told in methods.values():
            assert told["summary"]
            assert {"422", "429", "500"} <= set(told["responses"]), path
            problem = told["responses"]["422"]["content"]
            assert list(problem) == [PROBLEM]
    text = json.dumps(document["components"]["schemas"]["Rank"])
    assert len(re.findall("examples", text)) >= 5
