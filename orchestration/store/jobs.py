"""Jobs: work in the background, who does it, how far it is and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Index, Row, Table, delete, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from orchestration.store.errors import UnknownJob
from orchestration.store.records import COMPLETED, FAILED, QUEUED, RUNNING, JobRecord
from orchestration.store.session import Session
from orchestration.store.tables import Base, Json


class JobRow(Base):
    """One piece of background work."""

    __tablename__ = "background_jobs"  # `jobs` is MLflow's, and both may share a database
    __table_args__ = (
        Index(None, "created_at"),
        # One open job a slot, whoever writes.
        Index(
            "uq_background_jobs_open_slot",
            "slot_key",
            unique=True,
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    slot_key: Mapped[str | None]
    status: Mapped[str]
    params: Mapped[Json]
    stage: Mapped[str]
    progress: Mapped[float]
    result: Mapped[Json | None]
    reason: Mapped[str | None]
    owner: Mapped[str | None]
    pid: Mapped[int | None]
    boot: Mapped[str | None]
    created_at: Mapped[datetime]
    heard_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


JOBS: Table = JobRow.__table__  # type: ignore[assignment]
_OPEN = JOBS.c.finished_at.is_(None)


class Jobs(Session):
    """The part of the store that knows what goes on in the background."""

    def add_job(
        self,
        job_id: str,
        kind: str,
        params: Mapping[str, Any],
        *,
        slot_key: str | None = None,
        owner: str | None = None,
    ) -> JobRecord:
        """Store that something is to be done; return it, or the open job that has its slot.

        Parameters
        ----------
        job_id : str
            Its name, new.
        kind : str
            What is to be done.
        params : mapping
            With what.
        slot_key : str, optional
            Of which only one job may be open at a time.
        owner : str, optional
            Who asks.
        """
        now = self._clock()
        row = {
            "id": job_id, "kind": kind, "slot_key": slot_key, "status": QUEUED,
            "params": dict(params), "stage": QUEUED, "progress": 0.0, "owner": owner,
            "created_at": now, "heard_at": now,
        }  # fmt: skip
        taken = select(JOBS).where(JOBS.c.slot_key == slot_key, _OPEN)
        with self._writing() as connection:
            connection.execute(self._insert(JOBS).values(**row).on_conflict_do_nothing())
            found = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
            return _job(found or connection.execute(taken).one())

    def begin_job(self, job_id: str, pid: int, boot: str) -> bool:
        """Store who does a job; False where it is not queued any more."""
        now = self._clock()
        values = {"status": RUNNING, "stage": "begins", "pid": pid, "boot": boot, "heard_at": now}
        return self._change(job_id, values, JOBS.c.status == QUEUED)

    def hear_job(self, job_id: str, stage: str, progress: float) -> bool:
        """Store how far a job is, 0 … 1; False where it has ended."""
        values = {"stage": stage, "progress": progress, "heard_at": self._clock()}
        return self._change(job_id, values, _OPEN)

    def finish_job(
        self, job_id: str, *, result: Mapping[str, Any] | None = None, reason: str | None = None
    ) -> bool:
        """Store the end of a job: completed with a result, or failed for a reason.

        The result of a failure is what else is known of it.

        Returns
        -------
        bool
            False where it has ended already; that end stays.
        """
        now = self._clock()
        values: dict[str, Any] = {"finished_at": now, "heard_at": now}
        if reason is None:
            done = {"status": COMPLETED, "stage": COMPLETED, "progress": 1.0}
            values |= {**done, "result": dict(result or {})}
        else:
            known = None if result is None else dict(result)
            values |= {"status": FAILED, "reason": reason, "result": known}
        return self._change(job_id, values, _OPEN)

    def get_job(self, job_id: str) -> JobRecord:
        """Return a job.

        Raises
        ------
        UnknownJob
            None has that name.
        """
        with self._reading() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
        if row is None:
            raise UnknownJob(f"no job or prediction has the id {job_id!r}")
        return _job(row)

    def list_jobs(self, limit: int | None = None, *, only_open: bool = False) -> list[JobRecord]:
        """Return jobs, the last asked for first."""
        query = select(JOBS).order_by(JOBS.c.created_at.desc(), JOBS.c.id).limit(limit)
        if only_open:
            query = query.where(_OPEN)
        with self._reading() as connection:
            return [_job(row) for row in connection.execute(query)]

    def prune_jobs(self, keep: int) -> None:
        """Delete finished jobs but the newest `keep`."""
        newest = select(JOBS.c.created_at).where(~_OPEN).order_by(JOBS.c.created_at.desc())
        with self._writing() as connection:
            oldest = connection.execute(newest.offset(keep - 1).limit(1)).scalar_one_or_none()
            if oldest is not None:
                connection.execute(delete(JOBS).where(~_OPEN, JOBS.c.created_at < oldest))

    def _change(self, job_id: str, values: Mapping[str, Any], where: Any) -> bool:
        query = update(JOBS).where(JOBS.c.id == job_id, where).values(**values)
        with self._writing() as connection:
            return connection.execute(query).rowcount > 0


def _job(row: Row[Any]) -> JobRecord:
    return JobRecord(**row._asdict())
