"""Tables of the ledger, and of what a look between two turns brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.markup import escape
from rich.table import Table

from serving.console import table

Row = Mapping[str, Any]
LIMIT = 20
"""Lines of a slot that a table shows."""
_VERSION = 16  # characters at least; a longer one is folded where there is no room
_COLUMNS = ("rows", "resolved", "first bar", "last bar", "rows/day")


def newest(rows: Iterable[Row], limit: int) -> list[Row]:
    """Return the last `limit` rows of each slot."""
    slots = groupby(rows, key=lambda row: row["slot"])
    return [row for _, group in slots for row in list(group)[-limit:]]


def status(rows: Sequence[Row], limit: int = LIMIT) -> Iterator[Table]:
    """Yield a table for each slot: what the ledger holds of each version and role."""
    for slot, group in groupby(rows, key=lambda row: row["slot"]):
        own = list(group)
        market = " · SIMULATED market" if any(row["simulated"] for row in own) else ""
        total, known = (sum(row[name] for row in own) for name in ("rows", "resolved"))
        older = f"; {len(own) - limit} older lines are not shown; --limit shows more"
        told = f"{total:,} rows, {known:,} with their outcome{older if len(own) > limit else ''}"
        made = table(escape(f"{slot}{market}"), told)
        made.padding = 0  # every character counts: seven columns in eighty
        made.add_column("version", overflow="fold", min_width=_VERSION)
        made.add_column("role", no_wrap=True)
        for name in _COLUMNS:
            made.add_column(name, justify="right", no_wrap=True)
        for row in newest(own, limit):
            made.add_row(
                escape(row["version"]),
                row["role"],
                f"{row['rows']:,}",
                f"{row['resolved']:,}",
                row["first"][:10],
                _minute(row["last"]),
                f"{row['rows_per_day']:,.0f}",
            )
        yield made


def predicted(found: Row) -> Iterator[Table | str]:
    """Yield what a look between two turns brought, failures first."""
    for failure in found["failures"]:
        name = escape(f"{failure['stage']} {failure['subject']}")
        yield f"[red]{name} failed:[/red] {escape(failure['message'])}"
    for row in found["slots"]:
        for version, why in row["broken"].items():
            yield f"[red]{escape(version)} cannot predict:[/red] {escape(why)}"
    if found["slots"]:
        market = "SIMULATED market" if found["simulated"] else found["source_name"]
        made = table(escape(f"{found['at']} · {market}"))
        made.add_column("slot", no_wrap=True)
        for name in ("versions", "predictions", "outcomes"):
            made.add_column(name, justify="right", no_wrap=True)
        for row in found["slots"]:
            counts = (row["versions"], row["predictions"], row["outcomes"])
            made.add_row(escape(row["slot"]), *(f"{count:,}" for count in counts))
        yield made
    if found["watch"]:
        yield escape(found["watch"]["sentence"])
    yield escape(found["sentence"])


def _minute(instant: str) -> str:
    return instant[:16].replace("T", " ")
