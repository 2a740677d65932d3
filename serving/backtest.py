"""`tidewheel backtest`: what a strategy would have earned, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from serving import console

Json = dict[str, Any]
Text = str | None


def _setting(text: str) -> Any:
    return typer.Option(help=text, show_default="from the settings")


def command(
    strategy: Annotated[
        str,
        typer.Argument(
            help="An example (ml_enhanced), path/file.py[:Class] or package.module:Class.",
            show_default=False,
        ),
    ],
    parameters: Annotated[
        list[str] | None,
        typer.Option("--set", help="Parameter of its constructor; may be repeated.",
                     metavar="NAME=VALUE"),
    ] = None,
    first: Annotated[
        Text, typer.Option("--from", help="First day, UTC unless it has a zone.",
                           show_default="the last --days")
    ] = None,
    end: Annotated[
        Text, typer.Option("--to", help="No bar at or after it.", show_default="now")
    ] = None,
    replay: Annotated[
        Text, typer.Option(help="Ask what this replay really served: its name or folder.",
                           show_default="today's models")
    ] = None,
    cash: Annotated[float, typer.Option(help="What the account begins with.")] = 10_000.0,
    fee_bps: Annotated[float, typer.Option(help="Fee a side, basis points.")] = 5.0,
    slippage_bps: Annotated[float, typer.Option(help="Slippage a side, basis points.")] = 1.0,
    latency: Annotated[
        int, typer.Option(help="Bars from a decision to its fill.", min=1)
    ] = 1,
    leverage: Annotated[float, typer.Option(help="Most exposure, times equity.")] = 1.0,
    long_only: Annotated[bool, typer.Option("--long-only", help="Never sell short.")] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Features once for all bars: the same numbers, sooner.")
    ] = False,
    source: Annotated[Text, _setting("simulated, files:<folder> or exchange:<id>.")] = None,
    symbols: Annotated[Text, _setting("Trading pairs, separated by commas.")] = None,
    timeframe: Annotated[Text, _setting("Bar length, such as 1m.")] = None,
    days: Annotated[float | None, _setting("How many, where no --from says it.")] = None,
    seed: Annotated[int | None, _setting("Of intervals and random entries.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the report there too.", show_default=False)
    ] = None,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="One run in MLflow too.")] = False,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of all that is kept.", show_default="TIDEWHEEL_HOME or ./var"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:  # fmt: skip
    """Say what a strategy would have earned, net of fees and slippage.

    Decided at a bar's close, filled at the next open. No model is asked about
    bars that it learnt from; with --replay each bar is answered by the champion
    of its time. Every idea that is tried is counted, and the deflated Sharpe
    ratio knows the count. Exit status: 0 done, 2 bad input, 1 not done.
    """
    from orchestration.service.strategy_backtest import Asked
    from orchestration.settings import load_settings
    from strategies.costs import Costs

    settings = load_settings(
        home=home, source=source, symbols=symbols, timeframe=timeframe, days=days, seed=seed
    )
    terms = Costs(
        fee_bps=fee_bps, slippage_bps=slippage_bps, latency_bars=latency,
        max_leverage=leverage, allow_short=not long_only,
    )  # fmt: skip
    asked = Asked(
        strategy, tuple(parameters or ()), first, end, cash, terms,
        "once" if once else "push", replay, symbols, source, timeframe,
    )  # fmt: skip
    done, told = run(settings, asked, html, mlflow=mlflow)
    if json:
        console.print_json(told)
    else:
        show(done, told)


def run(
    settings: Any, asked: Any, html: Path | None = None, *, mlflow: bool = False
) -> tuple[Any, Json]:
    """Run a backtest with a progress bar on stderr; write its report; return it with its facts."""
    from orchestration.service.backtests.leaving import leave
    from orchestration.service.strategy_backtest import backtest

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console.progress_console()) as bar:
        task = bar.add_task("candles and models", total=None)

        def tell(played: int, total: int) -> None:
            bar.update(task, description="bars", completed=played, total=total)

        done = backtest(settings, asked, datetime.now(UTC), tell)
        bar.update(task, description="report", completed=done.result.run.bars)
        folder = leave(settings, done)
    if html is not None:
        done.result.to_html(html)
    told = {**done.to_dict(), "folder": str(folder), "mlflow_run": None}
    if mlflow:
        from orchestration.service.backtests.tracked import track  # only now: it brings MLflow

        told["mlflow_run"] = track(settings, done, folder)
    return done, told


def show(done: Any, told: Mapping[str, Any]) -> None:
    """Print a result: figures, where its trials stand, and where its report lies."""
    from strategies.report.figures import rows_of
    from strategies.report.words import asked, market, terms, title, verdict

    account = done.result.run
    console.show(_figures(f"{title(account)} · {market(account)}", rows_of(done.result)))
    console.show(escape(verdict(account, done.result)))
    for sentence in (*done.result.notes, terms(account), asked(account)):
        console.show(escape(sentence))
    trial = told["trial"]
    ideas = "1 idea was" if trial["of"] == 1 else f"{trial['of']:,} ideas were"
    console.show(f"{ideas} tried on {escape(trial['market'])} (tidewheel trials)")
    console.show(f"report   {escape(told['folder'])}/report.html")
    console.show(f"picture  {escape(told['folder'])}/equity.png")
    if told["mlflow_run"]:
        console.show(f"MLflow   run {told['mlflow_run']}")


def trials(
    market: Annotated[
        Text, typer.Option(help="Only of this source's candles.", show_default="all")
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of all that is kept.", show_default="TIDEWHEEL_HOME or ./var"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """List the ideas that were backtested: the best of many looks good by luck."""
    from orchestration.service.resources import existing, store_of
    from orchestration.settings import load_settings

    found = store_of(existing(load_settings(home=home))).list_trials(market)
    if json:
        console.print_json([trial.as_dict() for trial in found])
    else:
        console.show(_trials(found))


def _figures(title: str, sections: Mapping[str, Sequence[tuple[str, str, str]]]) -> Table:
    made = console.table(escape(title))
    made.add_column("figure", no_wrap=True)
    made.add_column("value", justify="right", no_wrap=True)
    made.add_column("meaning")
    for section, rows in sections.items():
        made.add_row(section, "", "", style="bold")
        for label, words, means in rows:
            made.add_row(f"  {escape(label)}", escape(words), escape(means))
    return made


def _trials(found: Sequence[Any]) -> Table:
    made = console.table("ideas that were backtested, by market", "runs: how often each was run")
    for name in ("market", "strategy", "parameters", "symbols", "bars"):
        made.add_column(name, no_wrap=name in ("strategy", "bars"))
    for name in ("return", "trades", "runs"):
        made.add_column(name, justify="right", no_wrap=True)
    for trial in found:
        facts, figures = trial.facts, trial.figures
        told = ", ".join(f"{name}={value}" for name, value in facts.get("parameters", {}).items())
        if facts.get("replay"):
            told = f"{told} as served by {facts['replay']}".strip()
        gain = figures.get("total_return")
        made.add_row(
            escape(trial.market), escape(trial.strategy), escape(told),
            ", ".join(facts.get("symbols", ())), str(facts.get("timeframe", "")),
            "" if gain is None else f"{100 * gain:+.2f} %",
            str(figures.get("trades", "")), str(trial.runs),
        )  # fmt: skip
    return made
