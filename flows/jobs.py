"""Who does a background job: the worker of `tidewheel up`, else a process of its own."""

from __future__ import annotations

from typing import Any

import httpx

from flows.servers import prefect_kind, read_state
from flows.up import POOL
from orchestration.service.job_worker import launch
from orchestration.settings import Settings
from orchestration.store.records import JobRecord

DEPLOYMENT = "job/on-demand"
_SECONDS = 10.0


def start(settings: Settings, job: JobRecord) -> str | None:
    """Let a job be done; return the id of its flow run, None where Prefect has no part in it."""
    url = desk_of(settings)
    if url is not None:
        try:
            return _ordered(url, settings, job)
        except (httpx.HTTPError, KeyError, ValueError):
            pass  # a server that ends just now: the job does not wait for the next one
    launch(settings, job)
    return None


def desk_of(settings: Settings) -> str | None:
    """Return the address of this home's Prefect server, if a worker of its pool is there too."""
    kind = prefect_kind(settings)
    url = read_state(kind).get("url")
    if not url or not kind.answers(str(url)):
        return None
    try:
        workers = _post(f"{url}/api/work_pools/{POOL}/workers/filter", {})
    except (httpx.HTTPError, ValueError):
        return None
    return str(url) if any(one.get("status") == "ONLINE" for one in workers) else None


def _ordered(url: str, settings: Settings, job: JobRecord) -> str:
    found = httpx.get(
        f"{url}/api/deployments/name/{DEPLOYMENT}", timeout=_SECONDS, trust_env=False
    ).raise_for_status()
    parameters = {"job_id": job.id, "source": settings.source}
    asked = {"name": f"{job.kind}-{job.id[:8]}", "parameters": parameters}
    where = f"{url}/api/deployments/{found.json()['id']}/create_flow_run"
    return str(_post(where, asked)["id"])


def _post(url: str, body: dict[str, Any]) -> Any:
    answer = httpx.post(url, json=body, timeout=_SECONDS, trust_env=False)
    return answer.raise_for_status().json()
