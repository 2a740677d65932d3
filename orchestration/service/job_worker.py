"""A process of its own for one job: it outlives who asked for it, and dies alone.

Its settings come as JSON on standard input, never on a command line or disk: they may name a
database with its password.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading

from orchestration.service import jobs
from orchestration.service.ml_service import MLService
from orchestration.settings import Settings, load_settings
from orchestration.store.records import JobRecord


def launch(settings: Settings, job: JobRecord) -> subprocess.Popen[bytes]:
    """Start the process that does a job; it goes on when this one ends."""
    told = settings.model_dump(mode="json", exclude={"api_token"})
    with jobs.log_file(settings, job.id).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.service.job_worker", job.id],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(json.dumps(told).encode())
    # Waited for: a child that ended and that nobody waits for stays in the table of processes.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def main(job_id: str) -> int:
    """Do a job; return the exit status."""
    settings = load_settings(**json.load(sys.stdin))
    work(settings, job_id)
    return 0


def work(settings: Settings, job_id: str) -> None:
    """Do a job in this process and store what came of it."""
    job = jobs.look(settings, job_id)
    with jobs.at_work(settings, job_id) as tell:
        MLService(settings).do(job, tell)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main(sys.argv[1]))
