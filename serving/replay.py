"""`tidewheel replay`: a progress bar over the turns, then what served when, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from serving import console

Json = dict[str, Any]
Text = str | None


_UNDO = ("rollback", "HARM")


def _setting(text: str) -> Any:
    return typer.Option(help=text, show_default="from the settings")


def command(
    first: Annotated[str, typer.Option("--from", help="First turn, UTC unless it has a zone.")],
    end: Annotated[str, typer.Option("--to", help="No turn at or after it.")],
    every: Annotated[str, typer.Option(help="From turn to turn.")] = "12h",
    predict_every: Annotated[
        Text, typer.Option(help="Predictions between turns.", show_default="at turns only")
    ] = None,
    backfill: Annotated[
        float | None, typer.Option(help="Days of ledger filled in before.", metavar="DAYS")
    ] = None,
    train_days: Annotated[
        float | None,
        typer.Option(help="Days that the longest recipes train on.", show_default="from --days"),
    ] = None,
    source: Annotated[Text, _setting("simulated, files:<folder> or exchange:<id>.")] = None,
    symbols: Annotated[Text, _setting("Trading pairs, separated by commas.")] = None,
    kinds: Annotated[Text, _setting("Model kinds, separated by commas.")] = None,
    recipes: Annotated[Text, _setting("default, all, or names such as direction/logistic.")] = None,
    timeframe: Annotated[Text, _setting("Bar length, such as 1m.")] = None,
    days: Annotated[float | None, _setting("History that a turn works on.")] = None,
    seed: Annotated[int | None, _setting("Of every random draw.")] = None,
    workers: Annotated[int | None, _setting("Turns fitted beside each other.")] = None,
    name: Annotated[
        Text, typer.Option(help="Of its folder.", show_default="from the parameters")
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Draw each version's pictures too.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away an earlier run.")] = False,
    mlflow: Annotated[bool, typer.Option(help="One run in MLflow at the end.")] = True,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of all that is kept.", show_default="TIDEWHEEL_HOME or ./var"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Run the whole process over history with a virtual clock, in a home of its own.

    Killed anywhere, the same command goes on and comes to the same end. Exit status: 0 done, 3 done
    with failures in it, 2 bad input, 1 not done.
    """
    from orchestration.service.replays.plan import plan
    from orchestration.settings import load_settings

    settings = load_settings(
        home=home, source=source, symbols=symbols, kinds=kinds, recipes=recipes,
        timeframe=timeframe, days=days, seed=seed, workers=workers, backfill_days=backfill,
    )  # fmt: skip
    made = plan(
        settings, first, end, every, predict_every,
        train_days=train_days, pictures=pictures, name=name,
    )  # fmt: skip
    found = run(made, fresh=fresh, mlflow=mlflow)
    if json:
        console.print_json(found)
    else:
        show(found)
    raise typer.Exit(3 if found["failures"] else 0)


def run(made: Any, *, fresh: bool, mlflow: bool) -> Json:
    """Run a replay with a progress bar on stderr, and return its result."""
    from orchestration.service import replaying
    from orchestration.service.replays.ending import end

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console.progress_console()) as bar:
        task = bar.add_task(f"replay {made.name}", total=len(made.turns))

        def tell(progress: replaying.Progress) -> None:
            bar.update(task, completed=progress.done)
            if ";" in progress.sentence:
                bar.console.print(escape(progress.sentence))

        replaying.replay(made, tell, fresh=fresh)
        return end(made, mlflow=mlflow)


def show(found: Mapping[str, Any]) -> None:
    """Print a result: what served and its skill, drift, cost, and where files lie."""
    market = "SIMULATED market" if found["simulated"] else found["source_name"]
    title = f"replay {found['name']} · {market} · {found['turns']} turns"
    console.show(_skill(found, title))
    console.show(_served(found))
    for further in (_seen(found), _ensembles(found)):
        if further.row_count:
            console.show(further)
    for failure in found["failures"]:
        console.show(f"[red]{failure['at']} failed:[/red] {escape(str(failure['message']))}")
    cost = found["cost"]
    console.show(
        f"{cost['versions']} versions in {cost['turns']} turns: {cost['cpu_a_turn']} CPU seconds a "
        f"turn ({cost['fits_cpu']} in fits, {cost['rest_cpu']} in all else), {cost['wall']:.0f} s "
        f"in all with {cost['workers']} workers"
    )
    console.show(f"picture    {escape(found['picture'])}")
    console.show(f"decisions  {escape(found['folder'])}/decisions.json")
    console.show(f"earned?    tidewheel backtest ml_enhanced --replay {escape(found['name'])}")
    if found["mlflow_run"]:
        console.show(f"MLflow run {found['mlflow_run']}")


def _skill(found: Mapping[str, Any], title: str) -> Table:
    caption = (
        "skill: part of the baseline's loss that was saved, on predictions made before their "
        "outcome; n: rows; eff.: independent times that would tell as much; served: what users got"
    )
    made = console.table(title, caption)
    for name in ("kind", "what"):
        made.add_column(name, no_wrap=True)
    for name in ("skill", "95 % interval", "z", "n", "eff."):
        made.add_column(name, justify="right", no_wrap=True)
    for slot in found["slots"]:
        lines = [line for line in slot["lines"] if not line["baseline"]]
        made.add_row(slot["kind"], _who(slot), *_cells(slot["served"]), style="bold")
        for line in lines:
            made.add_row("", line["recipe"], *_cells(line))
    return made


def _who(slot: Mapping[str, Any]) -> str:
    recipes = {reign["recipe"] for reign in slot["reigns"]}
    return "served (the baseline)" if recipes == {"baseline"} else "served"


def _cells(line: Mapping[str, Any]) -> list[str]:
    if line["skill"] is None:
        return ["", escape(line["reason"]), "", "", ""]
    return [
        _percent(line["skill"]),
        f"{_percent(line['lower'])} … {_percent(line['upper'])}",
        f"{line['z']:.2f}",
        f"{line['n']:,}",
        f"{line['effective_n']:,.0f}",
    ]


def _served(found: Mapping[str, Any]) -> Table:
    made = console.table("what served when", "by the opening time of its first and last bar, UTC")
    for name in ("kind", "recipe", "from", "until"):
        made.add_column(name, no_wrap=True)
    made.add_column("versions", justify="right")
    made.add_column("why")
    for slot in found["slots"]:
        for place, reign in enumerate(slot["reigns"]):
            made.add_row(
                slot["kind"] if place == 0 else "",
                reign["recipe"],
                reign["from"][:16],
                reign["until"][:16],
                str(reign["versions"]),
                escape(reign["sentence"]),
            )
    return made


def _seen(found: Mapping[str, Any]) -> Table:
    made = console.table("drift, where its verdict changed, and what was done about it")
    for name in ("kind", "at", "what"):
        made.add_column(name, no_wrap=True)
    made.add_column("why")
    for slot in found["slots"]:
        runs = (next(run) for _, run in groupby(slot["drift"], key=lambda row: row["status"]))
        rows = [(row["at"], row["status"], row["sentence"]) for row in runs]
        rows += [
            (e["at"], e["action"], e["sentence"]) for e in slot["events"] if e["action"] in _UNDO
        ]
        rows += [(done["at"], "retrained", done["sentence"]) for done in slot["retrained"]]
        for at, what, why in sorted(rows):
            made.add_row(slot["kind"], at[:16], what, escape(why or ""))
    return made


def _ensembles(found: Mapping[str, Any]) -> Table:
    made = console.table("ensembles", "in how many turns one was built, and in how many active")
    for name in ("slot", "built", "active"):
        made.add_column(name, no_wrap=True)
    made.add_column("last")
    for row in found["ensembles"]:
        if row["built"]:
            counts = (str(row["built"]), str(row["active"]))
            made.add_row(row["slot"], *counts, escape(row["sentence"]))
    return made


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %"
