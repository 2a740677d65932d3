"""`tidewheel train` and `tidewheel live`: a model because a person asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from serving import console
from serving.models import Home, Json, Now, Reason, Text, Who, by, clock, settings_of, user

app = typer.Typer(
    name="train",
    help="Train one model now, on dates of your own.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
live = typer.Typer(
    name="live",
    help="Train apart from what serves, check, deploy, and go back.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Kind = Annotated[str, typer.Option("--type", "--kind", help="direction, risk, price, …")]
Recipe = Annotated[Text, typer.Option(help="Of the kind.", show_default="its first")]
Timeframe = Annotated[Text, typer.Option(help="Bar length.", show_default="from the settings")]
Source = Annotated[Text, typer.Option(help="Of candles.", show_default="from the settings")]
Tune = Annotated[float, typer.Option(help="Seconds to search hyper-parameters.", min=0)]
Seed = Annotated[int | None, typer.Option(help="Of the fit.", show_default="from the settings")]
Force = Annotated[bool, typer.Option("--force", help="Also what is not proven.")]
Epochs = Annotated[int | None, typer.Option(help="Of a network.", min=1)]
Close = Annotated[
    bool, typer.Option("--close-positions", help="Run close_positions_hook before the swap.")
]


@app.callback()
def _group() -> None:
    """Keep `model` a command of its own, as in `tidewheel train model BTCUSDT`."""


@app.command(
    epilog="Example: tidewheel train model BTCUSDT --timeframe 1h --start-date 2023-01-01 "
    "--end-date 2024-12-01"
)
def model(
    symbol: Annotated[str, typer.Argument(help="BTCUSDT, several with commas, or majors.")],
    timeframe: Timeframe = None,
    start_date: Annotated[Text, typer.Option(help="First day.", show_default="by recipe")] = None,
    end_date: Annotated[Text, typer.Option(help="Up to then.", show_default="now")] = None,
    kind: Kind = "price",
    recipe: Recipe = None,
    lookback_bars: Annotated[int | None, typer.Option(help="Bars to train on.", min=1)] = None,
    epochs: Epochs = None,
    tune_seconds: Tune = 0,
    promote: Annotated[bool, typer.Option("--promote", help="Let it serve at once.")] = False,
    force: Force = False,
    reason: Reason = "",
    who: Who = None,
    now: Now = None,
    source: Source = None,
    seed: Seed = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Train a model and register it like a turn's; it serves only with --promote.

    The last part of the history calibrates it, and the very last, which it never sees, judges it
    beside its baseline. Exit status: 0 done, 2 bad input, 1 not done, or trained and not promoted.
    """
    from orchestration.service import by_hand

    settings = settings_of(home, new=True, source=source, seed=seed)
    order = by_hand.order(
        settings,
        symbol,
        kind,
        timeframe=timeframe,
        start=start_date,
        end=end_date or now,
        recipe=recipe,
        lookback_bars=lookback_bars,
        epochs=epochs,
        tune_seconds=tune_seconds,
    )
    with _progress(by_hand.STAGES) as tell:
        found = by_hand.train(settings, order, tell)
    moved: Any = None
    try:
        if promote:
            moved = by_hand.promote(settings, found, by(who, reason, force, now))
    finally:
        if json:
            console.print_json(found | {"promoted": None if moved is None else asdict(moved)})
        else:
            _tell_trained(found)
    if moved is not None and not json:
        console.show(escape(moved.sentence))


@live.command(
    "train",
    epilog="Example: tidewheel live train --symbol BTCUSDT --days 365 --epochs 50",
)
def live_train(
    symbol: Annotated[str, typer.Option(help="BTCUSDT, several with commas, or majors.")],
    days: Annotated[float, typer.Option(help="History, judged part included.", min=1)] = 365,
    epochs: Epochs = None,
    auto_deploy: Annotated[
        bool, typer.Option("--auto-deploy", help="Deploy it if it passes every check.")
    ] = False,
    kind: Kind = "price",
    timeframe: Timeframe = None,
    recipe: Recipe = None,
    tune_seconds: Tune = 0,
    close: Close = False,
    force: Force = False,
    end_date: Annotated[Text, typer.Option(help="Up to then.", show_default="now")] = None,
    now: Now = None,
    source: Source = None,
    seed: Seed = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Train into the staging folder, check, and pack; nothing that serves is touched.

    Exit status: 0 packed (and deployed, where asked), 1 not done or not deployed, 2 bad input.
    """
    from orchestration.lifecycle.trainer import SafeModelTrainer
    from orchestration.service import by_hand

    trainer = SafeModelTrainer(
        settings_of(home, new=True, source=source, seed=seed), clock=clock(now)
    )
    end = None if end_date is None else by_hand.day(end_date)
    with _progress(by_hand.STAGES[:-1]) as tell:
        version = trainer.train(
            symbol,
            days,
            epochs,
            kind=kind,
            timeframe=timeframe,
            recipe=recipe,
            end=end,
            tune_seconds=tune_seconds,
            tell=tell,
        )
    report, package = trainer.validate(version), trainer.package(version)
    deployed: Any = None
    try:
        if auto_deploy:
            deployed = trainer.deploy(package, close=close, force=force, who=user())
    finally:
        if json:
            done = None if deployed is None else _plain(deployed)
            console.print_json({**report, "package": str(package), "deployed": done})
        else:
            _tell_report(report, package)
    if deployed is not None and not json:
        _tell_deployed(deployed)


@live.command("deploy", epilog="Example: tidewheel live deploy --close-positions")
def live_deploy(
    version: Annotated[
        Text, typer.Argument(help="Version or path of a package.", show_default="the last packed")
    ] = None,
    close: Close = False,
    force: Force = False,
    reason: Reason = "",
    who: Who = None,
    now: Now = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Verify a package again, back up what serves, and swap: as one operation.

    What is not proven to beat its baseline, or provably worse than what serves, is refused without
    --force. Exit status: 0 it serves, 1 refused, and what served keeps serving.
    """
    from orchestration.lifecycle.trainer import SafeModelTrainer

    trainer = SafeModelTrainer(settings_of(home), clock=clock(now))
    done = trainer.deploy(version, close=close, force=force, reason=reason, who=who or user())
    if json:
        console.print_json(_plain(done))
    else:
        _tell_deployed(done)


@live.command("rollback", epilog="Example: tidewheel live rollback --reason 'loses money'")
def live_rollback(
    symbol: Annotated[Text, typer.Option(help="Where.", show_default="the last deployed")] = None,
    kind: Kind = "price",
    timeframe: Timeframe = None,
    close: Close = False,
    reason: Reason = "",
    who: Who = None,
    now: Now = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Put back what served before the last deployment, or else the baseline."""
    from orchestration.lifecycle.trainer import SafeModelTrainer
    from orchestration.service import by_hand

    settings = settings_of(home)
    slot = None if symbol is None else by_hand.slot_of(settings, symbol, kind, timeframe)
    trainer = SafeModelTrainer(settings, clock=clock(now))
    done = trainer.rollback(slot, close=close, reason=reason, who=who or user())
    if json:
        console.print_json(_plain(done))
    else:
        _tell_deployed(done)


@contextmanager
def _progress(stages: tuple[str, ...]) -> Iterator[Any]:
    """Show a bar on stderr; what it yields is told the stage that begins."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.progress_console()) as bar:
        task = bar.add_task(stages[0], total=len(stages))

        def tell(stage: str) -> None:
            bar.update(task, description=stage, completed=stages.index(stage))

        yield tell
        bar.update(task, description="done", completed=len(stages))


def _plain(done: Any) -> dict[str, Any]:
    return {**asdict(done), "sentence": done.sentence}


def _tell_trained(found: Mapping[str, Any]) -> None:
    market = " on a SIMULATED market" if found["simulated"] else ""
    console.show(escape(f"{found['key']}, trained{market}"))
    console.show(escape(f"  {found['sentence']}"))
    console.show(escape(f"  {found['champion']['sentence']}"))
    console.show(escape(f"  {found['folder']}"))


def _tell_report(report: Mapping[str, Any], package: Path) -> None:
    market = " on a SIMULATED market" if report["simulated"] else ""
    console.show(escape(f"{report['key']}, trained{market} and packed; what serves is untouched"))
    for check in report["checks"]:
        mark = "[green]✓[/green]" if check["ok"] else "[red]✗[/red]"
        console.show(f"  {mark} {check['name']:<12} {escape(check['sentence'])}")
    console.show(escape(f"  {package}"))


def _tell_deployed(done: Any) -> None:
    console.show(escape(done.sentence))
    if done.report.get("champion", {}).get("champion"):
        console.show(escape(f"  {done.report['champion']['sentence']}"))
    if done.backup:
        console.show(escape(f"  what served is backed up in {done.backup}"))
    if done.hook is not None:
        console.show(escape(f"  close_positions_hook: {done.hook or 'done'}"))
