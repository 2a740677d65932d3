"""Jobs in the store: one open job a slot, an end that stays, the oldest go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestration.store import Store
from orchestration.store.errors import BadRecord, UnknownJob

PARAMS = {"symbol": "BTC-USDT", "timeframe": "1m"}


def test_of_many_at_once_one_has_the_slot(store: Store) -> None:
    def ask(number: int) -> str:
        return store.add_job(f"job-{number}", "train", PARAMS, slot_key="slot").id

    with ThreadPoolExecutor(8) as pool:
        held = set(pool.map(ask, range(8)))
    assert len(held) == 1
    (winner,) = held
    assert [job.id for job in store.list_jobs()] == [winner]
    assert store.finish_job(winner, reason="its process ended")
    assert store.add_job("next", "train", PARAMS, slot_key="slot").id == "next"


def test_jobs_without_a_slot_do_not_exclude_each_other(store: Store) -> None:
    for number in range(3):
        store.add_job(f"job-{number}", "predict", PARAMS)
    assert len(store.list_jobs(only_open=True)) == 3


def test_a_job_from_asking_to_its_end(store: Store) -> None:
    job = store.add_job("one", "train", PARAMS, slot_key="slot", owner="desk")
    assert (job.status, job.progress, job.pid, job.owner) == ("queued", 0.0, None, "desk")
    assert store.begin_job("one", 123, "a boot")
    assert not store.begin_job("one", 124, "a boot"), "one process does it"
    assert store.hear_job("one", "train", 0.5)
    running = store.get_job("one")
    assert (running.status, running.stage, running.progress) == ("running", "train", 0.5)
    assert (running.pid, running.boot) == (123, "a boot")
    assert store.finish_job("one", result={"r2": float("nan"), "rows": 3})
    done = store.get_job("one")
    assert (done.status, done.progress, done.result) == (
        "completed", 1.0, {"r2": None, "rows": 3},
    )  # fmt: skip
    assert not store.finish_job("one", reason="too late")
    assert not store.hear_job("one", "train", 0.6)
    assert store.get_job("one") == done
    with pytest.raises(UnknownJob, match="two"):
        store.get_job("two")
    with pytest.raises(BadRecord):
        store.add_job("three", "train", {"what": object()})


def test_the_oldest_finished_go_and_open_ones_stay(store: Store) -> None:
    for number in range(6):
        store.add_job(f"job-{number}", "predict", PARAMS)
        if number:
            store.finish_job(f"job-{number}", result={})
    store.prune_jobs(2)
    assert [job.id for job in store.list_jobs()] == ["job-5", "job-4", "job-0"]
