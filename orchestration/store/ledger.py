"""The ledger: every prediction stored once, joined with what really happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Select, String, Table, and_, cast, func, select

from orchestration.store.errors import BadRecord
from orchestration.store.models import MODELS, Models, find
from orchestration.store.records import ROLES
from orchestration.store.tables import OutcomeRow, PredictionRow

PREDICTIONS: Table = PredictionRow.__table__  # type: ignore[assignment]
OUTCOMES: Table = OutcomeRow.__table__  # type: ignore[assignment]
BATCH = 10_000


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
            ``champion``, ``shadow`` or ``baseline``: how it was used at the time.
        frame : DataFrame
            Columns ``symbol``, ``ts_ms`` and ``raw``: the K numbers of the model's output.
        made_ms : int, optional
            When the predictions were made, epoch milliseconds; the clock's time if not given.

        Returns
        -------
        int
            Rows that are new.

        Raises
        ------
        BadRecord
            No such role, a column is missing, or a number is not finite.
        UnknownModel
            The version is not registered.
        """
        if role not in ROLES:
            raise BadRecord(f"no role {role!r}; use one of {', '.join(ROLES)}")
        raw = _matrix(frame, "raw")
        if bad := int((~np.isfinite(raw)).any(axis=1).sum()):
            raise BadRecord(f"{bad} of {len(frame)} predictions of {version} are not finite")
        made = int(self._clock().timestamp() * 1000) if made_ms is None else made_ms
        with self._reading() as connection:
            model_id = find(connection, f"{slot_key}/{version}").id
        fixed = {"model_id": model_id, "role": role, "made_ms": made}
        return self._add(PREDICTIONS, fixed, frame, "raw", raw)

    def add_outcomes(self, slot_key: str, frame: pd.DataFrame) -> int:
        """Store what happened after some bars; what is stored stays as it was.

        Parameters
        ----------
        slot_key : str
            ``scope/kind/timeframe``.
        frame : DataFrame
            Columns ``symbol``, ``ts_ms`` and ``outcome``: the labels of the kind. NaN settles a bar
            that does not count, such as one without a move.

        Returns
        -------
        int
            Rows that are new.

        Raises
        ------
        BadRecord
            A column is missing.
        """
        return self._add(
            OUTCOMES, {"slot_key": slot_key}, frame, "outcome", _matrix(frame, "outcome")
        )

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
        bars = PREDICTIONS.c
        query = (
            select(bars.symbol, bars.ts_ms)
            .distinct()
            .join(MODELS, MODELS.c.id == bars.model_id)
            .outerjoin(OUTCOMES, _same_bar())
            .where(MODELS.c.slot_key == slot_key, OUTCOMES.c.symbol.is_(None))
            .where(bars.ts_ms <= through_ms)
            .order_by(bars.ts_ms, bars.symbol)
        )
        if since_ms is not None:
            query = query.where(bars.ts_ms >= since_ms)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return _frame(rows, ["symbol", "ts_ms"])

    def ledger(
        self,
        slot_key: str,
        version: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
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

        Returns
        -------
        DataFrame
            Columns ``symbol``, ``ts_ms``, ``version``, ``role``, ``made_ms``, ``resolved`` (bool),
            ``raw_0 … raw_{K-1}`` and ``outcome_0 …``, in order of time, symbol and version. An
            outcome is NaN while it is not known (``resolved`` is False) and for ever where the bar
            does not count (``resolved`` is True).
        """
        query = _ledger_query().where(MODELS.c.slot_key == slot_key)
        if version is not None:
            query = query.where(MODELS.c.version == version)
        if since_ms is not None:
            query = query.where(PREDICTIONS.c.ts_ms >= since_ms)
        if until_ms is not None:
            query = query.where(PREDICTIONS.c.ts_ms < until_ms)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        frame = _frame([row[:5] for row in rows], ["symbol", "ts_ms", "version", "role", "made_ms"])
        frame["resolved"] = np.array([row[6] is not None for row in rows], dtype=bool)
        values = (
            _spread([row[5] for row in rows], "raw"),
            _spread([row[6] for row in rows], "outcome"),
        )
        return pd.concat([frame, *values], axis=1)

    def last_predicted(self, slot_key: str, version: str) -> dict[str, int]:
        """Return the open of the last bar a version predicted, epoch ms, by symbol."""
        bars = PREDICTIONS.c
        with self._reading() as connection:
            model_id = find(connection, f"{slot_key}/{version}").id
            last = connection.execute(
                select(bars.symbol, func.max(bars.ts_ms))
                .where(bars.model_id == model_id)
                .group_by(bars.symbol)
            ).all()
        return {symbol: int(ts_ms) for symbol, ts_ms in last}

    def _add(
        self,
        table: Table,
        fixed: dict[str, Any],
        frame: pd.DataFrame,
        column: str,
        values: npt.NDArray[np.float64],
    ) -> int:
        insert = self._insert(table).on_conflict_do_nothing()
        new = 0
        with self._writing() as connection:
            for part in _slices(len(frame)):
                bars = zip(
                    frame["symbol"].iloc[part].tolist(),
                    frame["ts_ms"].iloc[part].tolist(),
                    values[part].tolist(),
                    strict=True,
                )
                rows = [
                    {**fixed, "symbol": str(symbol), "ts_ms": int(ts), column: numbers}
                    for symbol, ts, numbers in bars
                ]
                new += connection.execute(insert, rows).rowcount
        return new


def _same_bar() -> Any:
    return and_(
        OUTCOMES.c.slot_key == MODELS.c.slot_key,
        OUTCOMES.c.ts_ms == PREDICTIONS.c.ts_ms,
        OUTCOMES.c.symbol == PREDICTIONS.c.symbol,
    )


def _ledger_query() -> Select[Any]:
    bars = PREDICTIONS.c
    # As text: one parse of a whole column is many times faster than one of each row.
    raw, outcome = cast(bars.raw, String), cast(OUTCOMES.c.outcome, String)
    return (
        select(bars.symbol, bars.ts_ms, MODELS.c.version, bars.role, bars.made_ms, raw, outcome)
        .join(MODELS, MODELS.c.id == bars.model_id)
        .outerjoin(OUTCOMES, _same_bar())
        .order_by(bars.ts_ms, bars.symbol, MODELS.c.version)
    )


def _slices(rows: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, rows, BATCH))


def _frame(rows: Sequence[Any], names: list[str]) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    frame = pd.DataFrame({name: list(column) for name, column in zip(names, columns, strict=True)})
    return frame.astype({name: "int64" for name in names if name.endswith("_ms")})


def _matrix(frame: pd.DataFrame, column: str) -> npt.NDArray[np.float64]:
    """Return a column of K numbers a row as float64 [n, K]."""
    missing = [name for name in ("symbol", "ts_ms", column) if name not in frame.columns]
    if missing:
        raise BadRecord(f"the frame has no column {', '.join(missing)}")
    try:
        values = np.array(frame[column].tolist(), dtype=np.float64)
    except (TypeError, ValueError):
        raise BadRecord(f"{column} must hold the same count of numbers in every row") from None
    return values.reshape(len(frame), -1) if len(frame) else values.reshape(0, 1)


def _spread(texts: Sequence[str | None], prefix: str) -> pd.DataFrame:
    """Return JSON lists of numbers as columns ``prefix_0 …``; NaN where there is none."""
    lists = json.loads(f"[{','.join(text or '[]' for text in texts)}]")
    width = max([1, *map(len, lists)])
    padded = [numbers + [None] * (width - len(numbers)) for numbers in lists]
    values = np.array(padded, dtype=np.float64).reshape(len(lists), width)
    return pd.DataFrame(values, columns=[f"{prefix}_{k}" for k in range(width)])
