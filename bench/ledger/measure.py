"""The clock: each contestant on an empty database, in turn, the best of some rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import text

from bench.ledger.contestants import came_of, engine_of


def measure(
    contestants: Mapping[str, type[Any]], url: str, days: list[pd.DataFrame], rounds: int
) -> dict[str, dict[str, Any]]:
    """Return rows a second of writing, writing again and reading, and the size on disk."""
    came = came_of(days)
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            found = _round(contestant, url, days, came)
            best[name] = {
                key: _better(key, value, best.get(name, {}).get(key))
                for key, value in found.items()
            }
    return best


def ratios(rows: Mapping[str, Mapping[str, Any]], who: str) -> str:
    """Return how many times faster the ledger is."""
    if who == "ledger":
        return ""
    return ", ".join(f"{rows['ledger'][k] / rows[who][k]:.1f}×" for k in ("write", "read"))


def _round(
    contestant: type[Any], url: str, days: list[pd.DataFrame], came: pd.DataFrame
) -> dict[str, Any]:
    empty(url)
    one = contestant(url)
    rows = sum(map(len, days))
    written = _seconds(lambda: [one.write(day) for day in days])
    again = _seconds(lambda: [one.write(day) for day in days]) if one.can_repeat else None
    one.outcomes(came)
    frames: list[pd.DataFrame] = []
    read = _seconds(lambda: frames.append(one.read()))
    _check(frames[0], days)
    one.close()
    return {
        "write": rows / written,
        "again": None if again is None else rows / again,
        "read": rows / read,
        "read_s": read,
        "megabytes": size(url) / 1e6,
    }


def _check(frame: pd.DataFrame, days: list[pd.DataFrame]) -> None:
    """All of them must have read the same."""
    order = ["ts_ms", "symbol", "version"]
    wanted = pd.concat(days).sort_values(order)["raw_0"].to_numpy()
    assert np.array_equal(frame["raw_0"].to_numpy(), wanted), "not what was written"


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _better(key: str, value: Any, before: Any) -> Any:
    if before is None or value is None:
        return value
    return min(value, before) if key in ("read_s", "megabytes") else max(value, before)


def empty(url: str) -> None:
    """Make the database as new."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        return
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def size(url: str) -> int:
    """Return the bytes of tables and their indexes."""
    engine = engine_of(url)
    with engine.connect() as connection:
        if url.startswith("sqlite"):
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            size = int(pages) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
        else:
            query = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND "
            space = "relnamespace = 'public'::regnamespace"
            size = int(connection.execute(text(query + space)).scalar_one())
    engine.dispose()
    return size
