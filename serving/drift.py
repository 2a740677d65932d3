"""`tidewheel drift`: whether what serves has kept its skill, slot by slot and pooled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from orchestration.service.resources import existing, store_of
from orchestration.settings import Settings
from serving.console import table

Row = Mapping[str, Any]
_COLOURS = {"OK": "green", "WARN": "yellow", "DRIFT": "red", "HARM": "red bold"}
_LEGEND = "moved most since training, by PSI (.1 a little, .25 a lot): advice only, decides nothing"


def latest(settings: Settings, slot: str | None = None) -> list[dict[str, Any]]:
    """Return the newest drift row of each slot and pool; of those whose name holds `slot`."""
    rows = store_of(existing(settings)).latest_drift()
    market = {
        model.slot_key: bool(model.facts.get("simulated"))
        for model in store_of(settings).list_models(status="champion")
    }
    simulated = any(market.values())
    return [
        {**row, "simulated": market.get(row["slot_key"], simulated)}
        for row in rows
        if slot is None or slot in row["slot_key"]
    ]


def shown(rows: Sequence[Row]) -> Iterator[Table | str]:
    """Yield the table of the rows, and below it what moved."""
    if not rows:
        yield "no drift was judged yet; a turn does: tidewheel cycle"
        return
    market = " · SIMULATED market" if any(row["simulated"] for row in rows) else ""
    made = table(f"drift, by the ledger{market}")
    for name in ("slot", "status", "champion", "days"):
        made.add_column(name, no_wrap=True, justify="right" if name == "days" else "left")
    made.add_column("why", overflow="fold")
    for row in rows:
        colour = _COLOURS.get(row["status"], "dim")
        made.add_row(
            escape(row["slot_key"]),
            f"[{colour}]{row['status']}[/{colour}]",
            escape(row["champion"] or _slots(row)),
            f"{row.get('days', 0.0):.1f}",
            escape(row["sentence"]),
        )
    yield made
    moved = [row for row in rows if row.get("shifted")]
    for row in moved:
        said = ", ".join(f"{one['feature']} {one['psi']:.2f}" for one in row["shifted"])
        yield escape(f"{row['slot_key']}: {said}")
    if moved:
        yield _LEGEND


def flag_table(flags: Sequence[Row]) -> Table:
    """Return the open flags."""
    made = table("flagged for retraining")
    for name in ("name", "recipe", "since", "why"):
        made.add_column(name, overflow="fold")
    for one in flags:
        recipe = one["recipe"] or "[red]unknown[/red]"
        made.add_row(escape(one["name"]), recipe, one["raised_at"][:16], escape(one["reason"]))
    return made


def _slots(row: Row) -> str:
    if "slots" not in row:
        return "none yet"
    count = len(row["slots"])
    return f"{count} slot{'' if count == 1 else 's'}"
