"""`tidewheel cycle`: a progress bar while a turn runs, its leaderboard when it is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from flows.progress import Step
from flows.standalone import run_cycle
from market.source import open_source
from orchestration.settings import Settings
from serving import console
from serving.past import board
from serving.shell import up_command

Json = dict[str, Any]
_INTERRUPTED = 130  # exit status
# Prefect's log goes to its UI; on the terminal it would tear the progress bar.
_LOG_LEVEL = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"


def run(settings: Settings, now: datetime | None) -> Json:
    """Run one turn with a progress bar on stderr and return its summary."""
    open_source(settings.source)  # a mistake in it is told before any server is started
    os.environ.setdefault(_LOG_LEVEL, "CRITICAL")
    signal.signal(signal.SIGINT, _interrupt)
    parameters: Json = {
        "symbols": list(settings.symbols),
        "kinds": list(settings.kinds),
        "recipes": list(settings.recipes),
        "timeframe": settings.timeframe,
        "days": settings.days,
        "source": settings.source,
        "seed": settings.seed,
        "now": now,
    }
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console.progress_console()) as bar:
        task = bar.add_task("starting Prefect", total=None)

        def follow(step: Step) -> None:
            bar.update(task, total=step.total, completed=step.done)
            name = f"{step.stage} {step.subject}".strip()
            if step.state == "begun":
                bar.update(task, description=name)
            elif step.state == "failed":
                bar.console.print(f"[red]{escape(name)} failed:[/red] {escape(step.sentence)}")

        summary = run_cycle(settings, parameters, follow)
        total = bar.tasks[0].total or 1
        bar.update(task, description="done", total=total, completed=total)
    return summary


def _interrupt(*_: object) -> None:
    """End the turn on Ctrl-C: fits under way cannot be interrupted, so a second one leaves."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    console.say(
        "ending, once the fits under way are done; Ctrl-C again leaves at once. "
        "The same command with the same --now goes on from here."
    )
    raise KeyboardInterrupt


def show(summary: Mapping[str, Any], settings: Settings) -> None:
    """Print how a turn ended: its leaderboard, its failures, and how to look closer."""
    if not summary["changed"]:
        console.show(escape(summary["sentence"]))
    console.show(board(summary))
    for found in summary["fetch"]:
        if not found["report"]["clean"]:
            name, said = escape(found["symbol"]), escape(found["sentence"])
            console.show(f"[yellow]candles of {name}:[/yellow] {said}")
    for slot in summary["slots"]:
        for said in slot.get("left_out", ()):
            console.show(f"[yellow]recipe[/yellow] {escape(said)}")
    for failure in summary["failures"]:
        name = f"{failure['stage']} {failure['subject']}".strip()
        console.show(f"[red]{escape(name)} failed:[/red] {escape(failure['message'])}")
    console.show(
        f"{summary['status']}; {summary['versions_trained']} versions trained in "
        f"{summary['seconds']['total']:.1f} s of work. Look closer:"
    )
    if not summary["servers_stay"]:
        console.show(f"  {escape(up_command(settings.home, Path.cwd()))}")
    for page in summary["pages"].values():
        console.show(f"  {escape(page)}")
