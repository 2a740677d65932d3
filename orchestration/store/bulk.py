"""Many rows of numbers in and out at the speed of the driver.

A table of the ledger is nothing but numbers, so that a million rows need no object each: they come
out as one float64 matrix (milliseconds since 1970 are exact in it), and go in as columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import Connection

from orchestration.store.errors import DatabaseDown

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

# Rows that are Python objects at one time.
BATCH = 20_000
_TYPES = {"i2": "smallint", "i4": "integer", "i8": "bigint", "f8": "double precision"}
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"


def read(connection: Connection, columns: tuple[str, ...], rest: str) -> Floats:
    """Return ``SELECT columns rest`` as float64 [n, C]; NaN where there is NULL.

    Parameters
    ----------
    columns
        SQL expressions that are numbers.
    rest
        From ``FROM`` on, made of our own words and of numbers: nothing in it is quoted.
    """
    if connection.dialect.name == "sqlite":
        return _fetch(connection, f"SELECT {', '.join(columns)} {rest}", len(columns))
    return _aggregate(connection, columns, rest)


def insert(connection: Connection, table: str, columns: Columns, nulls: bool = False) -> int:
    """Insert rows whose key is not there yet and return how many were new.

    Parameters
    ----------
    table
        Its primary key decides what is there.
    columns
        Arrays [n] by column name, none of them with a key twice.
    nulls
        Whether NaN is written as NULL.
    """
    n = len(next(iter(columns.values())))
    if not n:
        return 0
    if connection.dialect.name == "sqlite":
        return _executemany(connection, table, columns, n)  # which writes NaN as NULL
    return _copy_in(connection, table, columns, nulls)


def _fetch(connection: Connection, query: str, width: int) -> Floats:
    cursor: Any = connection.exec_driver_sql(query).cursor
    parts = [np.empty((0, width))]
    while rows := cursor.fetchmany(BATCH):
        parts.append(np.array(rows, dtype=np.float64))
    cursor.close()
    return np.concatenate(parts)


def _executemany(connection: Connection, table: str, columns: Columns, n: int) -> int:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    # The names are this module's callers' own, never a user's.
    query = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    new = 0
    for start in range(0, n, BATCH):
        part = [values[start : start + BATCH].tolist() for values in columns.values()]
        rows = list(zip(*part, strict=True))
        new += connection.exec_driver_sql(query, rows).rowcount
    return new


def _aggregate(connection: Connection, columns: tuple[str, ...], rest: str) -> Floats:
    """Let the server put all rows into few long answers: a message a row costs more than the row.

    One answer for each value of the first column, since none may be longer than a gigabyte.
    """
    # Every field eight bytes and none of them null: then all rows are of one length.
    names = [f"c{k}" for k in range(len(columns))]
    floats = ", ".join(
        f"coalesce(({column})::float8, 'NaN') AS {name}"
        for column, name in zip(columns, names, strict=True)
    )
    row = " || ".join(f"float8send({name})" for name in names)
    query = f"SELECT string_agg({row}, ''::bytea) FROM (SELECT {floats} {rest}) q GROUP BY c0"
    with _cursor(connection, binary=True) as cursor:
        told = b"".join(answer for (answer,) in cursor.execute(query))
    return np.frombuffer(told, dtype=">f8").reshape(-1, len(columns)).astype(np.float64)


def _copy_in(connection: Connection, table: str, columns: Columns, nulls: bool) -> int:
    kinds = {name: values.dtype.str[1:] for name, values in columns.items()}
    typed = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in kinds.items())
    names = ", ".join(columns)
    # A session keeps its empty tables: making one anew for each batch would swell the catalogue.
    batch = f"batch_of_{table}_{'_'.join(kinds.values())}"
    values = [f"nullif({n}, 'NaN')" if nulls and k == "f8" else n for n, k in kinds.items()]
    with _cursor(connection) as cursor:
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {batch} ({typed}) ON COMMIT DELETE ROWS")
        with cursor.copy(f"COPY {batch} ({names}) FROM STDIN (FORMAT BINARY)") as into:
            for block in _blocks(columns):
                into.write(block)
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {batch} "
            "ON CONFLICT DO NOTHING"
        )
        return int(cursor.rowcount)


def _blocks(columns: Columns) -> Iterator[bytes]:
    """Yield the rows in the binary form of COPY."""
    n = len(next(iter(columns.values())))
    fields: list[Any] = [("count", ">i2")]
    for name, values in columns.items():
        fields += [(f"{name}_bytes", ">i4"), (name, f">{values.dtype.str[1:]}")]
    yield _HEADER
    for start in range(0, n, BATCH):
        rows = np.empty(min(BATCH, n - start), dtype=fields)
        rows["count"] = len(columns)
        for name, values in columns.items():
            rows[f"{name}_bytes"] = values.dtype.itemsize
            rows[name] = values[start : start + BATCH]
        yield rows.tobytes()
    yield _TRAILER


@contextmanager
def _cursor(connection: Connection, *, binary: bool = False) -> Iterator[Any]:
    """Open psycopg's own cursor in the transaction of `connection`."""
    connection.exec_driver_sql("SELECT 1")  # begins it, if it was not
    driver: Any = connection.connection
    try:
        with driver.cursor(binary=binary) as cursor:
            yield cursor
    except psycopg.OperationalError as error:
        raise DatabaseDown(f"the database failed: {error}") from error
