"""Trials: every idea for a strategy that was backtested, since the best of many looks good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Table, select

from orchestration.store.encoding import encode, plain
from orchestration.store.records import TrialRecord
from orchestration.store.session import Session
from orchestration.store.tables import TrialRow

TRIALS: Table = TrialRow.__table__  # type: ignore[assignment]


class Trials(Session):
    """The part of the store that knows which strategies were tried."""

    def add_trial(
        self, market: str, strategy: str, facts: Mapping[str, Any], figures: Mapping[str, Any]
    ) -> TrialRecord:
        """Store that an idea was backtested; tried again it is the same trial, with new figures.

        Parameters
        ----------
        market : str
            Whose candles: the source's name. The best of many ideas is judged by how many were
            tried on one market.
        strategy : str
            Its name.
        facts : mapping
            What makes it this idea: code, parameters, symbols, timeframe. Not days or costs: the
            same idea on other days is no new idea.
        figures : mapping
            How it did; what is not a finite number is stored as null.

        Raises
        ------
        BadRecord
            A fact or figure cannot be stored.
        """
        now = self._clock()
        key = key_of(market, strategy, facts)
        row = {
            "key": key,
            "market": market,
            "strategy": strategy,
            "facts": dict(facts),
            "figures": dict(figures),
            "runs": 1,
            "first_at": now,
            "last_at": now,
        }
        insert = self._insert(TRIALS).values(**row)
        again = insert.on_conflict_do_update(
            index_elements=[TRIALS.c.key],
            set_={
                "runs": TRIALS.c.runs + 1,
                "figures": insert.excluded.figures,
                "last_at": insert.excluded.last_at,
            },
        )
        with self._writing() as connection:
            connection.execute(again)
            found = connection.execute(select(TRIALS).where(TRIALS.c.key == key)).one()
        return _trial(found)

    def list_trials(self, market: str | None = None) -> list[TrialRecord]:
        """Return the ideas that were tried, of one market or of all, the first tried first."""
        query = select(TRIALS).order_by(TRIALS.c.first_at, TRIALS.c.key)
        if market is not None:
            query = query.where(TRIALS.c.market == market)
        with self._reading() as connection:
            return [_trial(row) for row in connection.execute(query)]


def key_of(market: str, strategy: str, facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an idea on a market, whatever the order of its facts."""
    ordered = sorted((str(name), plain(value)) for name, value in facts.items())
    return hashlib.sha256(encode([market, strategy, ordered]).encode()).hexdigest()


def _trial(row: Row[Any]) -> TrialRecord:
    return TrialRecord(
        key=row.key,
        market=row.market,
        strategy=row.strategy,
        facts=row.facts,
        figures=row.figures,
        runs=row.runs,
        first_at=row.first_at,
        last_at=row.last_at,
    )
