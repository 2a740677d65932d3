"""What a version said live, on its way from a recorder's queue or a spool into the ledger."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from market.timeframes import timeframe_ms
from orchestration.roles import roles
from orchestration.spool import Spool
from orchestration.store.errors import BadRecord, UnknownModel
from orchestration.store.records import SERVES_FROM

if TYPE_CHECKING:
    from orchestration.store.store import Store

LATE_MS = 3_600_000
"""A bar that closed longer ago is no live one: who predicts the past does not serve."""

_log = logging.getLogger(__name__)


class Said(NamedTuple):
    """One prediction on its way to the ledger."""

    slot_key: str
    version: str
    symbol: str
    ts_ms: int
    raw: Any
    made_ms: int


def write(store: Store, rows: Iterable[Said]) -> tuple[int, Counter[str]]:
    """Write rows into the ledger; return how many belong there, and why the others do not.

    A row has the role in which it was said, however long it has waited.

    Raises
    ------
    DatabaseError
        The database cannot be asked: nothing is lost, the rows can be written again.
    """
    refused: Counter[str] = Counter()
    versions: dict[tuple[str, str], list[Said]] = {}
    for said in rows:
        versions.setdefault((said.slot_key, said.version), []).append(said)
    written = 0
    for (slot_key, version), own in versions.items():
        try:
            model = store.get_model(f"{slot_key}/{version}")
        except UnknownModel:
            refused[f"{slot_key}/{version} is not registered"] += len(own)
            continue
        serves_from = int(model.facts.get(SERVES_FROM, 0))
        step = timeframe_ms(slot_key.rpartition("/")[2])
        fit = [said for said in own if _belongs(said, step, serves_from, refused)]
        frame = _frame(fit)
        role = roles(model, frame["ts_ms"].to_numpy(np.int64))
        for word in np.unique(role):
            rows_of = frame[role == word]
            try:
                store.add_predictions(slot_key, version, str(word), rows_of)
            except BadRecord as error:
                refused[str(error)] += len(rows_of)
                continue
            written += len(rows_of)
    return written, refused


def drain(spool: Spool, store: Store) -> int:
    """Write what waits in a spool into the ledger and return how many rows that were.

    Raises
    ------
    DatabaseError
        The database cannot be asked; the files stay.
    """
    count = 0
    for path, found in spool.files():
        try:
            rows = [_read(row) for row in found]
        except (TypeError, ValueError):  # rows of something else, or of another time
            spool.put_aside(path)
            continue
        written, refused = write(store, rows)
        if refused:
            _log.warning("%s: %s", path, ", ".join(f"{n:,} {why}" for why, n in refused.items()))
        path.unlink(missing_ok=True)
        count += written
    return count


def _read(row: Any) -> Said:
    """Return a row of a spool.

    Raises
    ------
    TypeError, ValueError
        It is none.
    """
    said = Said(*row)
    kinds = zip(said, (str, str, str, int, list, int), strict=True)
    if not all(isinstance(value, kind) for value, kind in kinds):
        raise TypeError(f"{row!r} is no row of a spool")
    return said


def _belongs(said: Said, step: int, serves_from: int, refused: Counter[str]) -> bool:
    closed = said.ts_ms + step
    if said.ts_ms % step:
        refused["ts is not the open of a bar"] += 1
    elif closed > said.made_ms:
        refused["the bar had not closed"] += 1
    elif said.made_ms - closed > LATE_MS:
        refused["the bar had closed more than an hour before"] += 1
    elif said.ts_ms < serves_from:
        refused["the version was not in service at that bar"] += 1
    else:
        return True
    return False


def _frame(rows: list[Said]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": [said.symbol for said in rows],
            "ts_ms": np.array([said.ts_ms for said in rows], dtype=np.int64),
            "raw": [said.raw for said in rows],
            "made_ms": np.array([said.made_ms for said in rows], dtype=np.int64),
        }
    )
