"""The tables of the store, as SQLAlchemy sees them.

A change here needs a revision in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

Json = dict[str, Any]

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


class PredictionRow(Base):
    """What a version said about one bar, stored once; the bulk of the ledger."""

    __tablename__ = "predictions"
    # The key, time before symbol, is the row's place on disk: new bars are appended to the end of
    # their version, a window of time is one range, and no index repeats the key.
    __table_args__ = ({"sqlite_with_rowid": False},)

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    ts_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    raw: Mapped[list[Any]]
    made_ms: Mapped[int] = mapped_column(BigInteger)


class OutcomeRow(Base):
    """What really happened after one bar; null where the bar does not count (no move)."""

    __tablename__ = "outcomes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    slot_key: Mapped[str] = mapped_column(primary_key=True)
    ts_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[list[Any]]


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
