"""What a replay leaves in the Prefect UI: its progress, the table of skill, the picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.artifacts import embedded, percent
from orchestration.service.replaying import Progress
from orchestration.service.replays.plan import Plan

Json = dict[str, Any]


def run_name() -> str:
    """Return the name of a flow run: the stretch of history, and what was asked for."""
    asked = flow_run.get_parameters()
    words = [f"{asked['first']:%Y-%m-%d} to {asked['end']:%Y-%m-%d} every {asked['every']}"]
    if asked.get("name"):
        words.append(asked["name"])
    return " ".join(words)


class Follower:
    """Tells the Prefect UI and the log of each turn that is over."""

    def __init__(self, made: Plan) -> None:
        self._title = f"replay {made.name}"
        self._log = get_run_logger()
        created: Any = create_progress_artifact(0.0, key="replay", description=self._title)
        self._artifact: UUID = created

    def __call__(self, progress: Progress) -> None:
        """Take note of one more turn."""
        self._log.info("%d of %d: %s", progress.done, progress.total, progress.sentence)
        percent_done = round(100 * progress.done / progress.total, 1)
        update_progress_artifact(self._artifact, percent_done, description=self._title)


def show(made: Plan, found: Mapping[str, Any]) -> None:
    """Make the artifacts of a replay that is over."""
    create_table_artifact(table(found), key="replay-skill", description=headline(found))
    picture = f"![skill of what served]({embedded(Path(found['picture']))})"
    create_markdown_artifact(
        f"{headline(found)}\n\n{picture}\n\nFiles: {made.folder}", key="replay-picture",
        description=headline(found),
    )  # fmt: skip


def headline(found: Mapping[str, Any]) -> str:
    """Return what a replay is, and whether its market is simulated, in one line of Markdown."""
    market = "**SIMULATED market**" if found["simulated"] else found["source_name"]
    symbols = ", ".join(found["symbols"])
    return f"{found['name']} · {market} · {symbols} · {found['turns']} turns"


def table(found: Mapping[str, Any]) -> list[Json]:
    """Return the rows of the table: what served, and beside it each recipe's line."""
    rows = []
    for slot in found["slots"]:
        lines = [line for line in slot["lines"] if not line["baseline"]]
        for what, line in [("served", slot["served"]), *((row["recipe"], row) for row in lines)]:
            known = line["skill"] is not None
            rows.append(
                {
                    "kind": slot["kind"],
                    "what": what,
                    "skill": percent(line["skill"]),
                    "from": percent(line["lower"]),
                    "to": percent(line["upper"]),
                    "z": f"{line['z']:.2f}" if known else "",
                    "n": f"{line['n']:,}" if known else line["reason"],
                }
            )
    return rows
