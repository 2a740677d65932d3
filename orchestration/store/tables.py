"""The tables of the store, as SQLAlchemy sees them.

A change here needs a revision in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BLOB,
    DDL,
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    SmallInteger,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

Json = dict[str, Any]

NUMBER: TypeEngine[float] = Double().with_variant(BLOB(), "sqlite")
"""A float with all its bits. In a column called REAL, SQLite stores -0.0 as the whole number 0; a
column without any conversion keeps what it is given, and SQL computes with it all the same."""

# Every constraint has a name, so that any later revision can address it on any database.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time that is UTC on the way in and on the way out.

    SQLite has no zones: there the naive UTC time is stored.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware datetime into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; the store takes only aware times")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the stored time its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        Json: JSON,
        list[Any]: JSON,
        datetime: UtcDateTime,
    }


class TurnRow(Base):
    """One turn of the wheel."""

    __tablename__ = "turns"

    turn_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    params: Mapped[Json]
    summary: Mapped[Json]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class StageRow(Base):
    """Seconds that one stage of a turn took."""

    __tablename__ = "stages"

    turn_id: Mapped[str] = mapped_column(
        ForeignKey("turns.turn_id", ondelete="CASCADE"), primary_key=True
    )
    stage: Mapped[str] = mapped_column(primary_key=True)
    seconds: Mapped[float]


class ModelRow(Base):
    """One version of one slot; its facts are whatever the turn knew about it."""

    __tablename__ = "models"
    __table_args__ = (
        UniqueConstraint("slot_key", "version"),
        Index(None, "version"),
        Index(None, "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slot_key: Mapped[str]
    version: Mapped[str]
    name: Mapped[str]
    status: Mapped[str]
    facts: Mapped[Json]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class VerdictRow(Base):
    """One comparison of a version with the baseline or the champion, with all its figures."""

    __tablename__ = "verdicts"
    __table_args__ = (Index(None, "model_id"),)

    turn_id: Mapped[str] = mapped_column(ForeignKey("turns.turn_id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    against: Mapped[str] = mapped_column(primary_key=True)
    figures: Mapped[Json]
    decision: Mapped[str]
    sentence: Mapped[str]
    created_at: Mapped[datetime]


class SlotRow(Base):
    """A slot that the ledger knows, and how many numbers its rows hold at most."""

    __tablename__ = "slots"
    __table_args__ = (UniqueConstraint("slot_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slot_key: Mapped[str]
    raws: Mapped[int]
    outcomes: Mapped[int]


class SymbolRow(Base):
    """A symbol that the ledger knows."""

    __tablename__ = "symbols"
    __table_args__ = (UniqueConstraint("symbol"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str]


class PredictionRow(Base):
    """What a version said about one bar, stored once; the bulk of the ledger.

    People read the view ``ledger``, which has names instead of numbers and the outcome beside.
    """

    __tablename__ = "predictions"
    # The key is the row's place on disk: a window of time is one range of a version and symbol, its
    # last bar is found without a search, and no index repeats the key.
    __table_args__ = ({"sqlite_with_rowid": False},)

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    symbol_id: Mapped[int] = mapped_column(primary_key=True)
    ts_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    role: Mapped[int] = mapped_column(SmallInteger)
    made_ms: Mapped[int] = mapped_column(BigInteger)
    raw_0: Mapped[float] = mapped_column(NUMBER)
    raw_1: Mapped[float | None] = mapped_column(NUMBER)
    raw_2: Mapped[float | None] = mapped_column(NUMBER)
    raw_3: Mapped[float | None] = mapped_column(NUMBER)


class OutcomeRow(Base):
    """What really happened after one bar; null where the bar does not count (no move)."""

    __tablename__ = "outcomes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    slot_id: Mapped[int] = mapped_column(primary_key=True)
    symbol_id: Mapped[int] = mapped_column(primary_key=True)
    ts_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    outcome_0: Mapped[float | None] = mapped_column(NUMBER)
    outcome_1: Mapped[float | None] = mapped_column(NUMBER)
    outcome_2: Mapped[float | None] = mapped_column(NUMBER)
    outcome_3: Mapped[float | None] = mapped_column(NUMBER)


LEDGER_VIEW = """
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
"""What people read of the ledger: names, predictions and outcomes side by side."""

event.listen(Base.metadata, "after_create", DDL(LEDGER_VIEW))  # type: ignore[no-untyped-call]


class DriftRow(Base):
    """One slot's line in the drift table of one turn."""

    __tablename__ = "drift"

    turn_id: Mapped[str] = mapped_column(ForeignKey("turns.turn_id"), primary_key=True)
    slot_key: Mapped[str] = mapped_column(primary_key=True)
    figures: Mapped[Json]
    created_at: Mapped[datetime]


class EnsembleRow(Base):
    """One ensemble: its members and weights, how it did, whether its slot uses it."""

    __tablename__ = "ensembles"
    __table_args__ = (
        # At most one active ensemble a slot, whoever writes.
        Index(
            "uq_ensembles_active_slot",
            "slot_key",
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    slot_key: Mapped[str]
    active: Mapped[bool]
    config: Mapped[Json]
    results: Mapped[Json | None]
    updated_at: Mapped[datetime]


class FlagRow(Base):
    """A wish that something be retrained, kept after it was granted."""

    __tablename__ = "flags"
    __table_args__ = (
        # One open flag a name; cleared ones stay as history.
        Index(
            "uq_flags_open_name",
            "name",
            unique=True,
            sqlite_where=text("cleared_at IS NULL"),
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    reason: Mapped[str]
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]


class TrialRow(Base):
    """One idea for a strategy that was backtested on one market, and how it last did there."""

    __tablename__ = "trials"
    __table_args__ = (Index(None, "market"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    market: Mapped[str]
    strategy: Mapped[str]
    facts: Mapped[Json]
    figures: Mapped[Json]
    runs: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
