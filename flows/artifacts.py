"""What a turn leaves in the Prefect UI: leaderboard, drift table, pictures, a link to MLflow.

Pictures are embedded in Markdown as base64: both of Prefect's UIs draw them without a network,
while an image artifact prints its whole address below the picture.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.runtime import flow_run

from flows.ui import run_address
from market.symbols import scope_of
from models.common.slot import KINDS
from orchestration.service.refs import TurnRef

Json = dict[str, Any]


def run_name() -> str:
    """Return the name of a flow run: the moment of its turn and what was asked for."""
    asked = flow_run.get_parameters()
    words = [f"{asked.get('now') or datetime.now(UTC):%Y-%m-%d %H:%M} UTC"]
    if asked.get("symbols"):
        words.append(scope_of(asked["symbols"]))
    if asked.get("kinds") and len(asked["kinds"]) < len(KINDS):
        words.extend(asked["kinds"])
    return " ".join(words)


def show(turn: TurnRef, summary: Mapping[str, Any]) -> None:
    """Make the artifacts of a finished turn."""
    heading = f"{headline(summary)}\n\n[MLflow run]({run_address(turn.settings, summary)})"
    create_table_artifact(leaderboard(summary), key="leaderboard", description=heading)
    create_table_artifact(drift_table(summary), key="drift", description=heading)
    create_markdown_artifact(report(summary, heading), key="turn", description=headline(summary))
    for slot in summary["slots"]:
        pictures = [Path(path) for path in slot["pictures"]]
        if pictures:
            _show_pictures(f"pictures-{slot['kind']}", headline(summary), pictures)


def headline(summary: Mapping[str, Any]) -> str:
    """Return what a turn is, and whether its market is simulated, in one line of Markdown."""
    market = "**simulated market**" if summary["simulated"] else summary["source_name"]
    symbols = ", ".join(summary["symbols"])
    return f"{summary['turn_id']} · {market} · {symbols} · {summary['status']}"


def leaderboard(summary: Mapping[str, Any]) -> list[Json]:
    """Return the rows of the leaderboard: how the lines of the champions did on the ledger.

    Skill over the baseline and its lower 95 % bound in per cent, z, rows and days; and how many
    days are still missing until the ledger speaks with full weight.
    """
    return [
        {
            "kind": row["kind"],
            "champion": row["champion"] or "none",
            "baseline": "" if row["baseline"] is None else _yes(row["baseline"]),
            "skill": percent(row["skill"]),
            "lower bound": percent(row["lower"]),
            "z": "" if row.get("z") is None else f"{row['z']:+.2f}",
            "n": "" if row["n"] is None else f"{row['n']:,}",
            "days of ledger": days(row.get("days")),
            "days missing": days(row.get("days_missing")),
            "decision": row["action"],
        }
        for row in summary["leaderboard"]
    ]


def drift_table(summary: Mapping[str, Any]) -> list[Json]:
    """Return the rows of the drift table: each slot, and several slots pooled."""
    rows = [*summary["drift"], *summary.get("drift_pooled", ())]
    return [
        {
            "kind": row["kind"],
            "champion": row["champion"] or (_slots(row["slots"]) if "slots" in row else "none yet"),
            "status": row["status"],
            "days of outcomes": f"{row['days']:.1f}",
            "why": row["sentence"],
            "moved most (advice only)": shifts(row.get("shifted", ())),
        }
        for row in rows
    ]


def shifts(found: Sequence[Mapping[str, Any]]) -> str:
    """Return features that moved since training, each with its PSI.

    Examples
    --------
    >>> shifts([{"feature": "rsi_14", "psi": 0.3124}])
    'rsi_14 0.31'
    """
    return ", ".join(f"{one['feature']} {one['psi']:.2f}" for one in found)


def _slots(keys: Sequence[str]) -> str:
    return f"{len(keys)} slot{'' if len(keys) == 1 else 's'}"


def report(summary: Mapping[str, Any], heading: str) -> str:
    """Return the turn as a page of Markdown: decisions, data and seconds, failures first."""
    failures = [_line(f"{f['stage']} {f['subject']}", f["message"]) for f in summary["failures"]]
    parts = {
        "Failures": failures,
        "Decisions": [_line(slot["kind"], slot["sentence"]) for slot in summary["slots"]],
        "Recipes left out": [
            f"* {said}" for slot in summary["slots"] for said in slot.get("left_out", ())
        ],
        "Candles": [_line(found["symbol"], found["sentence"]) for found in summary["fetch"]],
        "Ensembles": [_line(row["slot"], row["sentence"]) for row in summary["ensembles"]],
        "Seconds": [_line(stage, f"{value:.2f}") for stage, value in summary["seconds"].items()],
    }
    sections = [f"## {name}\n\n{chr(10).join(lines)}" for name, lines in parts.items() if lines]
    return "\n\n".join([heading, *sections])


def days(count: float | None) -> str:
    """Return days with one decimal, empty when there are none.

    Examples
    --------
    >>> days(1.94), days(0.0)
    ('1.9', '')
    """
    return f"{count:.1f}" if count else ""


def percent(share: float | None) -> str:
    """Return a share as signed per cent, empty when there is none.

    Examples
    --------
    >>> percent(0.0123)
    '+1.23 %'
    """
    return "" if share is None else f"{100 * share:+.2f} %"


def _show_pictures(key: str, heading: str, pictures: list[Path]) -> None:
    drawn = [f"## {picture.stem}\n\n![{picture.stem}]({embedded(picture)})" for picture in pictures]
    create_markdown_artifact("\n\n".join([heading, *drawn]), key=_key(key), description=heading)


def embedded(picture: Path) -> str:
    """Return a PNG as an address that holds all of it."""
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())


def _line(name: str, sentence: str) -> str:
    return f"* **{name}**: {sentence}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
