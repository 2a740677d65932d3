"""Verdicts: every comparison that decided something, with all its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Select, Table, select

from orchestration.store.errors import NoVerdict
from orchestration.store.models import MODELS, Models, find
from orchestration.store.records import VerdictRecord
from orchestration.store.tables import VerdictRow
from orchestration.store.turns import Turns

VERDICTS: Table = VerdictRow.__table__  # type: ignore[assignment]
BASELINE = "baseline"
DECISION = "decision"
"""What the row of a turn's decision on a slot is against: not one version, but all of them."""


class Verdicts(Turns, Models):
    """The part of the store that knows verdicts."""

    def add_verdict(
        self,
        turn_id: str,
        slot_key: str,
        version: str,
        against: str,
        figures: Mapping[str, Any],
        decision: str,
        sentence: str,
    ) -> None:
        """Store one comparison; the same comparison of the same turn is written over.

        Parameters
        ----------
        turn_id, slot_key, version : str
            When, where and who. Both turn and version must be stored already.
        against : str
            ``"baseline"`` for the skill that counts, else the version it was compared with.
        figures : mapping
            Everything the decision rests on, such as ``skill``, ``lower``, ``z``, ``n`` and the
            kind's own metrics. What is not a finite number is stored as null.
        decision : str
            One word: ``promote``, ``keep``, ``refuse``, …
        sentence : str
            The decision and its reason, for people.

        Raises
        ------
        UnknownTurn, UnknownModel
            Turn or version is not stored.
        BadRecord
            A figure cannot be stored.
        """
        self.get_turn(turn_id)
        with self._writing() as connection:
            row = {
                "turn_id": turn_id,
                "model_id": find(connection, f"{slot_key}/{version}").id,
                "against": against,
                "figures": dict(figures),
                "decision": decision,
                "sentence": sentence,
                "created_at": self._clock(),
            }
            connection.execute(self._upsert(VERDICTS, row, ["figures", "decision", "sentence"]))

    def list_verdicts(
        self, turn_id: str | None = None, slot_key: str | None = None
    ) -> list[VerdictRecord]:
        """Return verdicts, the newest first; all of them unless narrowed."""
        query = _query()
        if turn_id is not None:
            query = query.where(VERDICTS.c.turn_id == turn_id)
        if slot_key is not None:
            query = query.where(MODELS.c.slot_key == slot_key)
        with self._reading() as connection:
            return [_verdict(row) for row in connection.execute(query)]

    def add_decision(
        self,
        turn_id: str,
        slot_key: str,
        champion: str,
        figures: Mapping[str, Any],
        action: str,
        sentence: str,
    ) -> None:
        """Store what a turn decided on a slot; decided again in the same turn, it is written over.

        Parameters
        ----------
        champion : str
            Who serves from now on.
        figures : mapping
            Everything that the decision rests on, and what it leaves to the next one.
        action : str
            ``install``, ``promote``, ``refresh``, ``keep``, ``hold`` or ``rollback``.

        Raises
        ------
        UnknownTurn, UnknownModel, BadRecord
            As `add_verdict` does.
        """
        self.add_verdict(turn_id, slot_key, champion, DECISION, figures, action, sentence)

    def list_decisions(
        self, slot_key: str | None = None, limit: int | None = None, before: str | None = None
    ) -> list[VerdictRecord]:
        """Return what turns decided, the newest turn first.

        Parameters
        ----------
        limit : int, optional
            How many at most.
        before : str, optional
            Only of turns with a smaller id: ids of one scope and timeframe go by time.
        """
        query = (
            _query(VERDICTS.c.turn_id.desc(), MODELS.c.slot_key)
            .where(VERDICTS.c.against == DECISION)
            .limit(limit)
        )
        if slot_key is not None:
            query = query.where(MODELS.c.slot_key == slot_key)
        if before is not None:
            query = query.where(VERDICTS.c.turn_id < before)
        with self._reading() as connection:
            return [_verdict(row) for row in connection.execute(query)]

    def get_last_backtest(self, name: str) -> dict[str, Any]:
        """Return the figures of a model's last judgement against its slot's baseline.

        Only verdicts on bars that the model was not trained on are ever stored, so that this is
        never an in-sample score. `name` is read as by `get_model`.

        Returns
        -------
        dict
            The figures, and ``turn_id``, ``against``, ``decision``, ``sentence`` beside them.

        Raises
        ------
        NoVerdict
            It was never judged.
        UnknownModel, AmbiguousModel
            `name` does not mean exactly one version.
        """
        return self._last(name, baseline_first=True)

    def get_validation_results(self, name: str) -> dict[str, Any]:
        """Return the figures of a model's last judgement, whatever it was compared with.

        As `get_last_backtest` in all else.
        """
        return self._last(name, baseline_first=False)

    def _last(self, name: str, *, baseline_first: bool) -> dict[str, Any]:
        with self._reading() as connection:
            model = find(connection, name)
            rows = connection.execute(_query().where(MODELS.c.id == model.id)).all()
        if not rows:
            raise NoVerdict(f"{model.slot_key}/{model.version} was never judged")
        chosen = rows[0]
        if baseline_first:
            chosen = next((row for row in rows if row.against == BASELINE), chosen)
        beside = ("turn_id", "against", "decision", "sentence")
        return {**chosen.figures, **{key: getattr(chosen, key) for key in beside}}


def _query(*order: Any) -> Select[Any]:
    newest = (VERDICTS.c.created_at.desc(), VERDICTS.c.turn_id.desc(), VERDICTS.c.against)
    return (
        select(VERDICTS, MODELS.c.slot_key, MODELS.c.version)
        .join(MODELS, MODELS.c.id == VERDICTS.c.model_id)
        .order_by(*(order or newest))
    )


def _verdict(row: Row[Any]) -> VerdictRecord:
    return VerdictRecord(
        turn_id=row.turn_id,
        slot_key=row.slot_key,
        version=row.version,
        against=row.against,
        figures=row.figures,
        decision=row.decision,
        sentence=row.sentence,
        created_at=row.created_at,
    )
