"""Forecasts over REST: trained, asked for, kept; in the background, killed, and told truthfully."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestration.service import jobs
from orchestration.service.errors import InsufficientData, NoForecaster, TrainingRunning
from orchestration.service.forecasting import Order
from orchestration.service.job_worker import launch
from orchestration.service.ml_service import MLService, get_ml_service
from orchestration.service.resources import store_of
from orchestration.settings import Settings, load_settings
from orchestration.store.errors import UnknownJob
from tests.api.conftest import Serve

SMALL = {"n_steps_ahead": 12, "days_history": 2.0}


@pytest.fixture
def small(tmp_path: Path) -> Settings:
    """Settings of an empty home."""
    api = {"rate": 1000, "burst": 1000}
    return load_settings(home=tmp_path / "home", source="simulated:seed=3", api=api)


@pytest.fixture
def service(small: Settings) -> MLService:
    return get_ml_service(small)


def test_the_guide_from_training_to_a_kept_forecast(service: MLService) -> None:
    with pytest.raises(NoForecaster):
        service.get_predictions("BTC/USDT", "1m")
    facts = service.train_model("BTC/USDT", "1m", **SMALL)
    assert facts["name"] == "BTC_USDT_1m_12steps_multi_ohlc"
    assert facts["model_size_kb"] > 1
    told = facts["performance"]
    assert told["val_rows"] > 100
    assert abs(told["val_r2"]) < 0.2, "R² of returns, not of price levels"
    assert told["val_r2_random_walk"] <= 0
    assert [one["name"] for one in service.list_models()] == [facts["name"]]

    found = service.get_predictions(symbol="BTC/USDT", timeframe="1m")
    assert [step["step"] for step in found["predictions"]] == list(range(1, 13))
    first = found["predictions"][0]
    assert first["predicted_low"] <= first["predicted_open"] <= first["predicted_high"]
    assert first["lower"] < first["predicted_close"] < first["upper"]
    up = first["predicted_close"] / found["current_price"] - 1
    assert first["predicted_return"] == pytest.approx(up, abs=1e-12)
    assert found["simulated"] is True

    kept = service.save_prediction_result("BTC/USDT", "1m", found, user_id="user-123")
    assert service.get_prediction(kept)["result"] == found
    with pytest.raises(UnknownJob):
        service.get_prediction("0" * 32)


def test_a_newer_training_takes_the_place_of_the_one_before(service: MLService) -> None:
    first = service.train_model("BTC/USDT", "1h", 6, 40, "autoregressive")
    before = Path(first["path"]).resolve()
    answer = service.get_predictions("BTC/USDT", "1h")
    assert answer["predictions"][0]["predicted_open"] is None
    second = service.train_model("BTC/USDT", "1h", 6, 40, "autoregressive")
    assert second["trained_at"] >= first["trained_at"]
    assert Path(second["path"]).resolve() != before
    assert len(service.list_models()) == 1


def test_too_few_bars_are_said_with_numbers_and_a_remedy(service: MLService) -> None:
    with pytest.raises(InsufficientData, match=r"got 720 rows .*1000 are needed.*days_history to"):
        service.train_model("BTC/USDT", "1m", 12, 0.5)
    with pytest.raises(InsufficientData) as hours:
        service.train_model("BTC/USDT", "1h", 12, 20)
    assert hours.value.numbers == {
        "bars": 480, "needed": 500, "days_history": 20, "days_needed": 22,
    }  # fmt: skip
    (first, second) = store_of(service.settings).list_jobs()
    assert {first.status, second.status} == {"failed"}
    assert "480" in str(first.reason)


def until(client: httpx.Client, job_id: str, *statuses: str) -> dict[str, Any]:
    """Return the job once its status is one of these."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.get(f"/api/predictions/{job_id}").json()
        if job["status"] in statuses:
            return job
        time.sleep(0.1)
    raise AssertionError(job)


def test_the_guide_over_rest(small: Settings, serve: Serve) -> None:
    client = serve(small)
    query = {"symbol": "BTC_USDT", "timeframe": "1m"}
    none = client.get("/api/predictions", params=query | {"auto_train": "false"})
    assert (none.status_code, none.json()["title"]) == (404, "No forecaster")
    few = client.post("/api/models/train", json=query | {"days_history": 0.5})
    assert (few.status_code, few.json()["title"]) == (409, "Insufficient data")
    assert few.json()["numbers"]["needed"] == 1000
    assert few.json()["remedy"].startswith("set days_history to 2")

    trained = client.post("/api/models/train", json=query | SMALL)
    assert trained.status_code == 200, trained.text
    assert "path" not in trained.json()
    assert [m["name"] for m in client.get("/api/models").json()] == [trained.json()["name"]]

    answer = client.get("/api/predictions", params=query)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == 12
    assert answer.json()["model_info"]["name"] == "BTC_USDT_1m_12steps_multi_ohlc"

    begun = client.post("/api/predictions/generate", json=query | {"auto_train": True})
    assert begun.status_code == 202
    job = until(client, begun.json()["prediction_id"], "completed", "failed")
    assert job["reason"] is None
    assert len(job["result"]["predictions"]) == 12
    assert 'tidewheel_predictions_total{cached="' in client.get("/metrics").text


def test_a_killed_training_is_failed_and_its_slot_free(small: Settings, serve: Serve) -> None:
    client = serve(small.model_copy(update={"api": small.api.model_copy(update={"wait_s": 0})}))
    order = {"symbol": "BTC_USDT", "timeframe": "1m", "days_history": 60}
    begun = client.post("/api/models/train", json=order)
    assert begun.status_code == 202, begun.text
    job_id = begun.json()["prediction_id"]
    until(client, job_id, "running")
    again = client.post("/api/models/train", json=order)
    assert again.status_code == 409
    assert again.json()["numbers"]["job_id"] == job_id
    other = client.post("/api/models/train", json=order | {"symbol": "ETH_USDT"})
    assert other.status_code == 202

    for job in store_of(small).list_jobs(only_open=True):
        jobs.wait(small, job.id, 0)
        stored = until(client, job.id, "running") and store_of(small).get_job(job.id)
        os.kill(stored.pid or 0, signal.SIGKILL)
        failed = until(client, job.id, "failed")
        assert "ended without a word" in failed["reason"]
        assert failed["finished_at"] is not None
    assert client.get("/api/models").json() == []
    third = client.post("/api/models/train", json=order)
    assert third.status_code == 202
    stored = until(client, third.json()["prediction_id"], "running") and store_of(small).get_job(
        third.json()["prediction_id"]
    )
    os.kill(stored.pid or 0, signal.SIGKILL)


def test_a_job_survives_the_server_that_started_it(small: Settings, serve: Serve) -> None:
    order = Order("BTC-USDT", "1m", **SMALL)
    job = jobs.ask(small, jobs.TRAIN, vars(order), slot_key=order.slot_key)
    launch(small, job)
    client = serve(small)  # another server, which started nothing
    done = until(client, job.id, "completed", "failed")
    assert done["result"]["name"] == order.name
    assert done["progress"] == 1


def test_of_two_at_once_one_trains(small: Settings) -> None:
    order = Order("BTC-USDT", "1m")
    first = jobs.ask(small, jobs.TRAIN, vars(order), slot_key=order.slot_key)
    with pytest.raises(TrainingRunning) as error:
        jobs.ask(small, jobs.TRAIN, vars(order), slot_key=order.slot_key)
    assert error.value.numbers["job_id"] == first.id


def test_what_nobody_took_up_or_a_restart_ended_is_failed(small: Settings) -> None:
    store, order = store_of(small), Order("BTC-USDT", "1m")
    job = jobs.ask(small, jobs.TRAIN, vars(order), slot_key=order.slot_key)
    assert jobs.look(small, job.id).status == "queued"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "_START_S", 0.0)
        failed = jobs.look(small, job.id)
    assert (failed.status, failed.pid) == ("failed", None)
    assert "took it up" in str(failed.reason)

    second = jobs.ask(small, jobs.TRAIN, vars(order), slot_key=order.slot_key)
    store.begin_job(second.id, os.getpid(), "this machine before its restart")
    assert jobs.look(small, second.id).status == "running"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "SILENT_S", 0.0)
        assert "started anew" in str(jobs.look(small, second.id).reason)
    assert not store.finish_job(second.id, result={}), "an end stays"


def test_an_outdated_forecaster_answers_where_none_can_be_trained(
    small: Settings, serve: Serve
) -> None:
    get_ml_service(small).train_model("BTC/USDT", "1h", 6, 40)
    old = small.model_copy(update={"api": small.api.model_copy(update={"model_hours": 1e-9})})
    client = serve(old)
    query = {"symbol": "BTC_USDT", "timeframe": "1h"}
    before = client.get("/api/predictions", params=query | {"auto_train": "false"}).json()
    url, order = str(client.base_url), Order("BTC-USDT", "1h")

    def asked(**more: str) -> httpx.Response:
        """Ask while somebody trains the slot, whose training is called off then."""
        job = jobs.ask(small, jobs.TRAIN, vars(order), slot_key=order.slot_key)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(
                httpx.get, f"{url}/api/predictions", params=query | more, timeout=60
            )
            time.sleep(0.5)
            assert not answer.done()
            store_of(small).finish_job(job.id, reason="it was called off")
            return answer.result()

    assert asked().json()["model_info"] == before["model_info"]
    forced = asked(force_retrain="true")
    assert (forced.status_code, forced.json()["title"]) == (503, "Job failed")
    fresh = client.get("/api/predictions", params=query)
    assert fresh.json()["model_info"]["trained_at"] > before["model_info"]["trained_at"]


def test_training_unasked_takes_days_enough_for_long_bars() -> None:
    assert Order.unasked("BTC/USDT", "1m").days_history == 30
    assert Order.unasked("BTC/USDT", "4h").days_history == pytest.approx(2 * 500 / 6, abs=4)


def test_many_may_wait_and_others_are_answered(small: Settings, serve: Serve) -> None:
    order = Order("BTC-USDT", "1m")
    job = jobs.ask(small, jobs.TRAIN, vars(order), slot_key=order.slot_key)  # nobody does it
    client = serve(small)
    url, query = str(client.base_url), {"symbol": "BTC_USDT", "timeframe": "1m"}

    def wait() -> int:
        return httpx.get(f"{url}/api/predictions", params=query, timeout=60).status_code

    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(wait) for _ in range(60)]
        time.sleep(1)
        began = time.monotonic()
        assert client.get("/health").status_code == 200
        assert time.monotonic() - began < 10
        assert not any(one.done() for one in waiting)
        store_of(small).finish_job(job.id, reason="it was called off")
        assert {one.result() for one in waiting} == {503}
