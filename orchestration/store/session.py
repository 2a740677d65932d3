"""The ground that every group of records stands on: one engine, short transactions, upserts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import Connection, Engine, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, StatementError

from orchestration.store.database import open_database
from orchestration.store.errors import BadRecord, DatabaseDown


def utc_now() -> datetime:
    """Return the time by the machine's clock."""
    return datetime.now(UTC)


class Session:
    """One engine, thread-safe; each method of a subclass is one short transaction.

    Parameters
    ----------
    url : str
        Database URL; see `orchestration.store.database.open_database`.
    clock : callable
        Gives the time that records are stamped with.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = open_database(url)
        # Without preserve_rowcount, an INSERT on Postgres does not say how many rows were new.
        self._writer: Engine = self._engine.execution_options(
            tidewheel_writes=True, preserve_rowcount=True
        )
        self._clock = clock

    def at(self, moment: datetime) -> Self:
        """Return the same store with a clock that stands at `moment`, as a replay needs it."""
        other = copy(self)
        other._clock = lambda: moment
        return other

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _translated(), self._writer.begin() as connection:
            yield connection

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return the INSERT of this database that knows ON CONFLICT."""
        if self._engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)

    def _upsert(self, table: Table, row: Mapping[str, Any], update: Sequence[str]) -> Insert:
        """Return the statement that writes `row`, or where its key exists only `update` of it."""
        insert = self._insert(table).values(**row)
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: insert.excluded[name] for name in update},
        )


_DOWN = ("OperationalError", "InternalError", "DatabaseError")
"""Of the driver's errors those that are nobody's mistake: a lost server, a full or bad disk."""


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into the store's."""
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated or type(error).__name__ in _DOWN:
            raise DatabaseDown(f"the database failed: {error.orig}") from error
        raise
    except StatementError as error:
        # What a column refused: a time without a zone, a value JSON has no form for.
        raise BadRecord(str(error.orig)) from error
