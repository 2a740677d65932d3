"""Start a job, wait for it as long as a request may, and say where to look for it after that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from flows.jobs import start
from orchestration.service import jobs
from orchestration.service.forecasting import Order
from orchestration.settings import Settings
from orchestration.store.records import COMPLETED, JobRecord

PATH = "/api/predictions"
_EVERY_S = 0.1


async def train(settings: Settings, order: Order, wait_s: float) -> JobRecord:
    """Train in another process; return the job as it is when it ended or time is up.

    Raises
    ------
    TrainingRunning
        Its slot is being trained already.
    JobFailed, InsufficientData, market.errors.MarketError
        It failed.
    """
    job = await run_in_threadpool(_train, settings, order)
    return await ended(settings, job.id, wait_s)


def _train(settings: Settings, order: Order) -> JobRecord:
    job = jobs.ask(settings, jobs.TRAIN, vars(order), slot_key=order.slot_key)
    start(settings, job)
    return job


async def ended(settings: Settings, job_id: str, wait_s: float) -> JobRecord:
    """Wait for a job without keeping a thread: any number may wait, and others are answered.

    Raises
    ------
    JobFailed, InsufficientData, market.errors.MarketError
        It failed.
    """
    until = time.monotonic() + wait_s
    while True:
        job = await run_in_threadpool(jobs.look, settings, job_id)
        if job.finished_at is not None and job.status != COMPLETED:
            raise jobs.again(job)
        if job.finished_at is not None or time.monotonic() > until:
            return job
        await asyncio.sleep(_EVERY_S)


def predict(settings: Settings, params: Mapping[str, Any]) -> JobRecord:
    """Forecast in another process; return the job at once."""
    job = jobs.ask(settings, jobs.PREDICT, params)
    start(settings, job)
    return job


def started(request: Request, job: JobRecord, what: str, status: int = 202) -> JSONResponse:
    """Return the guide's answer to something that goes on in the background."""
    where = f"{PATH}/{job.id}"
    content = {
        "status": "running",
        "prediction_id": job.id,
        "message": f"{what} started. Check status at {where}",
    }
    headers = {"Location": str(request.url.replace(path=where, query="")), "Retry-After": "2"}
    return JSONResponse(content, status, headers)
