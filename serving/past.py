"""What past turns left: their list and their leaderboard, as data and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from orchestration.service.facade import get_service
from orchestration.service.resources import existing, store_of
from orchestration.settings import Settings
from serving.console import table

Json = dict[str, Any]


def turns(settings: Settings, limit: int) -> list[Json]:
    """Return past turns of a home, the last begun first."""
    return [asdict(turn) for turn in store_of(existing(settings)).list_turns(limit)]


def nothing_of(settings: Settings, slot: str | None) -> str | None:
    """Return the sentence for a slot of which nothing is there; None where none was asked for."""
    known = sorted({model.slot_key for model in store_of(existing(settings)).list_models()})
    return f"nothing of {slot}; there is {', '.join(known)}" if slot and known else None


def last_summary(settings: Settings) -> Json:
    """Return the summary of the last turn that finished.

    Raises
    ------
    NoTurn
        None has.
    """
    return get_service(existing(settings)).report()


def board_rows(summary: Mapping[str, Any]) -> list[Json]:
    """Return the rows of the leaderboard, each saying whether the market is simulated."""
    return [{**row, "simulated": summary["simulated"]} for row in summary["leaderboard"]]


def board(summary: Mapping[str, Any]) -> Table:
    """Return the leaderboard as a table; its title says when the market is simulated."""
    market = "SIMULATED market" if summary["simulated"] else summary["source_name"]
    made = table(
        f"{summary['turn_id']} · {market}",
        "skill: per cent of the baseline's loss that the champion's line saved on the\n"
        "ledger; least: 95 % lower bound; days: of ledger, of those it takes in full",
    )
    for name, justify in _COLUMNS.items():
        folded = name == "champion"
        made.add_column(name, justify=justify, no_wrap=not folded, overflow="fold")
    for row in summary["leaderboard"]:
        made.add_row(*_cells(row))
    return made


def turns_table(turns: Sequence[Mapping[str, Any]]) -> Table:
    """Return past turns, the last first."""
    made = table("turns, the last first")
    for name in ("turn", "status", "simulated", "trained", "seconds"):
        made.add_column(name, no_wrap=name == "turn")
    for turn in turns:
        summary = turn["summary"]
        seconds = summary.get("seconds", {}).get("total")
        made.add_row(
            turn["turn_id"],
            turn["status"],
            {True: "yes", False: "no"}.get(summary.get("simulated"), ""),
            str(summary.get("versions_trained", "")),
            "" if seconds is None else f"{seconds:.1f}",
        )
    return made


_COLUMNS: Mapping[str, Any] = {
    "kind": "left",
    "champion": "left",
    "skill": "right",
    "least": "right",
    "z": "right",
    "n": "right",
    "days": "right",
}


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        row["kind"],
        row["champion"] or "none",
        _percent(row["skill"]),
        _percent(row["lower"]),
        "" if row.get("z") is None else f"{row['z']:+.2f}",
        "" if row["n"] is None else f"{row['n']:,}",
        _days(row),
    ]


def _days(row: Mapping[str, Any]) -> str:
    """Return the days of ledger, and where they are too few also how many it takes."""
    days, missing = row.get("days"), row.get("days_missing")
    if not days:
        return ""
    return f"{days:.1f}/{days + missing:.0f}" if missing else f"{days:.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.2f}"
