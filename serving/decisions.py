"""`tidewheel decisions`: who serves since when, and the figures that made it so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from orchestration.service.decisions import list_decisions
from orchestration.service.resources import existing
from orchestration.settings import Settings
from serving.console import table

Json = dict[str, Any]
_LEGEND = (
    "z: of the best rival's line against the champion's, on the days of ledger that both have; "
    "needed: what it takes to be promoted"
)
_COLUMNS: Mapping[str, Any] = {
    "slot": "left",
    "decision": "left",
    "champion": "left",
    "z": "right",
    "needed": "right",
    "days": "right",
}


def decisions(settings: Settings, slot: str | None, limit: int) -> list[Json]:
    """Return the last decisions of a home, the newest first."""
    return list_decisions(existing(settings), slot, limit)


def shown(rows: Sequence[Mapping[str, Any]]) -> Iterator[Table | str]:
    """Yield a table of decisions, and then each one's sentence."""
    if not rows:
        yield "nothing was decided yet; run a turn: tidewheel cycle"
        return
    market = " · SIMULATED market" if any(row["simulated"] for row in rows) else ""
    made = table(f"decisions, the last first{market}", _LEGEND)
    made.add_column("at", no_wrap=True)
    for name, justify in _COLUMNS.items():
        made.add_column(name, justify=justify, overflow="fold")
    for row in rows:
        made.add_row(*_cells(row))
    yield made
    for row in rows:
        by = "" if row["by"] == "turn" else f" by {row['by']}"
        told = f"{row['slot']} · {row['action']}{by}: {row['sentence']}"
        yield f"[bold]{_at(row)}[/bold] {escape(told)}"


def _cells(row: Mapping[str, Any]) -> list[str]:
    rival = _rival(row)
    return [
        _at(row),
        row["slot"],
        row["action"],
        escape(row["champion"]),
        _two(_asked(rival)),
        _two(rival.get("z_needed")),
        "" if not rival else f"{rival['days_champion']:.1f}",
    ]


def _asked(rival: Mapping[str, Any]) -> float | None:
    """Return the z that the gate asked of a line."""
    tempered: float | None = rival.get("tempered_z_champion")
    return rival.get("z_champion") if tempered is None else tempered


def _rival(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figures of the best line that was measured against the champion's."""
    lines = row.get("lines") or []
    return next((line for line in lines if line.get("z_needed") is not None), {})


def _at(row: Mapping[str, Any]) -> str:
    return str(row["at"])[:16].replace("T", " ")


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
