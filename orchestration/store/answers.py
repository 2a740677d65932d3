"""Answers of the prediction engine that are kept for others; the oldest go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import BigInteger, Table, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from orchestration.store.records import AnswerRecord
from orchestration.store.session import Session
from orchestration.store.tables import Base, Json


class AnswerRow(Base):
    """One answer of the prediction engine, kept so that nobody computes it again."""

    __tablename__ = "prediction_cache"
    __table_args__ = (UniqueConstraint("version", "symbol", "ts_ms", "features"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str]
    symbol: Mapped[str]
    ts_ms: Mapped[int] = mapped_column(BigInteger)
    features: Mapped[str]
    answer: Mapped[Json]
    made_ms: Mapped[int] = mapped_column(BigInteger)


ANSWERS: Table = AnswerRow.__table__  # type: ignore[assignment]


class Answers(Session):
    """The part of the store that is the prediction engine's cache."""

    def keep_answers(self, answers: Sequence[AnswerRecord], most: int) -> None:
        """Keep answers; one that is there already stays as it is.

        Parameters
        ----------
        answers : sequence of AnswerRecord
            Their `id` is given by the database.
        most : int
            Rows that the table holds afterwards, >= 1; the oldest go.

        Raises
        ------
        BadRecord
            An answer has no form in JSON.
        """
        rows = [asdict(answer) for answer in answers]
        for row in rows:
            del row["id"]
        newest = select(ANSWERS.c.id).order_by(ANSWERS.c.id.desc()).offset(most).limit(1)
        with self._writing() as connection:
            if rows:
                connection.execute(self._insert(ANSWERS).on_conflict_do_nothing(), rows)
            last_out = connection.execute(newest).scalar_one_or_none()
            if last_out is not None:
                connection.execute(delete(ANSWERS).where(ANSWERS.c.id <= last_out))

    def kept_answers(self, after: int = 0, most: int = 10_000) -> list[AnswerRecord]:
        """Return the newest answers, at most so many, of those kept later than `after`.

        Parameters
        ----------
        after : int
            `AnswerRecord.id` of the last one that is known.
        most : int
            The newest so many are returned, oldest first.
        """
        query = select(ANSWERS).where(ANSWERS.c.id > after).order_by(ANSWERS.c.id.desc())
        with self._reading() as connection:
            found = connection.execute(query.limit(most)).all()
        return [AnswerRecord(**row._asdict()) for row in reversed(found)]
