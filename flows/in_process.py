"""Run the cycle flow in this process and wait until the server has recorded all of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import httpx
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cycle import cycle
from flows.errors import TurnCrashed

Json = dict[str, Any]
RECORDED_SECONDS = 20.0


def run(api: str, parameters: Mapping[str, Any]) -> Json:
    """Run the flow against the server at `api` and return the summary of its turn.

    Task runs reach the server as events, beside the flow: a server that is ended too early shows
    them as running for ever.

    Raises
    ------
    Exception
        Whatever ended the flow.
    """
    os.environ["PREFECT_API_URL"] = api  # for child processes; this one has read it already
    with temporary_settings({PREFECT_API_URL: api}):
        try:
            state: Any = cycle(**parameters, return_state=True)
        finally:
            EventsWorker.drain_all()
            APILogWorker.drain_all(timeout=RECORDED_SECONDS)
            _wait_until_recorded(api)
    if state.is_crashed():
        raise TurnCrashed(f"the flow run crashed: {state.message}")
    summary: Json = state.result()
    return {**summary, "prefect_run": str(state.state_details.flow_run_id)}


def _wait_until_recorded(api: str) -> None:
    """Wait until no task run is unfinished in the server's eyes, or give up: they stay Running."""
    query = {"task_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    deadline = time.monotonic() + RECORDED_SECONDS
    while time.monotonic() < deadline:
        answer = httpx.post(f"{api}/task_runs/count", json=query, timeout=30, trust_env=False)
        if answer.status_code != 200 or answer.json() == 0:
            return
        time.sleep(0.1)
