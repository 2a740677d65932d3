"""A background job of the REST API as a flow run, so that the Prefect UI shows it too."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from flows.parameters import Source
from flows.recovery import alive
from orchestration.service.job_worker import work
from orchestration.settings import load_settings


@flow(name="job", persist_result=False)
def job(job_id: str, source: Source = None) -> None:
    """Train a forecaster or forecast, as somebody asked the REST API.

    Its status and result lie in the store under its id, whoever does it.

    Args:
        job_id: Under which the store knows it; GET /api/predictions/{id} tells how far it is.
        source: Where candles come from (simulated, files:<folder>, exchange:<id>).
    """
    settings = load_settings(source=source)
    with alive(settings.prefect_dir, str(flow_run.get_id())):
        work(settings, job_id)
