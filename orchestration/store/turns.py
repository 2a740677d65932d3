"""Turns: begun once, resumed after a crash, finished with a summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Table, select, update

from orchestration.store.errors import BadRecord, UnknownTurn
from orchestration.store.records import NEW, RUNNING, TURN_ENDS, Turn
from orchestration.store.session import Session
from orchestration.store.tables import StageRow, TurnRow

TURNS: Table = TurnRow.__table__  # type: ignore[assignment]
STAGES: Table = StageRow.__table__  # type: ignore[assignment]


class Turns(Session):
    """The part of the store that knows turns."""

    def begin_turn(self, turn_id: str, params: Mapping[str, Any]) -> Turn:
        """Begin a turn, or find it as it was left.

        Returns
        -------
        Turn
            ``status`` says what to do: ``new`` (this call began it), ``running`` (begun before and
            not finished: resume it) or how it ended. ``params`` are those it was first begun with.
        """
        row = {
            "turn_id": turn_id,
            "status": RUNNING,
            "params": dict(params),
            "summary": {},
            "started_at": self._clock(),
        }
        with self._writing() as connection:
            begun = connection.execute(self._insert(TURNS).values(**row).on_conflict_do_nothing())
        turn = self.get_turn(turn_id)
        return replace(turn, status=NEW) if begun.rowcount == 1 else turn

    def finish_turn(self, turn_id: str, status: str, summary: Mapping[str, Any]) -> Turn:
        """Store how a turn ended; doing it again stores the newer ending.

        Raises
        ------
        BadRecord
            `status` is not one of ``completed``, ``completed with failures``, ``failed``.
        UnknownTurn
            The turn was never begun.
        """
        if status not in TURN_ENDS:
            raise BadRecord(f"a turn cannot end as {status!r}; use one of {', '.join(TURN_ENDS)}")
        ending = {"status": status, "summary": dict(summary), "finished_at": self._clock()}
        with self._writing() as connection:
            done = connection.execute(
                update(TURNS).where(TURNS.c.turn_id == turn_id).values(**ending)
            )
        if done.rowcount == 0:
            raise UnknownTurn(f"no turn {turn_id!r} was begun")
        return self.get_turn(turn_id)

    def get_turn(self, turn_id: str) -> Turn:
        """Return one turn with the seconds of its stages.

        Raises
        ------
        UnknownTurn
            It was never begun.
        """
        found = self._turns(select(TURNS).where(TURNS.c.turn_id == turn_id))
        if not found:
            raise UnknownTurn(f"no turn {turn_id!r} was begun")
        return found[0]

    def list_turns(self, limit: int | None = None) -> list[Turn]:
        """Return the turns, the last begun first."""
        return self._turns(
            select(TURNS).order_by(TURNS.c.started_at.desc(), TURNS.c.turn_id.desc()).limit(limit)
        )

    def record_stage(self, turn_id: str, stage: str, seconds: float) -> None:
        """Store how long a stage of a turn took; the last run of the stage counts.

        Raises
        ------
        UnknownTurn
            The turn was never begun.
        """
        self.get_turn(turn_id)
        row = {"turn_id": turn_id, "stage": stage, "seconds": float(seconds)}
        with self._writing() as connection:
            connection.execute(self._upsert(STAGES, row, ["seconds"]))

    def _turns(self, query: Any) -> list[Turn]:
        with self._reading() as connection:
            rows = connection.execute(query).all()
            ids = [row.turn_id for row in rows]
            stages = connection.execute(
                select(STAGES).where(STAGES.c.turn_id.in_(ids)).order_by(STAGES.c.stage)
            ).all()
        return [_turn(row, {s.stage: s.seconds for s in stages if s.turn_id == row.turn_id})
                for row in rows]  # fmt: skip


def _turn(row: Row[Any], stages: dict[str, float]) -> Turn:
    return Turn(
        turn_id=row.turn_id,
        status=row.status,
        params=row.params,
        summary=row.summary,
        started_at=row.started_at,
        finished_at=row.finished_at,
        stages=stages,
    )
