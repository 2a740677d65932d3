"""Models: every version of every slot, its status and its facts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select, update

from models.common.slot import DEFAULT_SCOPE, KINDS, SEED_NAMES
from orchestration.store.errors import AmbiguousModel, BadRecord, UnknownModel
from orchestration.store.records import MODEL_STATUSES, STATUS_SYNONYMS, ModelRecord
from orchestration.store.session import Session
from orchestration.store.tables import ModelRow

MODELS: Table = ModelRow.__table__  # type: ignore[assignment]


class Models(Session):
    """The part of the store that knows versions."""

    def register_model(self, slot_key: str, version: str, **facts: Any) -> ModelRecord:
        """Store a version, or add facts to one that is stored.

        Parameters
        ----------
        slot_key : str
            ``scope/kind/timeframe``.
        version : str
            Unique within its slot.
        **facts
            Anything JSON can hold. ``status`` (default ``candidate``) and ``name`` (default: the
            version) are kept apart; both stay as they are when not given again. Other facts are
            merged, new over old.

        Raises
        ------
        BadRecord
            The status does not exist, or a fact cannot be stored.
        """
        status = check_status(facts.pop("status")) if "status" in facts else None
        name = facts.pop("name", None)
        now = self._clock()
        row = {
            "slot_key": slot_key,
            "version": version,
            "name": name or version,
            "status": status or "candidate",
            "facts": facts,
            "created_at": now,
            "updated_at": now,
        }
        with self._writing() as connection:
            insert = self._insert(MODELS).values(**row)
            made = connection.execute(
                insert.on_conflict_do_nothing(index_elements=["slot_key", "version"])
            )
            if made.rowcount == 0:
                self._merge(connection, slot_key, version, facts, status=status, name=name)
        return self.get_model(f"{slot_key}/{version}")

    def _merge(
        self,
        connection: Connection,
        slot_key: str,
        version: str,
        facts: dict[str, Any],
        **kept: Any,
    ) -> None:
        """Add facts to a stored version; change nothing at all when there is nothing new."""
        here = (MODELS.c.slot_key == slot_key) & (MODELS.c.version == version)
        old = connection.execute(select(MODELS).where(here).with_for_update()).one()
        new = {name: value for name, value in kept.items() if value is not None}
        new["facts"] = {**old.facts, **facts}
        connection.execute(update(MODELS).where(here).values(**new, updated_at=self._clock()))

    def get_model(self, name: str) -> ModelRecord:
        """Return the version that `name` means.

        Parameters
        ----------
        name : str
            ``scope/kind/timeframe/version``, a version or a model's name; or a slot, a kind, or one
            of the user's documents' names (``direction_predictor_001``, ``model_001``): these last
            mean the champion of that slot, in the scope ``majors`` where it has one.

        Raises
        ------
        UnknownModel
            Nothing stored answers to it.
        AmbiguousModel
            Several do; the message lists their full names.
        """
        with self._reading() as connection:
            return _model(find(connection, name))

    def list_models(
        self, slot_key: str | None = None, status: str | None = None
    ) -> list[ModelRecord]:
        """Return versions, by slot and then the newest first; all of them unless narrowed."""
        query = select(MODELS).order_by(MODELS.c.slot_key, MODELS.c.version.desc())
        if slot_key is not None:
            query = query.where(MODELS.c.slot_key == slot_key)
        if status is not None:
            query = query.where(MODELS.c.status == check_status(status))
        with self._reading() as connection:
            return [_model(row) for row in connection.execute(query)]

    def update_model_status(self, name: str, status: str) -> ModelRecord:
        """Store a new status for the version that `name` means.

        This records a decision, it does not make one: the registry's aliases are moved by the
        lifecycle. ``active`` is understood as ``champion``.

        Raises
        ------
        BadRecord
            There is no such status.
        UnknownModel, AmbiguousModel
            `name` does not mean exactly one version.
        """
        known = check_status(status)
        with self._writing() as connection:
            row = find(connection, name)
            connection.execute(
                update(MODELS)
                .where(MODELS.c.id == row.id)
                .values(status=known, updated_at=self._clock())
            )
        return self.get_model(f"{row.slot_key}/{row.version}")


def check_status(status: str) -> str:
    """Return the status that `status` means."""
    known = STATUS_SYNONYMS.get(status, status)
    if known not in MODEL_STATUSES:
        raise BadRecord(f"no status {status!r}; use one of {', '.join(MODEL_STATUSES)}")
    return known


def find(connection: Connection, name: str) -> Row[Any]:
    """Return the row that `name` means; see `Models.get_model`."""
    slot_key, _, version = name.rpartition("/")
    exact = select(MODELS).where(MODELS.c.slot_key == slot_key, MODELS.c.version == version)
    named = select(MODELS).where((MODELS.c.version == name) | (MODELS.c.name == name))
    for query in (exact, named, _champions(name)):
        rows = connection.execute(query).all()
        if len(rows) > 1:
            rows = [row for row in rows if row.slot_key.startswith(f"{DEFAULT_SCOPE}/")] or rows
        if len(rows) == 1:
            return rows[0]
        if rows:
            full = ", ".join(f"{row.slot_key}/{row.version}" for row in rows)
            raise AmbiguousModel(f"{name!r} could be any of {full}; say which")
    raise UnknownModel(f"no model {name!r} is registered")


def _champions(name: str) -> Select[Any]:
    """Return the query for champions whose slot or kind `name` means."""
    kinds = {kind: kind for kind in KINDS}
    kinds |= {f"model_{number:03d}": kind for number, kind in enumerate(KINDS, start=1)}
    kinds |= {seed: kind for kind, seed in SEED_NAMES.items()}
    stem, _, number = name.rpartition("_")
    kind = kinds.get(name) or (kinds.get(stem) if number.isdigit() else None)
    query = select(MODELS).where(MODELS.c.status == "champion")
    if kind is None:
        return query.where(MODELS.c.slot_key == name)
    return query.where(MODELS.c.slot_key.like(f"%/{kind}/%"))


def _model(row: Row[Any]) -> ModelRecord:
    return ModelRecord(
        slot_key=row.slot_key,
        version=row.version,
        name=row.name,
        status=row.status,
        facts=row.facts,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
