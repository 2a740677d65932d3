"""Drift lines, retraining flags and ensembles: what watches the models in service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Select, Table, func, select, update

from orchestration.store.errors import UnknownModel
from orchestration.store.records import EnsembleRecord, FlagRecord
from orchestration.store.tables import DriftRow, EnsembleRow, FlagRow
from orchestration.store.turns import Turns

DRIFT: Table = DriftRow.__table__  # type: ignore[assignment]
FLAGS: Table = FlagRow.__table__  # type: ignore[assignment]
ENSEMBLES: Table = EnsembleRow.__table__  # type: ignore[assignment]


class Monitors(Turns):
    """The part of the store that knows drift, flags and ensembles."""

    def add_drift(self, turn_id: str, slot_key: str, row: Mapping[str, Any]) -> None:
        """Store one slot's line of a turn's drift table; written again, it is replaced.

        Raises
        ------
        UnknownTurn
            The turn was never begun.
        """
        self.get_turn(turn_id)
        line = {
            "turn_id": turn_id,
            "slot_key": slot_key,
            "figures": dict(row),
            "created_at": self._clock(),
        }
        with self._writing() as connection:
            connection.execute(self._upsert(DRIFT, line, ["figures"]))

    def list_drift(
        self, turn_id: str | None = None, slot_key: str | None = None
    ) -> list[dict[str, Any]]:
        """Return drift lines as dicts with ``turn_id`` and ``slot_key`` first, the newest first."""
        query = select(DRIFT).order_by(
            DRIFT.c.created_at.desc(), DRIFT.c.turn_id.desc(), DRIFT.c.slot_key
        )
        if turn_id is not None:
            query = query.where(DRIFT.c.turn_id == turn_id)
        if slot_key is not None:
            query = query.where(DRIFT.c.slot_key == slot_key)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [{"turn_id": r.turn_id, "slot_key": r.slot_key, **r.figures} for r in rows]

    def latest_drift(self) -> list[dict[str, Any]]:
        """Return the newest drift line of each slot, as `list_drift` does, in order of slots."""
        newest = (
            select(DRIFT.c.slot_key, func.max(DRIFT.c.created_at).label("at"))
            .group_by(DRIFT.c.slot_key)
            .subquery()
        )
        same = (newest.c.slot_key == DRIFT.c.slot_key) & (newest.c.at == DRIFT.c.created_at)
        query = select(DRIFT).join(newest, same).order_by(DRIFT.c.slot_key, DRIFT.c.turn_id)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        found = {
            r.slot_key: {"turn_id": r.turn_id, "slot_key": r.slot_key} | r.figures for r in rows
        }
        return list(found.values())

    def flag_for_retraining(self, name: str, reason: str = "") -> None:
        """Ask that a model or slot be retrained; asking again while it is asked changes nothing."""
        row = {"name": name, "reason": reason, "raised_at": self._clock(), "cleared_at": None}
        with self._writing() as connection:
            connection.execute(
                self._insert(FLAGS)
                .values(**row)
                .on_conflict_do_nothing(
                    index_elements=[FLAGS.c.name], index_where=FLAGS.c.cleared_at.is_(None)
                )
            )

    def get_flagged_for_retraining(self) -> list[str]:
        """Return the names that wait for retraining, the longest waiting first."""
        return [flag.name for flag in self.list_flags() if flag.cleared_at is None]

    def list_flags(self) -> list[FlagRecord]:
        """Return all flags ever raised, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(select(FLAGS).order_by(FLAGS.c.raised_at, FLAGS.c.id)).all()
        return [FlagRecord(r.name, r.reason, r.raised_at, r.cleared_at) for r in rows]

    def explain_flag(self, name: str, reason: str) -> bool:
        """Write the reason of an open flag anew; return whether there was one."""
        with self._writing() as connection:
            done = connection.execute(
                update(FLAGS)
                .where(FLAGS.c.name == name, FLAGS.c.cleared_at.is_(None))
                .values(reason=reason)
            )
        return done.rowcount > 0

    def clear_flag(self, name: str) -> bool:
        """Note that a retraining was done; return whether one was asked for."""
        with self._writing() as connection:
            done = connection.execute(
                update(FLAGS)
                .where(FLAGS.c.name == name, FLAGS.c.cleared_at.is_(None))
                .values(cleared_at=self._clock())
            )
        return done.rowcount > 0

    def save_ensemble(
        self, name: str, config: Mapping[str, Any], results: Mapping[str, Any] | None = None
    ) -> EnsembleRecord:
        """Store an ensemble; saving it again replaces all but whether it is active.

        Parameters
        ----------
        name : str
            Such as ``ensemble_001``.
        config : mapping
            Members, weights, method. ``config["slot"]`` is the slot it serves, if it serves one.
        results : mapping, optional
            How it did; None keeps what is stored.
        """
        row = {
            "name": name,
            "slot_key": str(config.get("slot", "")),
            "active": False,
            "config": dict(config),
            "results": None if results is None else dict(results),
            "updated_at": self._clock(),
        }
        kept = ["slot_key", "config", "updated_at"] + (["results"] if results is not None else [])
        with self._writing() as connection:
            connection.execute(self._upsert(ENSEMBLES, row, kept))
        return self._ensembles(select(ENSEMBLES).where(ENSEMBLES.c.name == name))[0]

    def set_ensemble_active(self, name: str, *, active: bool = True) -> EnsembleRecord:
        """Put an ensemble into service in its slot, in place of the one that was; or take it out.

        Raises
        ------
        UnknownModel
            No ensemble of that name is stored.
        """
        with self._writing() as connection:
            slot_key = connection.execute(
                select(ENSEMBLES.c.slot_key).where(ENSEMBLES.c.name == name)
            ).scalar_one_or_none()
            if slot_key is None:
                raise UnknownModel(f"no ensemble {name!r} is stored")
            # Off before on: at no moment may a slot have two.
            connection.execute(
                update(ENSEMBLES).where(ENSEMBLES.c.slot_key == slot_key).values(active=False)
            )
            if active:
                connection.execute(
                    update(ENSEMBLES).where(ENSEMBLES.c.name == name).values(active=True)
                )
        return self._ensembles(select(ENSEMBLES).where(ENSEMBLES.c.name == name))[0]

    def active_ensemble(self, slot_key: str) -> EnsembleRecord | None:
        """Return the ensemble in service in a slot, None when there is none."""
        query = select(ENSEMBLES).where(ENSEMBLES.c.slot_key == slot_key, ENSEMBLES.c.active)
        return next(iter(self._ensembles(query)), None)

    def list_ensembles(self) -> list[EnsembleRecord]:
        """Return all ensembles by name."""
        return self._ensembles(select(ENSEMBLES).order_by(ENSEMBLES.c.name))

    def _ensembles(self, query: Select[Any]) -> list[EnsembleRecord]:
        with self._reading() as connection:
            return [_ensemble(row) for row in connection.execute(query)]


def _ensemble(row: Row[Any]) -> EnsembleRecord:
    return EnsembleRecord(
        name=row.name,
        slot_key=row.slot_key,
        active=row.active,
        config=row.config,
        results=row.results,
        updated_at=row.updated_at,
    )
