"""The ledger as numbers: floats instead of JSON, ids instead of names, and a view for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.BLOB(), "sqlite")
ROLES = ("champion", "shadow", "baseline", "backfill")
WIDTH = 4
BATCH = 20_000
VIEW = """
CREATE VIEW ledger AS
SELECT m.slot_key, m.version, s.symbol, p.ts_ms,
  CASE p.role WHEN 0 THEN 'champion' WHEN 1 THEN 'shadow' WHEN 2 THEN 'baseline'
    WHEN 3 THEN 'backfill' END AS role,
  p.made_ms, p.raw_0, p.raw_1, p.raw_2, p.raw_3, o.ts_ms IS NOT NULL AS resolved,
  o.outcome_0, o.outcome_1, o.outcome_2, o.outcome_3
FROM predictions p
JOIN models m ON m.id = p.model_id
JOIN symbols s ON s.id = p.symbol_id
LEFT JOIN slots k ON k.slot_key = m.slot_key
LEFT JOIN outcomes o ON o.slot_id = k.id AND o.symbol_id = p.symbol_id AND o.ts_ms = p.ts_ms
"""


def upgrade() -> None:
    put_aside("predictions", "outcomes")
    create_numbers()
    symbols = name_all("symbols", "symbol", SYMBOLS)
    slots = name_all("slots", "slot_key", SLOTS, raws=1, outcomes=1)

    def prediction(row: Any) -> tuple[Any, ...]:
        model_id, ts_ms, symbol, role, raw, made_ms = row
        key = (model_id, symbols[symbol], ts_ms)
        return (*key, ROLES.index(role), made_ms, *padded(raw))

    def outcome(row: Any) -> tuple[Any, ...]:
        slot_key, ts_ms, symbol, numbers = row
        return (slots[slot_key], symbols[symbol], ts_ms, *padded(numbers))

    old = "SELECT model_id, ts_ms, symbol, role, raw, made_ms FROM old_predictions"
    copy(old, "predictions", 5 + WIDTH, prediction)
    copy(
        "SELECT slot_key, ts_ms, symbol, outcome FROM old_outcomes", "outcomes", 3 + WIDTH, outcome
    )
    count_numbers()
    op.drop_table("old_predictions")
    op.drop_table("old_outcomes")
    op.execute(VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW ledger")
    put_aside("predictions", "outcomes")
    create_texts()

    def prediction(row: Any) -> tuple[Any, ...]:
        return (*row[:3], ROLES[row[3]], text_of(row[5:]), row[4])

    def outcome(row: Any) -> tuple[Any, ...]:
        return (*row[:3], text_of(row[3:]))

    numbers = ", ".join(f"p.raw_{k}" for k in range(WIDTH))
    copy(
        f"SELECT p.model_id, p.ts_ms, s.symbol, p.role, p.made_ms, {numbers} "
        "FROM old_predictions p JOIN symbols s ON s.id = p.symbol_id",
        "predictions",
        6,
        prediction,
    )
    numbers = ", ".join(f"o.outcome_{k}" for k in range(WIDTH))
    copy(
        f"SELECT k.slot_key, o.ts_ms, s.symbol, {numbers} FROM old_outcomes o "
        "JOIN slots k ON k.id = o.slot_id JOIN symbols s ON s.id = o.symbol_id",
        "outcomes",
        4,
        outcome,
    )
    for table in ("old_predictions", "old_outcomes", "slots", "symbols"):
        op.drop_table(table)


SYMBOLS = "SELECT symbol FROM old_predictions UNION SELECT symbol FROM old_outcomes ORDER BY 1"
SLOTS = "SELECT slot_key FROM models UNION SELECT slot_key FROM old_outcomes ORDER BY 1"


def put_aside(*tables: str) -> None:
    """Rename tables, and with them what Postgres lets exist once only: the names of their keys."""
    for table in tables:
        op.rename_table(table, f"old_{table}")
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER INDEX pk_{table} RENAME TO pk_old_{table}")


def create_numbers() -> None:
    for table, column in (("slots", "slot_key"), ("symbols", "symbol")):
        widths = ("raws", "outcomes") if table == "slots" else ()
        op.create_table(
            table,
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column(column, sa.String(), nullable=False),
            *(sa.Column(name, sa.Integer(), nullable=False) for name in widths),
            sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
            sa.UniqueConstraint(column, name=f"uq_{table}_{column}"),
        )
    op.create_table(
        "predictions",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("symbol_id", sa.Integer(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("raw_0", NUMBER, nullable=False),
        *(sa.Column(f"raw_{k}", NUMBER, nullable=True) for k in range(1, WIDTH)),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_predictions_model_id"),
        sa.PrimaryKeyConstraint("model_id", "symbol_id", "ts_ms", name="pk_predictions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcomes",
        sa.Column("slot_id", sa.Integer(), nullable=False),
        sa.Column("symbol_id", sa.Integer(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        *(sa.Column(f"outcome_{k}", NUMBER, nullable=True) for k in range(WIDTH)),
        sa.PrimaryKeyConstraint("slot_id", "symbol_id", "ts_ms", name="pk_outcomes"),
        sqlite_with_rowid=False,
    )


def create_texts() -> None:
    op.create_table(
        "predictions",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("raw", sa.JSON(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_predictions_model_id"),
        sa.PrimaryKeyConstraint("model_id", "ts_ms", "symbol", name="pk_predictions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcomes",
        sa.Column("slot_key", sa.String(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("slot_key", "ts_ms", "symbol", name="pk_outcomes"),
        sqlite_with_rowid=False,
    )


def name_all(table: str, column: str, query: str, **besides: int) -> dict[str, int]:
    """Give every name an id, and return them."""
    bind = op.get_bind()
    names = [row[0] for row in bind.exec_driver_sql(query)]
    rows = [{"id": k, column: name, **besides} for k, name in enumerate(names, start=1)]
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ("id", column, *besides)]
    if rows:
        bind.execute(sa.insert(sa.table(table, *columns)), rows)
    if bind.dialect.name == "postgresql":  # ids were given by hand: the next one comes after them
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {len(rows) + 1}, false)"
        )
    return {row[column]: row["id"] for row in rows}


def copy(query: str, table: str, columns: int, turn: Callable[[Any], tuple[Any, ...]]) -> None:
    """Read rows of `query` in batches and write what `turn` makes of them."""
    bind = op.get_bind()
    mark = "?" if bind.dialect.name == "sqlite" else "%s"
    insert = f"INSERT INTO {table} VALUES ({', '.join([mark] * columns)})"
    for rows in batches(bind, query):
        bind.exec_driver_sql(insert, [turn(row) for row in rows])


def batches(bind: sa.Connection, query: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of a query, not all of them at once."""
    if bind.dialect.name == "postgresql":  # a cursor of the server's: the ledger may be large
        bind.exec_driver_sql(f"DECLARE old_rows NO SCROLL CURSOR FOR {query}")
        while rows := bind.exec_driver_sql(f"FETCH {BATCH} FROM old_rows").fetchall():
            yield rows
        bind.exec_driver_sql("CLOSE old_rows")
        return
    result = bind.exec_driver_sql(query)
    while rows := result.fetchmany(BATCH):
        yield rows


def padded(numbers: Any) -> tuple[float | None, ...]:
    """Return a JSON list as so many floats as a row has."""
    found = json.loads(numbers) if isinstance(numbers, (str, bytes)) else numbers
    if len(found) > WIDTH:
        raise ValueError(f"{len(found)} numbers in a row of the ledger, which holds {WIDTH}")
    floats = [None if number is None else float(number) for number in found]
    return (*floats, *([None] * (WIDTH - len(floats))))


def text_of(numbers: Any) -> str:
    """Return a row's floats as a JSON list; what is null at its end was never there."""
    kept = list(numbers)
    while len(kept) > 1 and kept[-1] is None:
        kept.pop()
    return json.dumps(kept)


def count_numbers() -> None:
    """Note for each slot how many numbers its rows hold."""
    raws = " + ".join(f"(p.raw_{k} IS NOT NULL)::int" for k in range(WIDTH))
    if op.get_bind().dialect.name == "sqlite":
        raws = " + ".join(f"(p.raw_{k} IS NOT NULL)" for k in range(WIDTH))
    op.execute(
        f"UPDATE slots SET raws = coalesce((SELECT max({raws}) FROM predictions p "
        "JOIN models m ON m.id = p.model_id WHERE m.slot_key = slots.slot_key), 1), "
        "outcomes = coalesce((SELECT max(CASE WHEN o.outcome_3 IS NOT NULL THEN 4 "
        "WHEN o.outcome_2 IS NOT NULL THEN 3 WHEN o.outcome_1 IS NOT NULL THEN 2 ELSE 1 END) "
        "FROM outcomes o WHERE o.slot_id = slots.id), 1)"
    )
