"""The command line: one command a line here, and the groups `features`, `models` beside."""

from __future__ import annotations

from flows.environment import quiet

quiet()  # before anything numerical is imported: its threads are counted once

import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Annotated, Any  # noqa: E402

import typer  # noqa: E402

from serving import backtest, console, features, ledger, models, replay, serve, training  # noqa: E402

app = typer.Typer(
    name="tidewheel",
    help="A model pipeline for short-horizon crypto trading that turns twice a day.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.add_typer(features.app)
app.add_typer(models.app)
app.add_typer(ledger.app)
app.add_typer(training.app)
app.add_typer(training.live)
app.command(epilog="Example: tidewheel predict --json")(ledger.predict)
app.command(
    name="replay", epilog="Example: tidewheel replay --from 2025-05-20 --to 2025-05-27 --every 12h"
)(replay.command)
app.command(
    name="backtest",
    epilog="Example: tidewheel backtest ml_enhanced --from 2025-05-20 --to 2025-05-27",
)(backtest.command)
app.command(name="serve", epilog="Example: tidewheel serve --port 8000")(serve.command)
app.command(name="trials", epilog="Example: tidewheel trials --json")(backtest.trials)

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of all that is kept.", show_default="TIDEWHEEL_HOME or ./var"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Text = str | None
_INTERRUPTED = 130  # exit status


def option(text: str) -> Any:
    """Return a typer option whose default lies in the settings."""
    return typer.Option(help=text, show_default="from the settings")


@app.command(epilog="Example: tidewheel cycle --symbols BTC-USDT,ETH-USDT --days 14")
def cycle(
    source: Annotated[Text, option("simulated, files:<folder> or exchange:<id>.")] = None,
    symbols: Annotated[Text, option("Trading pairs, separated by commas.")] = None,
    kinds: Annotated[Text, option("Model kinds, separated by commas.")] = None,
    recipes: Annotated[Text, option("default, all, or names such as direction/logistic.")] = None,
    timeframe: Annotated[Text, option("Bar length, such as 1m.")] = None,
    days: Annotated[float | None, option("History to work on.")] = None,
    seed: Annotated[int | None, option("Of every random draw.")] = None,
    now: Annotated[
        Text, typer.Option(help="Moment of the turn, with its zone.", show_default="the clock")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Run one turn: fetch, learn, judge, decide; ends with the leaderboard.

    The same --now again changes nothing. Exit status: 0 done, 3 done with failures in it, 2 bad
    input, 1 not done.
    """
    from market.timeframes import instant_ms, utc
    from serving import turn

    asked = {"source": source, "symbols": symbols, "kinds": kinds, "timeframe": timeframe}
    settings = _settings(home, **asked, recipes=recipes, days=days, seed=seed)
    moment = None if now is None else utc(instant_ms(now)).to_pydatetime()
    summary = turn.run(settings, moment)
    if json:
        console.print_json(summary)
    else:
        turn.show(summary, settings)
    raise typer.Exit(3 if summary.get("failures") else 0)


@app.command(epilog="Example: tidewheel backfill --days 14 --kinds direction,volatility")
def backfill(
    days: Annotated[
        float | None, typer.Option(help="How far back.", show_default="backfill_days, or 14")
    ] = None,
    every: Annotated[str, typer.Option(help="Length of a fold.")] = "12h",
    kinds: Annotated[Text, option("Model kinds, separated by commas.")] = None,
    recipes: Annotated[Text, option("default, all, or names such as direction/logistic.")] = None,
    source: Annotated[Text, option("simulated, files:<folder> or exchange:<id>.")] = None,
    symbols: Annotated[Text, option("Trading pairs, separated by commas.")] = None,
    timeframe: Annotated[Text, option("Bar length, such as 1m.")] = None,
    workers: Annotated[int | None, option("Fits that run beside each other.")] = None,
    now: Annotated[
        Text, typer.Option(help="Moment to fill up to, with its zone.", show_default="the clock")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Fill in what each recipe would have said before its ledger began, fold by fold.

    Each fold is predicted by a fit that knew nothing of it, so that verdicts have a past to stand
    on. What is there is not fitted again. Exit status: 0 done, 3 done with failures in it, 2 bad
    input, 1 not done.
    """
    from serving import backfill as filling

    asked = {"source": source, "symbols": symbols, "kinds": kinds, "timeframe": timeframe}
    settings = _settings(home, **asked, recipes=recipes, workers=workers)
    found = filling.run(settings, now, days, every)
    if json:
        console.print_json(found)
    else:
        filling.show(found)
    raise typer.Exit(3 if found["failures"] else 0)


@app.command(epilog="Example: tidewheel up --home var")
def up(home: Home = None) -> None:
    """Run the Prefect and MLflow servers, the schedule and a worker, until Ctrl-C."""
    from serving import desk

    desk.run(_settings(home))


@app.command(epilog="Example: tidewheel leaderboard --json")
def leaderboard(home: Home = None, json: Json = False) -> None:
    """Print the leaderboard of the last finished turn."""
    from serving import past

    summary = past.last_summary(_settings(home))
    if json:
        console.print_json(past.board_rows(summary))
    else:
        console.show(past.board(summary))


@app.command(epilog="Example: tidewheel turns --limit 5 --json")
def turns(
    limit: Annotated[int, typer.Option(help="How many, the last first.", min=1)] = 20,
    home: Home = None,
    json: Json = False,
) -> None:
    """List past turns: when, how they ended, what they trained."""
    from serving import past

    found = past.turns(_settings(home), limit)
    if json:
        console.print_json(found)
    else:
        console.show(past.turns_table(found))


@app.command(epilog="Example: tidewheel decisions --slot direction --limit 4")
def decisions(
    slot: Annotated[
        Text, typer.Option(help="majors/direction/1m, or a word of it.", show_default="all slots")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, the last first.", min=1)] = 10,
    home: Home = None,
    json: Json = False,
) -> None:
    """List who was made champion, kept or archived, and the figures that decided it."""
    from serving import decisions as made

    settings = _settings(home)
    _answer(made.decisions(settings, slot, limit), made.shown, json, settings, slot)


@app.command(epilog="Example: tidewheel drift --slot direction")
def drift(
    slot: Annotated[Text, typer.Option(help="Only slots whose name holds this.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show the latest drift verdict of every slot, and of several slots pooled."""
    from serving import drift as told

    settings = _settings(home)
    _answer(told.latest(settings, slot), told.shown, json, settings, slot)


@app.command(epilog="Example: tidewheel ensembles --slot volatility")
def ensembles(
    slot: Annotated[Text, typer.Option(help="Only slots whose name holds this.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show each slot's ensemble: members and weights, skill, and why it is on or off."""
    from serving import ensembles as made

    settings = _settings(home)
    _answer(made.kept(settings, slot), made.shown, json, settings, slot)


@app.command(epilog="Example: tidewheel settings --json")
def settings(home: Home = None, json: Json = False) -> None:
    """Print the settings in force, with passwords masked."""
    shown = _settings(home).as_dict()
    if json:
        console.print_json(shown)
    else:
        console.print_settings(shown)


def _answer(rows: Any, shown: Any, json: bool, settings: Any, slot: str | None) -> None:
    """Print rows as JSON or as what `shown` makes of them; say so where a slot has none."""
    from serving.past import nothing_of

    if json:
        console.print_json(rows)
        return
    nothing = None if rows else nothing_of(settings, slot)
    for part in [nothing] if nothing else shown(rows):
        console.show(part)


def main() -> None:
    """Run the command line; the one place where an error becomes a sentence."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # what typer makes of Ctrl-C
            console.say("stopped; what is done is kept, and the same command goes on from there")
        raise
    except Exception as error:  # noqa: BLE001 - the one place: every error becomes a sentence
        sys.exit(console.explain(error, debug=bool(os.environ.get("TIDEWHEEL_DEBUG"))))


def _settings(home: Path | None, **asked: Any) -> Any:
    from orchestration.settings import load_settings

    return load_settings(home=home, **asked)


if __name__ == "__main__":
    main()
