"""A job of the REST API is done by the worker of `tidewheel up` where one is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from flows.jobs import desk_of, start
from flows.servers import prefect_kind, read_state
from orchestration.service import jobs, resources
from orchestration.service.forecasting import Order
from orchestration.settings import load_settings
from tests.flows.processes import environment, tidewheel, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_a_job_is_a_flow_run_where_a_worker_is(tmp_path: Path) -> None:
    resources.forget()
    env, log = environment(tmp_path / "home"), tmp_path / "up.log"
    settings = load_settings(home=tmp_path / "home", source="simulated:seed=3")
    assert desk_of(settings) is None
    with log.open("wb") as output:
        process = subprocess.Popen(
            tidewheel("up"), env=env, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: desk_of(settings) is not None, 180, "server and worker")
        order = Order("BTC-USDT", "1m", 6, 1)
        job = jobs.ask(settings, jobs.TRAIN, vars(order), slot_key=order.slot_key)
        run_id = start(settings, job)
        assert run_id is not None
        done = jobs.wait(settings, job.id, 150)
        assert (done.status, done.reason) == ("completed", None)
        url = f"{read_state(prefect_kind(settings))['url']}/api/flow_runs/{run_id}"

        def ended() -> bool:
            told = httpx.get(url, timeout=30, trust_env=False).json()
            return bool(told["state_type"] == "COMPLETED")

        wait_for(ended, 60, "the flow run's end")
    finally:
        process.terminate()
        process.wait(60)
    assert desk_of(settings) is None
