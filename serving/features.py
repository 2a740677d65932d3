"""`tidewheel features`: the catalogue as a table, and one feature on a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from serving import console

if TYPE_CHECKING:
    from features.description import Description

app = typer.Typer(
    name="features",
    help="Look up features: what there is, and what each one means.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Timeframe = Annotated[str, typer.Option(help="Bar length that settling is told in.")]


@app.command("list", epilog="Example: tidewheel features list --group momentum --model-set")
def show_list(
    group: Annotated[str | None, typer.Option(help="Only this group.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Only this unit: price, volume, scale-free, …")
    ] = None,
    model_set: Annotated[
        bool, typer.Option("--model-set", help="Only what models see by default.")
    ] = False,
    timeframe: Timeframe = "1m",
    json: Json = False,
) -> None:
    """List features: name, group, unit, look-back, bars to settle, whether models see it."""
    from features.description import listing

    found = listing(timeframe, group=group, unit=unit, model_set=model_set)
    if json:
        console.print_json([asdict(one) for one in found])
    else:
        console.show(listed(found))


@app.command("show", epilog="Example: tidewheel features show sma_37 --timeframe 5m")
def show_one(
    name: Annotated[str, typer.Argument(help="Listed, of a family (sma_37), or an alias.")],
    timeframe: Timeframe = "1m",
    json: Json = False,
) -> None:
    """Show one feature: its definition, unit, look-back, settling, inputs, twin and hash."""
    from features.description import describe

    found = describe(name, timeframe)
    if json:
        console.print_json(asdict(found))
    else:
        for line in page(found):
            console.show(escape(line))


def listed(found: Sequence[Description]) -> Table:
    """Return descriptions as a table."""
    table = console.table(
        f"{len(found)} features",
        "– is scale-free; look-back and settling in bars"
        + (f" of {found[0].timeframe}" if found else ""),
    )
    for column in ("name", "group", "unit"):
        table.add_column(column, no_wrap=True)
    for column in ("look", "settle"):
        table.add_column(column, no_wrap=True, justify="right")
    table.add_column("model", no_wrap=True)
    table.add_column("meaning")
    for one in found:
        bars = ("" if n is None else f"{n:,}" for n in (one.lookback, one.settle))
        told = "yes" if one.in_model_set else ""
        table.add_row(one.name, one.group, one.unit, *bars, told, escape(one.text))
    return table


def page(one: Description) -> Iterator[str]:
    """Yield the lines of one feature's page."""
    yield f"{one.name}: {one.text}"
    yield ""
    yield f"  definition  {one.definition}"
    for name, definition in one.parts.items():
        yield f"              {name} = {definition}"
    for word, said in _facts(one):
        yield f"  {word:<10}  {said}"


def _facts(one: Description) -> Iterator[tuple[str, str]]:
    if one.alias_of:
        yield "alias of", one.alias_of
    if one.same_as and one.same_as != one.alias_of:
        yield "same as", one.same_as
    if one.family:
        yield "family", f"{one.family}, for any number of bars n"
    scale_free = one.unit == "–"
    yield "unit", "none, it is scale-free" if scale_free else one.unit
    if not scale_free:
        yield "twin", f"{one.twin}, what models read instead" if one.twin else "none"
    yield "reads", ", ".join(one.inputs)
    yield "look-back", _bars(one.lookback)
    waits = f"{_bars(one.settle)} of {one.timeframe}, {one.settle_time}"
    yield "settles in", waits if one.settle else "0 bars"
    yield "model set", "yes" if one.in_model_set else "no"
    yield "defined in", one.source
    yield "hash", one.hash


def _bars(count: int | None) -> str:
    return "" if count is None else f"{count:,} bar{'' if count == 1 else 's'}"
