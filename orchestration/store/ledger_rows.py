"""Rows of the ledger on their way in and out: columns of numbers, names as codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orchestration.store.errors import BadRecord
from orchestration.store.records import ROLES

Floats = NDArray[np.float64]

WIDTH = 4
"""Numbers that a row holds at most, of a prediction or an outcome."""


@dataclass(frozen=True)
class Batch:
    """Rows about bars, each bar once, in the order of the table's key: symbol, then time.

    Attributes
    ----------
    symbols
        Names; ``symbol[i]`` is an index into them.
    symbol
        Whose bar, int64 [n].
    ts
        Opening times, epoch milliseconds, int64 [n].
    numbers
        Float64 [n, K].
    rows
        Which row of the frame each was, int64 [n].
    """

    symbols: tuple[str, ...]
    symbol: NDArray[np.int64]
    ts: NDArray[np.int64]
    numbers: Floats
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ts)

    @classmethod
    def of(cls, frame: pd.DataFrame, numbers: Floats) -> Batch:
        """Return the rows of a frame with their numbers; of a bar that is there twice the first."""
        codes, names = pd.factorize(frame["symbol"], sort=True)
        symbol, ts = codes.astype(np.int64), frame["ts_ms"].to_numpy(np.int64)
        order = np.lexsort((ts, symbol))  # stable: the first of several stays the first
        symbol, ts = symbol[order], ts[order]
        new = np.ones(len(ts), dtype=bool)
        new[1:] = (np.diff(symbol) != 0) | (np.diff(ts) != 0)
        rows = order[new]
        return cls(tuple(map(str, names)), symbol[new], ts[new], numbers[rows], rows)

    def columns(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the numbers as columns ``<prefix>_0 …``."""
        return {f"{prefix}_{k}": self.numbers[:, k] for k in range(self.numbers.shape[1])}


def numbers_of(frame: pd.DataFrame, column: str) -> Floats:
    """Return a row's K numbers, float64 [n, K], from lists in `column` or ``<column>_0 …``.

    Raises
    ------
    BadRecord
        A column is missing, rows have different counts of numbers, or more than a row holds.
    """
    spread = [f"{column}_{k}" for k in range(WIDTH + 1) if f"{column}_{k}" in frame.columns]
    lists = not spread or column in frame.columns
    wanted = ("symbol", "ts_ms", column) if lists else ("symbol", "ts_ms")
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise BadRecord(f"the frame has no column {', '.join(missing)}")
    try:
        if lists:
            values = np.array(frame[column].tolist(), dtype=np.float64)
        else:
            values = frame[spread].to_numpy(np.float64)
    except (TypeError, ValueError):
        raise BadRecord(f"{column} must hold the same count of numbers in every row") from None
    values = values.reshape(len(frame), -1) if len(frame) else values.reshape(0, 1)
    if values.shape[1] > WIDTH:
        raise BadRecord(
            f"{column} holds {values.shape[1]} numbers a row; the ledger has room for {WIDTH}"
        )
    return values


def keys_of(names: Mapping[int, str], ids: Floats) -> tuple[NDArray[np.int64], list[str]]:
    """Return each id's place among the names in their order, int64 [n], and these names."""
    ordered = sorted(names, key=lambda k: names[k])
    place = np.zeros(max(ordered, default=0) + 1, dtype=np.int64)
    place[ordered] = np.arange(len(ordered))
    return place[ids.astype(np.int64)], [names[k] for k in ordered]


def words(names: Mapping[int, str], ids: Floats) -> pd.Series[Any]:
    """Return the names of ids as a column of text."""
    place, ordered = keys_of(names, ids)
    known = pd.array(ordered, dtype="str")
    return pd.Series(known.take(place) if ordered else known)


def where(
    owners: Iterable[int],
    symbols: Iterable[int],
    since_ms: int | None,
    until_ms: int | None,
    owner: str = "model_id",
) -> str:
    """Return the WHERE of some models' (or a slot's) rows in a window, along the table's key."""
    parts = [f"p.{owner} IN ({_listed(owners)})", f"p.symbol_id IN ({_listed(symbols)})"]
    if since_ms is not None:
        parts.append(f"p.ts_ms >= {int(since_ms)}")
    if until_ms is not None:
        parts.append(f"p.ts_ms < {int(until_ms)}")
    return f"WHERE {' AND '.join(parts)}"


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(str(int(k)) for k in ids) or "-1"


def joined(
    said: NDArray[np.float64],
    came: NDArray[np.float64],
    models: Mapping[int, str],
    symbols: Mapping[int, str],
    names: tuple[list[str], list[str]],
) -> pd.DataFrame:
    """Return predictions beside their outcomes, sorted by time, symbol and version."""
    raws, labels = names
    order = np.lexsort(
        (keys_of(models, said[:, 2])[0], keys_of(symbols, said[:, 0])[0], said[:, 1])
    )
    said = said[order]
    place, known = _place(came, said)
    outcome = np.full((len(said), len(labels)), np.nan)
    outcome[known] = came[place[known], 2:]
    return pd.DataFrame(
        {
            "symbol": words(symbols, said[:, 0]),
            "ts_ms": said[:, 1].astype(np.int64),
            "version": words(models, said[:, 2]),
            "role": words(dict(enumerate(ROLES)), said[:, 3]),
            "made_ms": said[:, 4].astype(np.int64),
            "resolved": known,
            **{name: said[:, 5 + k] for k, name in enumerate(raws)},
            **{name: outcome[:, k] for k, name in enumerate(labels)},
        }
    )


def _place(
    came: NDArray[np.float64], said: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where each prediction's outcome is among those that came, and whether there is one."""
    # One number a bar, symbol and time: pairs are looked up like words.
    first = min((float(rows[:, 1].min()) for rows in (came, said) if len(rows)), default=0.0)
    many = 1 + int(max((rows[:, 0].max() for rows in (came, said) if len(rows)), default=0))

    def bars(rows: NDArray[np.float64]) -> NDArray[np.int64]:
        return (rows[:, 1] - first).astype(np.int64) * many + rows[:, 0].astype(np.int64)

    known_bars, asked = bars(came), bars(said)
    order = np.argsort(known_bars, kind="stable")
    at = np.searchsorted(known_bars, asked, sorter=order)
    at = np.minimum(at, max(len(came) - 1, 0))
    if not len(came):
        return np.zeros(len(said), dtype=np.int64), np.zeros(len(said), dtype=bool)
    place = order[at]
    return place, known_bars[place] == asked
