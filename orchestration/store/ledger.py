"""The ledger: every prediction stored once, joined with what really happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, select, update

from orchestration.store import bulk
from orchestration.store.errors import BadRecord
from orchestration.store.ledger_rows import Batch, joined, numbers_of, where, words
from orchestration.store.models import MODELS, Models, find
from orchestration.store.records import ROLES
from orchestration.store.tables import SlotRow, SymbolRow

SLOTS: Table = SlotRow.__table__  # type: ignore[assignment]
SYMBOLS: Table = SymbolRow.__table__  # type: ignore[assignment]

_SLOT = ("id", "raws", "outcomes")
UNRESOLVED = (
    "NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.slot_id = {slot} "
    "AND o.symbol_id = p.symbol_id AND o.ts_ms = p.ts_ms)"
)


class Ledger(Models):
    """The part of the store that knows predictions and outcomes.

    A bar is named by its symbol and by ``ts_ms``, the epoch milliseconds of its *open*.
    """

    def add_predictions(
        self,
        slot_key: str,
        version: str,
        role: str,
        frame: pd.DataFrame,
        *,
        made_ms: int | None = None,
    ) -> int:
        """Store what a version said about some bars; what it said before stays as it was.

        Parameters
        ----------
        slot_key, version : str
            A registered version.
        role : str
            ``champion``, ``shadow`` or ``baseline``: how it was used at the time; or ``backfill``:
            predicted after the fact.
        frame : DataFrame
            Columns ``symbol``, ``ts_ms`` and either ``raw``, the K numbers of the model's output
            as a list, or ``raw_0 … raw_{K-1}``. Of a bar that is there twice the first row counts.
        made_ms : int, optional
            When the predictions were made, epoch milliseconds; else by the frame's column
            ``made_ms``, and without one the clock's time.

        Returns
        -------
        int
            Rows that are new.

        Raises
        ------
        BadRecord
            No such role, a column is missing, more numbers than a row holds, or one is not finite.
        UnknownModel
            The version is not registered.
        """
        if role not in ROLES:
            raise BadRecord(f"no role {role!r}; use one of {', '.join(ROLES)}")
        raw = numbers_of(frame, "raw")
        if bad := int((~np.isfinite(raw)).any(axis=1).sum()):
            raise BadRecord(f"{bad} of {len(frame)} predictions of {version} are not finite")
        batch = Batch.of(frame, raw)
        if made_ms is None and "made_ms" in frame.columns:
            made = frame["made_ms"].to_numpy(np.int64)[batch.rows]
        else:
            now = int(self._clock().timestamp() * 1000) if made_ms is None else made_ms
            made = np.full(len(batch), now, dtype=np.int64)
        with self._writing() as connection:
            model_id = find(connection, f"{slot_key}/{version}").id
            if not len(batch):
                return 0
            self._slot(connection, slot_key, raws=raw.shape[1])
            columns = {
                "model_id": np.full(len(batch), model_id, dtype=np.int32),
                **self._bars(connection, batch),
                "role": np.full(len(batch), ROLES.index(role), dtype=np.int16),
                "made_ms": made,
                **batch.columns("raw"),
            }
            return bulk.insert(connection, "predictions", columns)

    def add_outcomes(self, slot_key: str, frame: pd.DataFrame) -> int:
        """Store what happened after some bars; what is stored stays as it was.

        Parameters
        ----------
        slot_key : str
            ``scope/kind/timeframe``.
        frame : DataFrame
            Columns ``symbol``, ``ts_ms`` and either ``outcome``, the labels of the kind as a list,
            or ``outcome_0 …``. NaN settles a bar that does not count, such as one without a move.

        Returns
        -------
        int
            Rows that are new.

        Raises
        ------
        BadRecord
            A column is missing, or there are more numbers than a row holds.
        """
        outcome = numbers_of(frame, "outcome")
        batch = Batch.of(frame, outcome)
        if not len(batch):
            return 0
        with self._writing() as connection:
            slot_id = self._slot(connection, slot_key, outcomes=outcome.shape[1])
            columns = {
                "slot_id": np.full(len(batch), slot_id, dtype=np.int32),
                **self._bars(connection, batch),
                **batch.columns("outcome"),
            }
            return bulk.insert(connection, "outcomes", columns, nulls=True)

    def unresolved(
        self, slot_key: str, through_ms: int, *, since_ms: int | None = None
    ) -> pd.DataFrame:
        """Return the bars of a slot that were predicted and whose outcome is not stored.

        Parameters
        ----------
        through_ms : int
            Last bar to look at, inclusive: the last one whose horizon has passed.
        since_ms : int, optional
            First bar to look at. A long ledger is searched from its start without it.

        Returns
        -------
        DataFrame
            Columns ``symbol`` and ``ts_ms``, each bar once, in time order.
        """
        with self._reading() as connection:
            slot, models, symbols = self._known(connection, slot_key)
            own = where(models, symbols, since_ms, through_ms + 1)
            open_bars = f"{own} AND {UNRESOLVED.format(slot=slot.get('id', 0))}"
            each_once = f"FROM predictions p {open_bars} GROUP BY p.symbol_id, p.ts_ms"
            found = bulk.read(connection, ("p.symbol_id", "p.ts_ms"), each_once)
        frame = pd.DataFrame(
            {"symbol": words(symbols, found[:, 0]), "ts_ms": found[:, 1].astype(np.int64)}
        )
        return frame.sort_values(["ts_ms", "symbol"], ignore_index=True)

    def ledger(
        self,
        slot_key: str,
        version: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        *,
        roles: Sequence[str] = ROLES,
    ) -> pd.DataFrame:
        """Return predictions beside their outcomes.

        Parameters
        ----------
        slot_key : str
            ``scope/kind/timeframe``.
        version : str, optional
            One version; all of them if not given.
        since_ms, until_ms : int, optional
            Bars with ``since_ms <= ts_ms < until_ms``.
        roles : sequence of str
            Only rows that were said in these roles.

        Returns
        -------
        DataFrame
            Columns ``symbol``, ``ts_ms``, ``version``, ``role``, ``made_ms``, ``resolved`` (bool),
            ``raw_0 … raw_{K-1}`` and ``outcome_0 …``, in order of time, symbol and version. An
            outcome is NaN while it is not known (``resolved`` is False) and for ever where the bar
            does not count (``resolved`` is True).
        """
        with self._reading() as connection:
            slot, models, symbols = self._known(connection, slot_key)
            chosen = {k: name for k, name in models.items() if version in (None, name)}
            raws = [f"raw_{k}" for k in range(slot.get("raws", 1))]
            labels = [f"outcome_{k}" for k in range(slot.get("outcomes", 1))]
            said = bulk.read(
                connection,
                ("p.symbol_id", "p.ts_ms", "p.model_id", "p.role", "p.made_ms", *raws),
                f"FROM predictions p {where(chosen, symbols, since_ms, until_ms)}{_only(roles)}",
            )
            own = where([slot.get("id", 0)], symbols, since_ms, until_ms, "slot_id")
            columns = ("p.symbol_id", "p.ts_ms", *labels)
            came = bulk.read(connection, columns, f"FROM outcomes p {own}")
        return joined(said, came, chosen, symbols, (raws, labels))

    def last_predicted(self, slot_key: str, version: str) -> dict[str, int]:
        """Return the open of the last bar a version predicted, epoch ms, by symbol."""
        with self._reading() as connection:
            model_id = find(connection, f"{slot_key}/{version}").id
            own = f"WHERE p.model_id = {model_id} AND p.symbol_id = s.id"
            last = f"(SELECT max(p.ts_ms) FROM predictions p {own})"
            found = bulk.read(connection, ("s.id", last), "FROM symbols s")
            names = self._symbols(connection)
        return {names[int(k)]: int(ts) for k, ts in found if np.isfinite(ts)}

    def coverage(
        self, slot_key: str, version: str, since_ms: int | None = None
    ) -> dict[str, tuple[int, int]]:
        """Return how many bars a version has predicted since `since_ms` and the last, by symbol."""
        columns = ("p.symbol_id", "count(*)", "max(p.ts_ms)")
        found, symbols = self._version(slot_key, version, columns, since_ms, "GROUP BY p.symbol_id")
        return {symbols[int(k)]: (int(count), int(last)) for k, count, last in found}

    def predicted(
        self, slot_key: str, version: str, since_ms: int | None = None
    ) -> dict[str, NDArray[np.int64]]:
        """Return the bars a version has predicted since `since_ms`, epoch ms, by symbol."""
        found, symbols = self._version(slot_key, version, ("p.symbol_id", "p.ts_ms"), since_ms)
        bars = found.astype(np.int64)
        return {name: np.sort(bars[bars[:, 0] == k, 1]) for k, name in symbols.items()}

    # ------------------------------------------------------------------ inside

    def _version(
        self,
        slot_key: str,
        version: str,
        columns: tuple[str, ...],
        since_ms: int | None,
        rest: str = "",
    ) -> tuple[NDArray[np.float64], dict[int, str]]:
        """Return columns of a version's rows, and the names of symbols by id."""
        with self._reading() as connection:
            model_id = find(connection, f"{slot_key}/{version}").id
            symbols = self._symbols(connection)
            own = where([model_id], symbols, since_ms, None)
            return bulk.read(connection, columns, f"FROM predictions p {own} {rest}"), symbols

    @staticmethod
    def _symbols(connection: Connection) -> dict[int, str]:
        return {row.id: row.symbol for row in connection.execute(select(SYMBOLS))}

    def _known(
        self, connection: Connection, slot_key: str
    ) -> tuple[dict[str, int], dict[int, str], dict[int, str]]:
        """Return a slot's row, and the names of its versions and of all symbols by id."""
        slot = connection.execute(select(SLOTS).where(SLOTS.c.slot_key == slot_key)).first()
        own = select(MODELS.c.id, MODELS.c.version).where(MODELS.c.slot_key == slot_key)
        models = {row.id: row.version for row in connection.execute(own)}
        row = {} if slot is None else {name: getattr(slot, name) for name in _SLOT}
        return row, models, self._symbols(connection)

    def _slot(self, connection: Connection, slot_key: str, **widths: int) -> int:
        """Return the id of a slot, made if it is new, and note how many numbers its rows hold."""
        here = SLOTS.c.slot_key == slot_key
        row = connection.execute(select(SLOTS).where(here)).first()
        if row is None:
            first = {"slot_key": slot_key, "raws": 1, "outcomes": 1}
            connection.execute(self._insert(SLOTS).values(**first).on_conflict_do_nothing())
            row = connection.execute(select(SLOTS).where(here)).one()
        for name, width in widths.items():
            if width > getattr(row, name):
                column = SLOTS.c[name]
                connection.execute(update(SLOTS).where(here, column < width).values({name: width}))
        return int(row.id)

    def _bars(self, connection: Connection, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return the keys of the bars, with the ids of their symbols, made where they are new."""
        known = {name: k for k, name in self._symbols(connection).items()}
        if missing := sorted(set(batch.symbols) - set(known)):
            rows = [{"symbol": name} for name in missing]
            connection.execute(self._insert(SYMBOLS).on_conflict_do_nothing(), rows)
            known = {name: k for k, name in self._symbols(connection).items()}
        ids = np.array([known[name] for name in batch.symbols], dtype=np.int32)
        return {"symbol_id": ids[batch.symbol], "ts_ms": batch.ts}


def _only(roles: Sequence[str]) -> str:
    """Return the condition that rows were said in some roles; none where all are asked for."""
    codes = [str(ROLES.index(role)) for role in roles]
    return "" if len(codes) == len(ROLES) else f" AND p.role IN ({', '.join(codes) or 'NULL'})"
