"""`tidewheel models`: what there is, how it compares, whether it is sound, and who serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from serving import console
from serving.reproduce import reproduce

app = typer.Typer(
    name="models",
    help="Look at versions, compare and verify them, and say which one serves.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

app.command(epilog="Example: tidewheel models reproduce direction")(reproduce)

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of all that is kept.", show_default="TIDEWHEEL_HOME or ./var"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Text = str | None
Scope = Annotated[Text, typer.Option(help="Of this scope, such as majors.")]
Symbol = Annotated[str, typer.Argument(help="BTCUSDT, BTC-USDT, …, or a scope.")]
Kind = Annotated[
    str, typer.Argument(metavar="TYPE", help="direction, risk, price, momentum, volatility.")
]


def settings_of(home: Path | None) -> Any:
    """Return the settings of a home, with any promotion that was cut off brought to its end."""
    from orchestration.settings import load_settings

    return load_settings(home=home)


@app.command("list", epilog="Example: tidewheel models list --kind direction --status champion")
def show_list(
    kind: Annotated[Text, typer.Option(help="Only this kind.")] = None,
    scope: Scope = None,
    status: Annotated[Text, typer.Option(help="Only this status: champion, unproven, …")] = None,
    timeframe: Annotated[Text, typer.Option(help="Only this bar length.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List versions by slot: status, role, skill with interval and n, age, size."""
    from orchestration.service.listing import list_versions
    from serving import model_tables

    rows = list_versions(
        settings_of(home), kind=kind, scope=scope, status=status, timeframe=timeframe
    )
    if json:
        console.print_json(rows)
    elif rows:
        for part in model_tables.listed(rows):
            console.show(part)
    else:
        console.show("no version fits; train some: tidewheel cycle")


@app.command(epilog="Example: tidewheel models compare BTCUSDT 1m price")
def compare(
    symbol: Symbol,
    timeframe: Annotated[str, typer.Argument(help="Bar length, such as 1h.")],
    kind: Kind,
    scope: Scope = None,
    recent: Annotated[int, typer.Option(help="How many besides those in service.", min=0)] = 4,
    home: Home = None,
    json: Json = False,
) -> None:
    """Put a slot's champion, challenger, baseline and recent versions side by side."""
    from orchestration.service.comparing import compare as ask
    from serving import model_tables

    found = ask(settings_of(home), symbol, timeframe, kind, scope=scope, recent=recent)
    if json:
        console.print_json(found)
        return
    for part in model_tables.compared(found):
        console.show(part)


@app.command(epilog="Example: tidewheel models validate --repair")
def validate(
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring what is damaged back from MLflow.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Reload every bundle, graph included; tell what is missing or corrupt.

    Exit status: 0 all are sound, 1 something is refused.
    """
    from orchestration.service import checking
    from serving import model_tables

    settings = settings_of(home)
    repaired = checking.repair(settings) if repair else {}
    found = checking.validate(settings) | {"repaired": repaired}
    if json:
        console.print_json(found)
    else:
        for part in model_tables.checked(found):
            console.show(part)
    raise typer.Exit(0 if found["ok"] else 1)


@app.command(epilog="Example: tidewheel models show direction@challenger")
def show(
    version: Annotated[
        str, typer.Argument(help="A version or its beginning, or a name load_model takes.")
    ],
    home: Home = None,
    json: Json = False,
) -> None:
    """Show one version: model card, lineage, verdicts and decisions with figures, features."""
    from orchestration.service.comparing import show as ask
    from serving import model_tables

    found = ask(settings_of(home), version)
    if json:
        console.print_json(found)
        return
    for line in model_tables.page(found):
        console.show(line)


def _say(sentence: str) -> None:
    console.show(escape(sentence))
