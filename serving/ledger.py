"""`tidewheel predict` and `tidewheel ledger`: what is said now, what was said and came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from serving import console
from serving.models import Home, Json, Limit, Text, clock, settings_of

app = typer.Typer(
    name="ledger",
    help="Look at the ledger of predictions and outcomes, export it as Parquet, prune it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Slot = Annotated[Text, typer.Option(help="Only this slot, such as majors/direction/1m.")]
Since = Annotated[
    Text, typer.Option(help="Bars opened on this day (UTC) or at this time, or later.")
]
Until = Annotated[Text, typer.Option(help="Bars opened before this day (UTC) or time.")]
Now = Annotated[Text, typer.Option(help="Moment of it, with its zone.", show_default="the clock")]


def _setting(text: str) -> Any:
    return typer.Option(help=text, show_default="from the settings")


@app.command(epilog="Example: tidewheel ledger status --slot majors/direction/1m")
def status(slot: Slot = None, limit: Limit = None, home: Home = None, json: Json = False) -> None:
    """Count the rows of each slot and version: resolved, first and last bar, role, rows a day."""
    from orchestration.service.keeping import ledger_status
    from serving import ledger_tables
    from serving.past import nothing_of

    settings = settings_of(home)
    rows = ledger_status(settings, slot)
    if json:
        console.print_json(rows if limit is None else ledger_tables.newest(rows, limit))
        return
    if not rows:
        empty = "the ledger is empty; a turn begins it: tidewheel cycle"
        console.show(nothing_of(settings, slot) or empty)
    for part in ledger_tables.status(rows, limit or ledger_tables.LIMIT):
        console.show(part)


@app.command(epilog="Example: tidewheel ledger export --out may.parquet --since 2025-05-01")
def export(
    out: Annotated[Path, typer.Option(help="A .parquet file, or a folder: a file for each slot.")],
    slot: Slot = None,
    since: Since = None,
    until: Until = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write predictions beside their outcomes as Parquet, in constant memory."""
    from orchestration.service.keeping import export_ledger

    window = {"since": _opened(since), "until": _opened(until)}
    found = export_ledger(settings_of(home), out, slot=slot, **window)
    if json:
        console.print_json(found)
        return
    for path, rows in found["files"].items():
        console.show(f"{rows:>12,} rows  {escape(path)}")


@app.command(epilog="Example: tidewheel ledger prune --json")
def prune(now: Now = None, home: Home = None, json: Json = False) -> None:
    """Delete rows older than the setting ledger_keep_days that have their outcome.

    A turn does it at its end.
    """
    from orchestration.service.keeping import prune_ledger

    found = prune_ledger(settings_of(home), clock(now)())
    if json:
        console.print_json(found)
    else:
        console.show(
            f"{found['deleted']:,} rows of bars before {found['before']} deleted; "
            f"{found['keep_days']:g} days are kept"
        )


def _opened(said: str | None) -> int | None:
    """Return a day, or a time with its zone, as epoch milliseconds; a day begins in UTC."""
    from market.timeframes import instant_ms

    if said is None:
        return None
    return instant_ms(f"{said}T00:00:00Z" if len(said) == len("2025-05-20") else said)


def predict(
    source: Annotated[Text, _setting("simulated, files:<folder> or exchange:<id>.")] = None,
    symbols: Annotated[Text, _setting("Trading pairs, separated by commas.")] = None,
    kinds: Annotated[Text, _setting("Model kinds, separated by commas.")] = None,
    timeframe: Annotated[Text, _setting("Bar length, such as 1m.")] = None,
    now: Now = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Record what the models in service say about the bars that closed, and settle outcomes.

    The schedule of `tidewheel up` does it every 15 minutes. Exit status: 0 done or nothing to do,
    3 done with failures in it, 2 bad input, 1 not done.
    """
    from orchestration.service.predicting import predict as look
    from serving import ledger_tables

    asked: dict[str, Any] = {
        "source": source, "symbols": symbols, "kinds": kinds, "timeframe": timeframe,
    }  # fmt: skip
    found = look(settings_of(home, **asked), clock(now)())
    if json:
        console.print_json(found)
    else:
        for part in ledger_tables.predicted(found):
            console.show(part)
    broken = any(row["broken"] for row in found["slots"])
    raise typer.Exit(3 if found["failures"] or broken else 0)
