"""The ledger as a whole: what is in it, and what is old enough to go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select

from market.timeframes import DAY_MS, timeframe_ms
from orchestration.store import bulk
from orchestration.store.ledger import SLOTS, UNRESOLVED, Ledger
from orchestration.store.ledger_rows import where
from orchestration.store.records import ROLES


@dataclass(frozen=True)
class LedgerLine:
    """What the ledger holds of one version in one role; times are of bars' opens, epoch ms."""

    slot_key: str
    version: str
    role: str
    rows: int
    resolved: int
    first_ms: int
    last_ms: int

    @property
    def rows_per_day(self) -> float:
        """Rows for each day from the first bar's open to the last's close; at least one day."""
        step = timeframe_ms(self.slot_key.rpartition("/")[2])
        return self.rows / max(1.0, (self.last_ms + step - self.first_ms) / DAY_MS)


class Upkeep(Ledger):
    """The part of the store that looks at the whole ledger and prunes it."""

    def ledger_lines(self, slot_key: str | None = None) -> list[LedgerLine]:
        """Return what the ledger holds, by slot, version and role; it is counted, row by row."""
        with self._reading() as connection:
            found = [
                line
                for slot in self._ledger_slots(connection)
                if slot_key in (None, slot)
                for line in self._lines(connection, slot)
            ]
        return sorted(found, key=lambda line: (line.slot_key, line.version, line.role))

    def ledger_span(self, slot_key: str) -> tuple[int, int] | None:
        """Return the opens of the first and the last bar predicted in a slot; None without any."""
        with self._reading() as connection:
            models = self._known(connection, slot_key)[1]
            # Asked version by version and symbol by symbol: each is one step into the table's key.
            own = "FROM predictions p WHERE p.model_id = m.id AND p.symbol_id = s.id"
            ends = tuple(f"(SELECT {f}(p.ts_ms) {own})" for f in ("min", "max"))
            pairs = f"FROM models m CROSS JOIN symbols s WHERE m.id IN ({_listed(models)})"
            found = bulk.read(connection, ends, pairs)
        found = found[np.isfinite(found[:, 0])]
        return (int(found[:, 0].min()), int(found[:, 1].max())) if len(found) else None

    def prune_ledger(self, before_ms: int) -> int:
        """Delete resolved predictions of bars opened before `before_ms`, and their outcomes.

        What waits for its outcome stays, however old. It goes day by day, one short transaction
        each, so that nobody waits for long; ended in the middle, it goes on the next time.

        Returns
        -------
        int
            Predictions deleted.
        """
        with self._reading() as connection:
            slots = self._ledger_slots(connection)
        gone = 0
        for slot in slots:
            # Outcomes lead: of a bar without one nothing may go.
            while (start := self._first_outcome(slot, before_ms)) is not None:
                gone += self._prune_day(
                    slot, start, min(start - start % DAY_MS + DAY_MS, before_ms)
                )
        return gone

    # ------------------------------------------------------------------ inside

    @staticmethod
    def _ledger_slots(connection: Connection) -> list[str]:
        return list(
            connection.execute(select(SLOTS.c.slot_key).order_by(SLOTS.c.slot_key)).scalars()
        )

    def _lines(self, connection: Connection, slot_key: str) -> Iterator[LedgerLine]:
        slot, models, symbols = self._known(connection, slot_key)
        own = where(models, symbols, None, None)
        waiting = UNRESOLVED.format(slot=slot["id"])
        columns = (
            "p.model_id", "p.role", "count(*)", f"sum(CASE WHEN {waiting} THEN 1 ELSE 0 END)",
            "min(p.ts_ms)", "max(p.ts_ms)",
        )  # fmt: skip
        grouped = f"FROM predictions p {own} GROUP BY p.model_id, p.role"
        for model, role, rows, waits, first, last in bulk.read(connection, columns, grouped):
            yield LedgerLine(
                slot_key=slot_key,
                version=models[int(model)],
                role=ROLES[int(role)],
                rows=int(rows),
                resolved=int(rows - waits),
                first_ms=int(first),
                last_ms=int(last),
            )

    def _first_outcome(self, slot_key: str, before_ms: int) -> int | None:
        """Return the first bar of a slot that has an outcome, if it is before a moment."""
        with self._reading() as connection:
            slot = self._known(connection, slot_key)[0]
            own = f"FROM outcomes o WHERE o.slot_id = {slot['id']} AND o.symbol_id = s.id"
            found = bulk.read(connection, (f"(SELECT min(o.ts_ms) {own})",), "FROM symbols s")
        firsts = found[np.isfinite(found)]
        return int(firsts.min()) if len(firsts) and firsts.min() < before_ms else None

    def _prune_day(self, slot_key: str, start: int, end: int) -> int:
        with self._writing() as connection:
            slot, models, symbols = self._known(connection, slot_key)
            own = where(models, symbols, start, end)
            gone = connection.exec_driver_sql(
                # Our own words and numbers: nothing in it comes from outside.
                f"DELETE FROM predictions AS p {own} AND NOT {UNRESOLVED.format(slot=slot['id'])}"
            ).rowcount
            # What is left of the day has no outcome: in this transaction nobody can be bereft.
            own = where([slot["id"]], symbols, start, end, "slot_id")
            connection.exec_driver_sql(f"DELETE FROM outcomes AS p {own}")
        return int(gone)


def _listed(models: dict[int, str]) -> str:
    return ", ".join(map(str, models)) or "-1"
