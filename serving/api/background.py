"""Start a job, wait for it as long as a request may, and say where to look for it after that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from orchestration.service import jobs
from orchestration.service.forecasting import Order
from orchestration.service.job_worker import launch
from orchestration.settings import Settings
from orchestration.store.records import COMPLETED, JobRecord

PATH = "/api/predictions"


def train(settings: Settings, order: Order, wait_s: float) -> JobRecord:
    """Train in a process of its own; return the job as it is when it ended or time is up.

    Raises
    ------
    TrainingRunning
        Its slot is being trained already.
    JobFailed
        It failed.
    """
    job = jobs.ask(settings, jobs.TRAIN, vars(order), slot_key=order.slot_key)
    launch(settings, job)
    return ended(settings, job.id, wait_s)


def ended(settings: Settings, job_id: str, wait_s: float) -> JobRecord:
    """Wait for a job.

    Raises
    ------
    JobFailed
        It failed.
    """
    job = jobs.wait(settings, job_id, wait_s)
    if job.finished_at is not None and job.status != COMPLETED:
        raise jobs.again(job)
    return job


def predict(settings: Settings, params: Mapping[str, Any]) -> JobRecord:
    """Forecast in a process of its own; return the job at once."""
    job = jobs.ask(settings, jobs.PREDICT, params)
    launch(settings, job)
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
