"""Lineage: exactly which rows, columns and labels a fit read, as hashes that can be compared.

What a bundle keeps of it is enough to gather the same rows again, from the same first candle on,
and, where they come out otherwise, to say on which day of which symbol.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, instant_ms, utc
from ml_pipeline.panel import Panel
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS

FITTED_ON = ("train", "calibration", "selection")
"""The slices that a fit reads; the holdout is not among them."""

# Labels that a kind's baseline reads besides its own target.
_FURTHER_LABELS = {"price": ("rv_1h",)}


def labels_read(kind: str) -> tuple[str, ...]:
    """Return the label columns of the panel that a fit of `kind` reads."""
    return (*TASKS[kind].target, *_FURTHER_LABELS.get(kind, ()))


def rows_read(panel: Panel, split: TurnSplit) -> Panel:
    """Return the rows of the slices that a fit reads."""
    masks = [split.mask(panel, name) for name in FITTED_ON]
    return panel.rows(np.logical_or.reduce(masks))


def lineage(panel: Panel, split: TurnSplit, kind: str, columns: Sequence[str]) -> dict[str, Any]:
    """Return what a fit of `kind` on `columns` of `panel` read, JSON-able.

    Returns
    -------
    dict
        * ``data_hash``: SHA-256 of times, symbols, columns and labels of all rows read;
        * ``rows``: by symbol ``n``, ``first`` and ``last`` opening time;
        * ``days``: by symbol and day, the first 8 digits of the hash of that day's rows;
        * ``candles_from``: by symbol, the opening time of the first candle that the features saw:
          recursive indicators keep a last-digit memory of it;
        * ``holed``: columns, those of other models included, without a value on some later bar;
          such a bar is in no panel, so that these columns decide which rows there are.
    """
    read = rows_read(panel, split)
    labels = labels_read(kind)
    days: dict[str, dict[str, str]] = {}
    rows: dict[str, dict[str, Any]] = {}
    whole = hashlib.sha256(json.dumps([panel.timeframe, list(columns), list(labels)]).encode())
    for number, symbol in enumerate(panel.symbols):
        own = read.rows(read.symbol == number)
        digests = _daily(own, columns, labels)
        for day, digest in digests.items():
            whole.update(f"{symbol} {day}".encode() + digest)
        days[symbol] = {day: digest.hex()[:8] for day, digest in digests.items()}
        rows[symbol] = _span(own)
    return {
        "data_hash": whole.hexdigest(),
        "rows": rows,
        "days": days,
        "candles_from": {name: utc(ms).isoformat() for name, ms in panel.begins.items()},
        "holed": list(panel.holed),
    }


def trimmed(panel: Panel, rows: Mapping[str, Mapping[str, Any]]) -> Panel:
    """Return `panel` without the rows before each symbol's ``first`` of a lineage's ``rows``.

    The other models of a turn may settle later, and the panel with them.
    """
    keep = np.ones(len(panel), dtype=np.bool_)
    for number, symbol in enumerate(panel.symbols):
        first = rows.get(symbol, {}).get("first")
        if first is not None:
            keep &= (panel.symbol != number) | (panel.ts >= instant_ms(first))
    return panel.rows(keep)


def differences(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what differs between two lineages, a sentence each; none where the hashes agree."""
    if recorded["data_hash"] == found["data_hash"]:
        return []
    told = []
    for symbol in sorted({*recorded["rows"], *found["rows"]}):
        before, now = (side["rows"].get(symbol, {"n": 0}) for side in (recorded, found))
        if before["n"] != now["n"]:
            told.append(f"{symbol}: {before['n']:,} rows then, {now['n']:,} now")
        day = _first_other_day(recorded["days"].get(symbol, {}), found["days"].get(symbol, {}))
        if day is not None:
            told.append(f"{symbol}: the first day that differs is {day}")
    return told or ["the columns or labels are others"]


def _first_other_day(recorded: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    days = sorted({*recorded, *found})
    return next((day for day in days if recorded.get(day) != found.get(day)), None)


def _span(rows: Panel) -> dict[str, Any]:
    if not len(rows):
        return {"n": 0, "first": None, "last": None}
    first, last = (utc(int(rows.ts[i])).isoformat() for i in (0, -1))
    return {"n": len(rows), "first": first, "last": last}


def _daily(rows: Panel, columns: Sequence[str], labels: Sequence[str]) -> dict[str, bytes]:
    """Return the hash of each day of one symbol's rows, by the day's name."""
    X = rows.columns(columns)
    y = np.stack([_canonical(rows.labels[name]) for name in labels], axis=1)
    days, starts = np.unique(rows.ts // DAY_MS, return_index=True)
    stops = [*starts[1:], len(rows)]
    return {
        f"{utc(int(day) * DAY_MS):%Y-%m-%d}": _digest(rows.ts[a:b], X[a:b], y[a:b])
        for day, a, b in zip(days, starts, stops, strict=True)
    }


def _canonical(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a label with one kind of NaN: its sign bit means nothing."""
    return np.where(np.isnan(column), np.nan, column)


def _digest(*arrays: NDArray[Any]) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
