"""Tables of versions: a home at a glance, a slot side by side, one version on a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any

from rich.markup import escape
from rich.table import Table

from market.timeframes import utc
from serving.console import table

Row = Mapping[str, Any]
MARKS = {"champion": "[green]●[/green]", "challenger": "[cyan]○[/cyan]"}
_LEGEND = (
    "● champion, ○ challenger in shadow; skill: part of the baseline's loss saved on unseen bars,\n"
    "with its 95 % interval; through: no label after it was learnt from"
)
_VERDICT = ("skill", "lower", "upper", "z", "n", "times", "effective_n", "base_loss")


LIMIT = 20
"""Versions of a slot that a table shows."""


def first(rows: Iterable[Row], limit: int) -> list[Row]:
    """Return the first `limit` rows of each slot: what serves, and then the newest."""
    return [
        row for _, own in groupby(rows, key=lambda row: row["slot"]) for row in islice(own, limit)
    ]


def listed(rows: Sequence[Row], room: int = 100, left_out: int = 0) -> Iterator[Table | str]:
    """Yield a table for each slot, all with the same columns, and what the marks mean.

    In less than a hundred characters of `room` age and size are left out.
    """
    widest = min(max(len(row["version"]) for row in rows), _VERSION)
    columns = {**_LISTED, **(_ROOMY if room >= _ROOM else {})}
    for slot, group in groupby(rows, key=lambda row: row["slot"]):
        own = list(group)
        made = table(_heading(slot, own))
        made.padding = 0  # every character counts: eight columns in a hundred
        made.add_column("", no_wrap=True, min_width=1)
        made.add_column("version", overflow="fold", min_width=widest)
        made.add_column("status", no_wrap=True, min_width=10)
        for name, width in columns.items():
            made.add_column(name, justify="right", no_wrap=True, min_width=width)
        for row in own:
            made.add_row(*_line(row)[: 3 + len(columns)])
        yield made
    if left_out:
        yield f"{_count(left_out, 'older version')} not shown; --limit shows more"
    yield _LEGEND


_LISTED = {"skill": 8, "95 % interval": 14, "n": 6}
_ROOMY = {"through": 10, "size": 7}
_ROOM = 96
_VERSION = 34  # characters: what a hundred leave to it; a longer one is folded


def _heading(slot: str, rows: Sequence[Row]) -> str:
    scope, kind, timeframe = slot.split("/")
    market = " · SIMULATED market" if any(row["simulated"] for row in rows) else ""
    return escape(f"{scope} {timeframe} {kind}{market}")


def _line(row: Row) -> list[str]:
    return [
        MARKS.get(row["role"], ""),
        escape(row["version"]),
        str(row["status"]) if row["bundle"] else "[red]missing[/red]",
        percent(row["skill"]),
        interval(row),
        _whole(row["n"]),
        _day(row["trained_through"]),
        _size(row["size"]) if row["bundle"] else "",
    ]


def compared(found: Row) -> Iterator[Table]:
    """Yield the versions of a slot, and then their figures side by side."""
    yield _ranked(found)
    sides = [row for row in found["versions"] if row["role"] or row["status"] == "baseline"]
    yield _figures(sides or found["versions"][:3])


def _ranked(found: Row) -> Table:
    market = " · SIMULATED market" if found["simulated"] else ""
    if found["turn"]:
        told = f"judged on the same unseen bars in {found['turn']}; z: paired, against its champion"
    else:
        told = "none were judged together"
    if not all(row["paired"] for row in found["versions"]):
        told += "; * on the unseen bars of its own turn"
    made = table(f"{found['slot']}{market}", told)
    made.padding = 0
    made.add_column("", no_wrap=True, min_width=1)
    made.add_column("version", overflow="fold", min_width=16)
    made.add_column("status", no_wrap=True, min_width=10)
    for name, width in _COMPARED.items():
        made.add_column(name, justify="right", no_wrap=True, min_width=width)
    for row in found["versions"]:
        made.add_row(
            MARKS.get(row["role"], ""),
            escape(row["version"]) + ("" if row["paired"] else "*"),
            row["status"],
            percent(row["skill"]),
            interval(row),
            _whole(row["n"]),
            "" if row["z_champion"] is None else f"{row['z_champion']:+.2f}",
            "" if row["loss"] is None else f"{row['loss']:.5g}",
        )
    return made


_COMPARED = {"skill": 8, "95 % interval": 14, "n": 6, "z": 5, "loss": 10}


def _figures(rows: Sequence[Row]) -> Table:
    """Return the kind's own figures, one line each, the baseline's in the last column."""
    rows = sorted(rows, key=lambda row: bool(row["baseline"]))
    naive = any(row["baseline"] for row in rows)
    told = "the baseline stands beside: no figure means anything without it"
    made = table("figures", told if naive else "no baseline is among them: see base_loss")
    made.add_column("", no_wrap=True)
    for row in rows:
        role = row["role"] or ("baseline" if row["baseline"] else row["status"])
        both = f"{role}, the baseline" if row["baseline"] and role != "baseline" else role
        made.add_column(both, justify="right")
    left_out = {*_VERDICT, "z_champion", "n_champion"} - (set() if naive else {"base_loss"})
    names = dict.fromkeys(n for row in rows for n in row["metrics"] if n not in left_out)
    for name in names:
        made.add_row(name, *(number(row["metrics"].get(name)) for row in rows))
    return made


def checked(found: Row) -> Iterator[str | Table]:
    """Yield what the check of all bundles found, the refused ones with their reasons."""
    if found["refused"]:
        made = table(_count(len(found["refused"]), "place") + " refused")
        made.add_column("where", no_wrap=True)
        made.add_column("why")
        for place, reason in found["refused"].items():
            made.add_row(escape(place), escape(_reason(reason)))
        yield made
    for key, said in found.get("repaired", {}).items():
        yield escape(f"{key}: {said}")
    mark = "[green]all sound[/green]" if found["ok"] else "[red]not all sound[/red]"
    absent = f"; {len(found['absent'])} more only in MLflow" if found["absent"] else ""
    yield f"{mark}: {_count(len(found['sound']), 'bundle')} reloaded, graph and probe included" + (
        absent
    )


def _reason(text: str) -> str:
    """Return a reason without the path that stands beside it anyway."""
    return text.partition(" refused: ")[2] or text


def page(found: Row) -> Iterator[str]:
    """Yield the page of one version: what it is, how it did, what was decided, what it reads."""
    yield f"[bold]{escape(found['key'])}[/bold]"
    for word, said in _facts(found):
        yield f"  {word:<15} {escape(said)}"
    yield from _decisions(found)
    if found.get("refused"):
        yield f"\n[red]its bundle is refused:[/red] {escape(found['refused'])}"
        return
    yield f"\n[bold]{len(found['features'])} features[/bold], in order"
    yield escape("  " + ", ".join(found["features"]))
    yield "\n[bold]Model card[/bold]"
    yield escape(found["card"])


def _facts(found: Row) -> Iterator[tuple[str, str]]:
    about: Mapping[str, Any] = found.get("metadata", {})
    role = f", {found['role']} now" if found["role"] else ""
    yield "status", f"{found['status']}{role}"
    market = {True: "SIMULATED market", False: "real candles"}.get(found["simulated"], "unknown")
    yield "market", f"{market}, {about.get('source', '')}".removesuffix(", ")
    yield "skill", _skill(found)
    yield "trained through", str(found["trained_through"])
    facts = found["facts"]
    for word, name in _LINEAGE.items():
        value = about.get(name, facts.get(name))
        if value not in (None, "", [], {}):
            yield word, str(value)
    if facts.get("serves_from_ms"):
        yield "serves from", utc(int(facts["serves_from_ms"])).isoformat()
    if "folder" in found:
        yield "bundle", f"{found['folder']}, {_size(found['size'])}"


_LINEAGE = {
    "recipe": "recipe", "recipe hash": "recipe_hash", "data hash": "data_hash", "seed": "seed",
    "turn": "turn_id", "MLflow run": "run_id",
    "tenure": "tenure", "previous": "previous",
}  # fmt: skip


def _skill(row: Row) -> str:
    if row["skill"] is None:
        return "never judged"
    if row["baseline"]:
        return f"it is the baseline that others must beat, on {_whole(row['n'])} unseen rows"
    proven = "proven" if (row["lower"] or 0) > 0 else "not proven"
    said = f"{percent(row['skill'])} over the baseline, 95 % interval {interval(row)}"
    return f"{said}, n {_whole(row['n'])}: {proven}"


def _decisions(found: Row) -> Iterator[str]:
    if found["decisions"]:
        yield "\n[bold]Decided by people[/bold]"
    for one in found["decisions"]:
        why = f" “{one['reason']}”" if one.get("reason") else ""
        yield escape(f"  {one['at']}  {one['action']} by {one['who']}{why}: {one['sentence']}")
    if found["verdicts"]:
        yield "\n[bold]Verdicts[/bold]"
    for one in found["verdicts"]:
        figures = one["figures"]
        line = f"  {one['turn_id']}  {one['decision']} against {one['against']}: "
        yield escape(f"{line}{one['sentence']}")
        if figures.get("skill") is not None:
            yield f"    skill {percent(figures['skill'])} {interval(figures)}, " + (
                f"n {_whole(figures['n'])}" + _paired(figures)
            )


def _paired(figures: Row) -> str:
    z = figures.get("z_champion")
    return "" if z is None else f", z against the champion {z:+.2f}"


# ------------------------------------------------------------------ words


def percent(share: float | None) -> str:
    """Return a share as signed per cent."""
    return "" if share is None else f"{100 * share:+.2f} %"


def interval(row: Row) -> str:
    """Return the 95 % interval of a skill, in per cent."""
    if row.get("lower") is None or row.get("upper") is None:
        return ""
    return f"{100 * row['lower']:+.2f} … {100 * row['upper']:+.2f}"


def number(value: float | None) -> str:
    """Return a figure with five digits that count; a whole number as it is."""
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 10 else f"{value:.5g}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _day(instant: str | None) -> str:
    return "" if instant is None else str(instant)[:10]


def _size(count: int | None) -> str:
    return "" if count is None else f"{count / 1024:,.0f} kB"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
