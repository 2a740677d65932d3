"""Background work: a record in the store, a process that does it, and a lock that proves it lives.

A worker holds a file lock for as long as its process lives. The kernel frees it at any end, `kill
-9` included: a record that says running beside a lock that is free is of a dead worker, and becomes
failed as soon as anybody looks. On another machine, or before a restart of this one, silence tells.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import market.errors
from market.errors import MarketError
from orchestration.service.errors import InsufficientData, JobFailed, TooManyJobs, TrainingRunning
from orchestration.service.resources import store_of
from orchestration.settings import Settings
from orchestration.store.errors import DatabaseError
from orchestration.store.records import QUEUED, JobRecord

Json = dict[str, Any]
Tell = Callable[[str, float], None]
TRAIN, PREDICT, SAVED = "train", "predict", "saved"
OPEN_MOST = 20
"""Jobs that may wait or run; more are refused."""
BEAT_S, SILENT_S = 5.0, 60.0
_START_S = 120.0  # a worker imports its libraries within seconds; on a busy machine in a minute


def ask(
    settings: Settings,
    kind: str,
    params: Mapping[str, Any],
    *,
    slot_key: str | None = None,
    owner: str | None = None,
) -> JobRecord:
    """Record that something is to be done; nothing does it yet.

    Raises
    ------
    TrainingRunning
        Another job has the slot.
    TooManyJobs
        Too many are open.
    """
    store = store_of(settings)
    waiting = settle(settings)
    if len(waiting) >= OPEN_MOST:
        raise TooManyJobs(
            f"{len(waiting)} jobs wait or run, and {OPEN_MOST} may",
            "ask again when some of them have ended",
            open=len(waiting),
            most=OPEN_MOST,
        )
    store.prune_jobs(settings.api.jobs_keep)
    own = uuid.uuid4().hex
    job = store.add_job(own, kind, params, slot_key=slot_key, owner=owner)
    if job.id != own:
        raise TrainingRunning(
            f"{slot_key} is being trained already, by job {job.id}",
            f"wait for it: GET /api/predictions/{job.id} tells how far it is",
            job_id=job.id,
            slot=slot_key,
        )
    return job


def settle(settings: Settings) -> list[JobRecord]:
    """Mark jobs failed whose worker is dead; return those that are open."""
    return [
        job for job in store_of(settings).list_jobs(only_open=True) if not _ended(settings, job)
    ]


def look(settings: Settings, job_id: str) -> JobRecord:
    """Return a job as it truly is.

    Raises
    ------
    UnknownJob
        There is none.
    """
    job = store_of(settings).get_job(job_id)
    return store_of(settings).get_job(job_id) if _ended(settings, job) else job


def _ended(settings: Settings, job: JobRecord) -> bool:
    """Return whether a job that looks open has ended, after writing so where it is dead."""
    if job.finished_at is not None:
        return False
    reason = _death(settings, job)
    if reason is None:
        return False
    store_of(settings).finish_job(job.id, reason=reason)
    return True


def _death(settings: Settings, job: JobRecord) -> str | None:
    """Return why an open job will never end by itself; None where somebody is at it."""
    silent = (datetime.now(UTC) - job.heard_at).total_seconds()
    if job.boot not in (None, boot()):
        if silent < SILENT_S:
            return None
        return f"its machine was started anew, or went silent {silent:.0f} s ago; ask again"
    if _held(settings, job.id) or (job.status == QUEUED and silent < _START_S):
        return None
    if job.status == QUEUED:
        return f"no process took it up within {_START_S:.0f} s; ask again"
    return f"its process, {job.pid}, ended without a word at {job.stage!r}; ask again"


@contextmanager
def at_work(settings: Settings, job_id: str, *, seated: bool = False) -> Iterator[Tell]:
    """Do a job in this process: hold its lock, tell how far it is, and write how it ends.

    The block is given a function of stage and progress (0 … 1). It ends with the store's
    `finish_job`; whatever it raises is the reason of a failure, and goes on. It waits for a seat
    first, of which there are `Settings.workers`, unless it is `seated` already.

    Raises
    ------
    JobFailed
        The job has ended already, or another process is at it.
    """
    store, lock = store_of(settings), FileLock(_lock_file(settings, job_id))
    try:
        lock.acquire(timeout=10)  # who looks whether it is free holds it for a moment
    except Timeout:
        raise JobFailed(f"job {job_id} is done by another process", "leave it to that") from None
    seat = nullcontext() if seated else _seat(settings)
    with lock, seat, _beating(settings, job_id) as tell:
        if not store.begin_job(job_id, os.getpid(), boot()):
            raise JobFailed(f"job {job_id} has ended before it began", "ask again")
        try:
            yield tell
        except BaseException as error:
            store.finish_job(job_id, reason=str(error) or type(error).__name__, result=_told(error))
            raise
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)


def _told(error: BaseException) -> Json:
    """Return what else an error says, so that another process can raise it again."""
    known = {name: getattr(error, name, None) for name in ("remedy", "numbers")}
    return {"error": type(error).__name__, **{n: v for n, v in known.items() if v is not None}}


def again(job: JobRecord) -> Exception:
    """Return the error that a job failed with, or one that says so, to be raised here.

    What a user can mend keeps its own kind: too few bars, a symbol that is none, a source that is
    down.
    """
    told, said = job.result or {}, str(job.reason)
    name, remedy = str(told.get("error")), str(told.get("remedy"))
    if name == InsufficientData.__name__:
        return InsufficientData(
            said.removesuffix(f"; {remedy}"), remedy, **told["numbers"], job_id=job.id
        )
    kind = getattr(market.errors, name, None)
    if isinstance(kind, type) and issubclass(kind, MarketError):
        return kind(said)
    return JobFailed(
        f"job {job.id} failed: {said}", "mend what it names and ask again", job_id=job.id
    )


@contextmanager
def _seat(settings: Settings) -> Iterator[None]:
    """Wait for one of the seats: so many jobs work at a time as fits do in a turn."""
    seats = [FileLock(_folder(settings) / f"seat-{k}") for k in range(settings.workers)]
    while True:
        for seat in seats:
            with suppress(Timeout):
                seat.acquire(timeout=0)
                try:
                    yield
                finally:
                    seat.release()
                return
        time.sleep(0.2)


@contextmanager
def _beating(settings: Settings, job_id: str) -> Iterator[Tell]:
    """Say every few seconds that the job is alive, and how far it is."""
    said, over = ("begins", 0.0), threading.Event()

    def tell(stage: str, progress: float) -> None:
        nonlocal said
        said = stage, progress
        with suppress(DatabaseError):  # a database that is down stops no training
            store_of(settings).hear_job(job_id, *said)

    def beat() -> None:
        while not over.wait(BEAT_S):
            tell(*said)

    thread = threading.Thread(target=beat, daemon=True, name=f"job-{job_id}")
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()


def wait(settings: Settings, job_id: str, seconds: float) -> JobRecord:
    """Return a job once it has ended, or as it is after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        job = look(settings, job_id)
        if job.finished_at is not None or time.monotonic() > until:
            return job
        time.sleep(0.1)


def boot() -> str:
    """Return a word that is the same in all processes of this machine until its next start."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node()} {file.read_text().strip() if file.exists() else ''}".strip()


def _folder(settings: Settings) -> Path:
    folder = settings.work_dir / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def log_file(settings: Settings, job_id: str) -> Path:
    """Return where the worker of a job writes what nobody foresaw."""
    return _folder(settings) / f"{job_id}.log"


def _lock_file(settings: Settings, job_id: str) -> Path:
    return _folder(settings) / f"{job_id}.lock"


def _held(settings: Settings, job_id: str) -> bool:
    path = _lock_file(settings, job_id)
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
