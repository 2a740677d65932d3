"""How long the ledger is kept, and how it leaves the database: pruning and Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from market.timeframes import DAY_MS, instant_ms, utc
from orchestration.service.drift_rows import rules_of
from orchestration.service.errors import CannotExport, NoLedger
from orchestration.service.refs import Json
from orchestration.service.resources import source_of, store_of
from orchestration.settings import Settings
from orchestration.store.ledger_rows import WIDTH
from orchestration.store.store import Store

_NUMBERS = [(f"{prefix}_{k}", pa.float64()) for prefix in ("raw", "outcome") for k in range(WIDTH)]
SCHEMA = pa.schema(
    [
        ("slot", pa.dictionary(pa.int32(), pa.string())),
        ("symbol", pa.dictionary(pa.int32(), pa.string())),
        ("bar", pa.timestamp("ms", tz="UTC")),
        ("version", pa.dictionary(pa.int32(), pa.string())),
        ("role", pa.dictionary(pa.int32(), pa.string())),
        ("made", pa.timestamp("ms", tz="UTC")),
        ("resolved", pa.bool_()),
        *_NUMBERS,
    ]
)
"""Columns of an export; ``bar`` is the bar's open. Numbers that a kind does not have are null."""


def keep_days(settings: Settings) -> float:
    """Return how many days of ledger are kept: as set, and never less than anything looks at."""
    windows = (
        settings.ledger_keep_days,
        settings.gates.window_days,
        settings.gates.ledger_days,
        settings.days,
        rules_of(settings).track_days,
    )
    return float(max(windows))


def prune_ledger(settings: Settings, now: datetime | str | int) -> Json:
    """Delete ledger rows older than the policy that have their outcome; the others stay.

    Returns
    -------
    dict
        ``keep_days``, ``before`` (bars opened earlier went) and ``deleted``.
    """
    days = keep_days(settings)
    before_ms = instant_ms(now) - int(days * DAY_MS)
    deleted = store_of(settings).prune_ledger(before_ms)
    return {"keep_days": days, "before": utc(before_ms).isoformat(), "deleted": deleted}


def ledger_status(settings: Settings, slot: str | None = None) -> list[Json]:
    """Return what the ledger holds, one row for each version and role of a slot.

    Returns
    -------
    list of dict
        ``slot``, ``version``, ``role``, ``rows``, ``resolved``, ``first``, ``last`` (opens of the
        bars), ``rows_per_day`` and ``simulated``.
    """
    store = store_of(settings)
    simulated = {model.key: model.facts.get("simulated") for model in store.list_models(slot)}
    usual = source_of(settings).simulated
    return [
        {
            "slot": line.slot_key,
            "version": line.version,
            "role": line.role,
            "rows": line.rows,
            "resolved": line.resolved,
            "first": utc(line.first_ms).isoformat(),
            "last": utc(line.last_ms).isoformat(),
            "rows_per_day": round(line.rows_per_day, 1),
            "simulated": _known(simulated.get(f"{line.slot_key}/{line.version}"), usual),
        }
        for line in store.ledger_lines(slot)
    ]


def export_ledger(
    settings: Settings,
    out: Path,
    *,
    slot: str | None = None,
    since: datetime | str | int | None = None,
    until: datetime | str | int | None = None,
) -> Json:
    """Write the ledger as Parquet, a day of a slot at a time: memory does not grow with it.

    Parameters
    ----------
    out
        A file ending in ``.parquet``, or a folder that gets a file for each slot. A file that is
        there is replaced once the new one is whole.
    slot
        ``scope/kind/timeframe``; all of them if None.
    since, until
        Bars opened at `since` or later and before `until`.

    Returns
    -------
    dict
        ``rows`` and ``files`` (rows by path).

    Raises
    ------
    NoLedger
        Nothing fits.
    CannotExport
        `out` cannot be written.
    """
    store = store_of(settings)
    asked = (
        None if since is None else instant_ms(since),
        None if until is None else instant_ms(until),
    )
    slots = sorted({line.slot_key for line in store.list_models()} if slot is None else {slot})
    spans = {key: _span(store, key, *asked) for key in slots}
    there = {key: span for key, span in spans.items() if span is not None}
    if not there:
        which = "" if slot is None else f" of {slot}"
        when = "" if since is None and until is None else " in that time"
        raise NoLedger(f"no rows{which}{when} in the ledger; see tidewheel ledger status")
    single = out.suffix == ".parquet"
    files: dict[str, int] = {}
    if single:
        with _writer(out) as writer:
            files[str(out)] = sum(_write(writer, store, key, *there[key]) for key in there)
        return {"rows": sum(files.values()), "files": files}
    for key, span in there.items():
        path = out / f"{key.replace('/', '_')}.parquet"
        with _writer(path) as writer:
            files[str(path)] = _write(writer, store, key, *span)
    return {"rows": sum(files.values()), "files": files}


def _span(
    store: Store, slot_key: str, since_ms: int | None, until_ms: int | None
) -> tuple[int, int] | None:
    """Return the window of a slot's rows that was asked for; None where there are none."""
    found = store.ledger_span(slot_key)
    if found is None:
        return None
    first, end = found[0], found[1] + 1
    first = first if since_ms is None else max(first, since_ms)
    end = end if until_ms is None else min(end, until_ms)
    return (first, end) if first < end else None


def _write(writer: pq.ParquetWriter, store: Store, slot_key: str, start: int, end: int) -> int:
    rows = 0
    for day in _days(start, end):
        frame = store.ledger(slot_key, since_ms=day[0], until_ms=day[1])
        if not len(frame):
            continue
        writer.write_table(_table(slot_key, frame.to_dict("series")))
        rows += len(frame)
    return rows


def _days(start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = min(start - start % DAY_MS + DAY_MS, end)
        yield start, stop
        start = stop


def _table(slot_key: str, columns: Mapping[Any, Any]) -> pa.Table:
    n = len(columns["symbol"])
    arrays = {
        "slot": [slot_key] * n,
        "symbol": columns["symbol"],
        "bar": columns["ts_ms"],
        "version": columns["version"],
        "role": columns["role"],
        "made": columns["made_ms"],
        "resolved": columns["resolved"],
        **{name: columns.get(name, [None] * n) for name, _ in _NUMBERS},
    }
    made = [pa.array(arrays[name], from_pandas=True) for name in SCHEMA.names]
    return pa.table(made, names=SCHEMA.names).cast(SCHEMA)


@contextmanager
def _writer(path: Path) -> Iterator[pq.ParquetWriter]:
    """Write a file that appears whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(part, SCHEMA, compression="zstd") as writer:
            yield writer
        os.replace(part, path)
    except OSError as error:
        raise CannotExport(
            f"{path} cannot be written: {error.strerror or error}; --out is a file ending in "
            ".parquet, or a folder"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _known(value: Any, usual: bool) -> bool:
    return usual if value is None else bool(value)
