"""Opening the database: SQLite or Postgres, migrated to the newest schema under a lock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from orchestration.store.encoding import encode
from orchestration.store.errors import DatabaseDown
from orchestration.store.migrations import upgrade

FORMS = "sqlite:////path/to/file.db or postgresql://user:password@host/database"
BUSY_MS = 30_000
LOCK_S = 120
# Any constant does, as long as every Tidewheel process uses the same.
POSTGRES_LOCK = 7_427_001

# Alembic keeps the migration that runs in a module global: one at a time in a process.
_MIGRATING = threading.Lock()


def open_database(url: str) -> Engine:
    """Return an engine on the database at `url`, created and migrated if need be.

    Safe to call from many threads and processes at once.

    Parameters
    ----------
    url : str
        ``sqlite:////absolute/path.db`` or ``postgresql://user:password@host/database``.

    Raises
    ------
    DatabaseDown
        It cannot be reached, opened or understood.
    DatabaseTooNew
        A newer Tidewheel has migrated it.
    """
    where = _parse(url)
    engine = _sqlite(where) if where.get_backend_name() == "sqlite" else _postgres(where)
    try:
        with _MIGRATING, _alone(engine, where):
            _migrate(engine)
    except (DBAPIError, OSError) as error:
        engine.dispose()
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseDown(
            f"cannot open {where.render_as_string(hide_password=True)}: {reason}"
        ) from error
    return engine


def _parse(url: str) -> URL:
    """Read the URL; Postgres means psycopg 3, in whichever spelling."""
    try:
        where = make_url(url)
    except ArgumentError:
        # Not shown: what cannot be parsed cannot be cleared of its password.
        raise DatabaseDown(f"the database URL cannot be read; write {FORMS}") from None
    name = where.get_backend_name()
    if name in {"postgres", "postgresql"}:
        return where.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        raise DatabaseDown(f"{name} is not supported; write {FORMS}")
    if where.database in {None, "", ":memory:"}:
        raise DatabaseDown("the store must outlive its process: give the SQLite file a path")
    return where.set(database=str(Path(str(where.database)).expanduser().absolute()))


def _sqlite(where: URL) -> Engine:
    engine = create_engine(where, json_serializer=encode, pool_size=16, max_overflow=-1)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # Transactions are begun below, not by the driver, which would begin them too late.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the write lock at once: one that read first could not wait for it later.
        writes = connection.get_execution_options().get("tidewheel_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres(where: URL) -> Engine:
    # pre_ping: a server that was restarted in mid-turn costs a reconnect, not the turn.
    return create_engine(where, json_serializer=encode, pool_pre_ping=True)


def _migrate(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        # Kept in the file itself; set here, under the lock, because it wants the file to itself.
        raw = engine.raw_connection()
        raw.cursor().execute("PRAGMA journal_mode=WAL")
        raw.close()
    with engine.connect().execution_options(tidewheel_writes=True) as connection:
        upgrade(connection)


@contextmanager
def _alone(engine: Engine, where: URL) -> Iterator[None]:
    """Hold the lock under which a fresh database is made and migrated."""
    if engine.dialect.name == "sqlite":
        Path(str(where.database)).parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{where.database}.lock", timeout=LOCK_S):
                yield
        except Timeout:
            raise DatabaseDown(
                f"another process has been migrating {where.database} for {LOCK_S} s"
            ) from None
        return
    with engine.connect() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": POSTGRES_LOCK})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": POSTGRES_LOCK})
