"""`tidewheel models`: what there is, how it compares, whether it is sound, and who serves."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
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


Limit = Annotated[
    int | None,
    typer.Option(
        help="How many of each slot, the newest.", min=1, show_default="20, with --json all"
    ),
]
Timeframe = Annotated[Text, typer.Option(help="Of this bar length, where there are several.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the decision.")]
Who = Annotated[Text, typer.Option("--by", help="Who decides.", show_default="the user")]
Now = Annotated[Text, typer.Option(help="Moment of it, with its zone.", show_default="the clock")]


def settings_of(home: Path | None, *, new: bool = False, **asked: Any) -> Any:
    """Return the settings of a home, once any promotion that was cut off is brought to its end.

    Only what trains may make a `new` home.
    """
    from orchestration.lifecycle.errors import NotRecovered
    from orchestration.service.recovering import recover
    from orchestration.service.resources import existing
    from orchestration.settings import load_settings

    settings = load_settings(home=home, **asked)
    if not new:
        existing(settings)
    try:
        for sentence in recover(settings):
            console.say(escape(sentence))
    except NotRecovered as error:
        console.say(f"[yellow]{escape(str(error))}[/yellow]")
    return settings


def by(who: str | None, reason: str, force: bool, now: str | None) -> Any:
    """Return who decides, when and why."""
    from market.timeframes import instant_ms
    from orchestration.lifecycle.intent_by_hand import By

    return By(who or user(), instant_ms(clock(now)()), reason, force)


def clock(now: str | None) -> Callable[[], datetime]:
    """Return what tells the time: the clock, or always the moment that was given."""
    from market.timeframes import instant_ms, utc

    if now is None:
        return lambda: datetime.now(UTC)
    moment = utc(instant_ms(now)).to_pydatetime()
    return lambda: moment


def user() -> str:
    """Return the name of the user of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return "unknown"


def _known(status: str | None) -> None:
    from orchestration.lifecycle.transitions import TRANSITIONS
    from orchestration.service.listing import UNREGISTERED

    statuses = [*TRANSITIONS, UNREGISTERED]
    if status is not None and status not in statuses:
        raise typer.BadParameter(f"{status!r} is no status; they are {', '.join(statuses)}")


@app.command("list", epilog="Example: tidewheel models list --kind direction --status champion")
def show_list(
    kind: Annotated[Text, typer.Option(help="Only this kind.")] = None,
    scope: Scope = None,
    status: Annotated[Text, typer.Option(help="Only this status: champion, unproven, …")] = None,
    timeframe: Annotated[Text, typer.Option(help="Only this bar length.")] = None,
    limit: Limit = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List versions by slot: status, role, skill with interval and n, age, size."""
    from orchestration.service.listing import list_versions
    from serving import model_tables

    _known(status)
    rows = list_versions(
        settings_of(home), kind=kind, scope=scope, status=status, timeframe=timeframe
    )
    shown = model_tables.first(rows, limit or (len(rows) if json else model_tables.LIMIT))
    if json:
        console.print_json(shown)
    elif rows:
        for part in model_tables.listed(shown, console.room(), len(rows) - len(shown)):
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


@app.command(epilog="Example: tidewheel models promote BTCUSDT price 2024-03-01 --reason 'tested'")
def promote(
    symbol: Symbol,
    kind: Kind,
    version: Annotated[str, typer.Argument(help="Its name, or a beginning that fits one.")],
    timeframe: Timeframe = None,
    scope: Scope = None,
    reason: Reason = "",
    force: Annotated[bool, typer.Option("--force", help="Also what is not proven.")] = False,
    who: Who = None,
    now: Now = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make a version the champion: MLflow's alias, the store and the latest link move as one.

    The bundle is verified first. Exit status: 0 it serves, 1 refused and nothing moved.
    """
    from orchestration.service.promoting import promote as ask

    settings = settings_of(home)
    decider = by(who, reason, force, now)
    moved = ask(settings, symbol, kind, version, decider, timeframe=timeframe, scope=scope)
    tell(moved, json)


@app.command(epilog="Example: tidewheel models rollback BTCUSDT price --reason 'loses money'")
def rollback(
    symbol: Symbol,
    kind: Kind,
    timeframe: Timeframe = None,
    scope: Scope = None,
    reason: Reason = "",
    who: Who = None,
    now: Now = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Put the previous champion back, or else the baseline; what served is archived."""
    from orchestration.service.promoting import rollback as ask

    settings = settings_of(home)
    decider = by(who, reason, False, now)
    tell(ask(settings, symbol, kind, decider, timeframe=timeframe, scope=scope), json)


@app.command(epilog="Example: tidewheel models flag majors/direction/1m --reason 'new exchange'")
def flag(
    name: Annotated[Text, typer.Argument(help="A version or a slot.", show_default="list")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept with the flag.")] = "",
    home: Home = None,
    json: Json = False,
) -> None:
    """Ask that a version's recipe, or all of a slot, be retrained; without a name list the flags.

    The next turn, or a run of retrain/ad-hoc, lets variants of it compete; what passes the gates
    ends the flag.
    """
    from orchestration.service import drifting
    from serving.drift import flag_table

    settings = settings_of(home)
    if name is not None:
        drifting.raise_flag(settings, name, reason)
    found = drifting.flags(settings)
    if json:
        console.print_json(found)
    else:
        console.show(flag_table(found) if found else "nothing is flagged for retraining")


@app.command(epilog="Example: tidewheel models unflag majors/direction/1m")
def unflag(
    name: Annotated[str, typer.Argument(help="As it was flagged.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Take back a wish for retraining."""
    from orchestration.service import drifting

    settings = settings_of(home)
    drifting.lower_flag(settings, name)
    if json:
        console.print_json(drifting.flags(settings))
    else:
        console.show(escape(f"{name} is no longer flagged"))


def tell(moved: Any, json: bool) -> None:
    """Print what a promotion came to."""
    if json:
        console.print_json(asdict(moved))
    else:
        console.show(escape(moved.sentence))
