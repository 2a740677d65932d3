"""`tidewheel ensembles`: what each slot's ensemble is made of, how it did, and whether it is on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from orchestration.service.resources import existing, store_of
from orchestration.settings import Settings
from serving.console import table

Row = Mapping[str, Any]


def kept(settings: Settings, slot: str | None = None) -> list[dict[str, Any]]:
    """Return every stored ensemble by name: configuration, results, and whether it is on."""
    market = {
        model.slot_key: bool(model.facts.get("simulated"))
        for model in store_of(existing(settings)).list_models(status="champion")
    }
    rows = []
    for record in store_of(settings).list_ensembles():
        if slot is None or slot in record.slot_key:
            results = record.results or {}
            about = {"active": record.active, "updated_at": record.updated_at.isoformat()}
            told = {**results, "name": record.name, "slot": record.slot_key, **about}
            simulated = market.get(record.slot_key, any(market.values()))
            rows.append({**told, "config": record.config, "simulated": simulated})
    return rows


def shown(rows: Sequence[Row]) -> Iterator[Table | str]:
    """Yield the table of the rows, and below it what confidence is worth by regime."""
    if not rows:
        yield "no ensemble yet; a turn composes one where two lines have shown skill"
        return
    market = " · SIMULATED market" if any(row["simulated"] for row in rows) else ""
    made = table(f"ensembles, walked along the ledger before the holdout{market}")
    for name in ("name", "slot", "", "made of", "skill [95 %]", "n"):
        made.add_column(name, overflow="fold", justify="right" if name == "n" else "left")
    made.add_column("why", overflow="fold")
    for row in rows:
        made.add_row(
            row["name"],
            escape(row["slot"]),
            "[green]on[/green]" if row["active"] else "[dim]off[/dim]",
            escape(_members(row)),
            _skill(row),
            f"{row['n']:,}" if row.get("n") else "",
            escape(row.get("sentence", "made by hand")),
        )
    yield made
    for row in rows:
        if why := (row.get("regimes") or {}).get("why"):
            yield escape(f"{row['slot']}, {row['regimes']['line']}: {why}")


def _members(row: Row) -> str:
    """Return method and members: their lines with weights, or as a person named them."""
    told = [f"{one['recipe']} {one['weight']:.2f}" for one in row.get("members") or ()]
    config = row["config"]
    method = row.get("method") or config.get("method", "")
    return f"{method}: {', '.join(told or map(str, config.get('models', ())))}"


def _skill(row: Row) -> str:
    if row.get("skill") is None:
        return ""
    bounds = f"[{100 * row['lower']:+.2f}, {100 * row['upper']:+.2f}]"
    return escape(f"{100 * row['skill']:+.2f} % {bounds}")
