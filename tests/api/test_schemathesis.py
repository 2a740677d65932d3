"""Whatever OpenAPI allows and whatever it does not, sent to a real server: schemathesis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

from orchestration.service import jobs
from orchestration.service.ml_service import get_ml_service
from orchestration.service.resources import store_of
from orchestration.settings import Settings
from tests.api.conftest import Serve

TOKEN = "a-token-of-this-test"


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_no_request_breaks_what_openapi_promises(settings: Settings, serve: Serve) -> None:
    """Status codes, content types, bodies, refused nonsense, accepted sense, and the token."""
    get_ml_service(settings).train_model("BTC-USDT", "1m", 12, 2)
    quick = settings.api.model_copy(update={"wait_s": 0, "rate": 1e6, "burst": 10**6})
    client = serve(settings.model_copy(update={"api": quick, "api_token": TOKEN}))
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{client.base_url}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--checks", "all",
        "--max-examples", os.environ.get("TIDEWHEEL_SCHEMATHESIS", "5"),
        "--phases", "examples,coverage,fuzzing", "--seed", "1", "--no-color",
    ]  # fmt: skip
    # In a folder of its own: it leaves what it has found beside it.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=280, cwd=settings.home
    )
    for job in jobs.settle(settings):  # what it started need not be finished
        store_of(settings).finish_job(job.id, reason="the test is over")
        if job.pid:
            os.kill(job.pid, signal.SIGKILL)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
