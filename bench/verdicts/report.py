"""The figures as tables: in a terminal, and between the marks of docs/verdicts.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Json = dict[str, Any]

DOCS = Path(__file__).parents[2] / "docs"
SEED_Z = "new f1 > old f1"


@dataclass(frozen=True)
class Sheet:
    """A table with its name, ready for either surface."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def rich(self) -> Table:
        """Return it for a terminal."""
        table = Table(title=self.title, title_justify="left", header_style="bold")
        for k, word in enumerate(self.head):
            if k:
                table.add_column(word, justify="right")
            else:
                table.add_column(word, no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Return it for a page."""
        lines = [self.head, ("---",) + ("---:",) * (len(self.head) - 1), *self.rows]
        return f"*{self.title}*\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sheets(found: Json) -> Iterator[Sheet]:
    """Yield every table."""
    yield _false(found)
    yield _windows(found)
    yield _power(found)
    yield _ledgers(found)
    yield _cold(found)
    yield _drift(found)
    yield _harm(found)


def show(found: Json, console: Console) -> None:
    """Print the tables."""
    console.print(
        f"simulated: {found['years']} years of seven slots and {found['seeds']} slot-weeks a cell",
        style="dim",
    )
    for sheet in sheets(found):
        console.print(sheet.rich())


def write(found: Json, page: Path = DOCS / "verdicts.md") -> None:
    """Put the tables between their marks in the page."""
    stamp = (
        f"<sub>`python -m bench.verdicts --years {found['years']} --seeds {found['seeds']}`, "
        f"{datetime.now(UTC):%Y-%m-%d}</sub>"
    )
    for sheet in sheets(found):
        put(sheet, stamp, page)


def put(sheet: Sheet, stamp: str, page: Path = DOCS / "verdicts.md") -> None:
    """Put one table and the stamp of its run between its marks in the page."""
    block = f"{sheet.markdown()}\n\n{stamp}"
    marks = rf"(<!-- {sheet.name} -->\n).*?(<!-- end -->)"
    page.write_text(
        re.sub(marks, lambda m: f"{m[1]}{block}\n{m[2]}", page.read_text(), flags=re.DOTALL)
    )


def _false(found: Json) -> Sheet:
    gates = found["gates"]
    at = list(found["false_promotions"][0]["a_year"])
    rows = [
        (
            f"wander {row['wander']:g}, {row['rivals']} rivals",
            *(f"{row['a_year'][z]:.1f}" for z in at),
            f"{found['seed_rule'][str(row['rivals'])]:,.0f}",
        )
        for row in found["false_promotions"]
        if row["window_days"] == gates["window_days"] and row["tenure"] == gates["tenure_turns"]
    ]
    title = (
        "Promotions a year among equals, seven slots, 14 comparisons a day, window "
        f"{gates['window_days']:g} days, by z_promote"
    )
    return Sheet("false", title, ("", *(f"z {z}" for z in at), SEED_Z), rows)


def _windows(found: Json) -> Sheet:
    gates = found["gates"]
    z = f"{gates['z_promote']:g}"
    every = [r for r in found["false_promotions"] if r["rivals"] == 3]
    windows = sorted({r["window_days"] for r in every})
    tenures = sorted({r["tenure"] for r in every})
    rows = []
    for wander in sorted({r["wander"] for r in every}):
        for tenure in tenures:
            cells = {
                r["window_days"]: r["a_year"][z]
                for r in every
                if r["wander"] == wander and r["tenure"] == tenure
            }
            rows.append(
                (f"wander {wander:g}, tenure {tenure}", *(f"{cells[w]:.1f}" for w in windows))
            )
    title = f"The same at z_promote {z} and three rivals, by window and tenure"
    return Sheet("windows", title, ("", *(f"{w} days" for w in windows)), rows)


def _power(found: Json) -> Sheet:
    gates = found["gates"]
    rows = []
    for row in found["found"]:
        chosen = (row["z_promote"], row["ledger_days"]) == (gates["z_promote"], 14)
        if chosen and row["wander"] == 0.5 and row["better_by"] != "two points":
            median = row["median_days"]
            rows.append(
                (
                    f"{row['case']}: {row['better_by']}, {row['rivals']} at once",
                    *(f"{row[f'within_{d}d']:.2f}" for d in (7, 14, 28)),
                    "> 28" if median is None else f"{median:.1f}",
                )
            )
    at = f"z_promote {gates['z_promote']:g}, ledger_days 14, wander 0.5"
    title = f"Promoted within so many days, {at}"
    return Sheet("power", title, ("who", "7 d", "14 d", "28 d", "median d"), rows)


def _ledgers(found: Json) -> Sheet:
    rows = []
    chosen = [
        r
        for r in found["found"]
        if r["wander"] == 0.5 and r["rivals"] == 3 and r["case"] == "newcomer"
    ]
    for z in sorted({r["z_promote"] for r in chosen if 2 < r["z_promote"] < 3}):
        for ledger in sorted({r["ledger_days"] for r in chosen}):
            own = {
                r["better_by"]: r
                for r in chosen
                if (r["z_promote"], r["ledger_days"]) == (z, ledger)
            }
            point = own["a point of accuracy"]
            rows.append(
                (
                    f"z {z:g}, ledger_days {ledger}",
                    f"{3 * own['an equal']['within_28d']:.3f}",
                    *(f"{point[f'within_{d}d']:.2f}" for d in (7, 14, 28)),
                )
            )
    title = "Newcomers with two days of ledger, three at once, wander 0.5, by z and ledger_days"
    head = ("", "equals promoted in 28 d", "a point: 7 d", "14 d", "28 d")
    return Sheet("ledgers", title, head, rows)


def _cold(found: Json) -> Sheet:
    rows = []
    groups: dict[tuple[str, int, float], Json] = {}
    for row in found["cold"]:
        if row["knows"] == "two points":
            continue
        key = (row["knows"], row["learners"], row["wander"])
        groups.setdefault(key, {})[row["z_keep"]] = row
    for (knows, learners, wander), by_keep in groups.items():
        shares = [f"{by_keep[keep]['share']:.3f}" for keep in (None, 0.0, 0.5, 1.0)]
        rows.append(
            (
                f"knows {knows}, {learners} learners, wander {wander:g}",
                f"{by_keep[None]['ever']:.2f}",
                *shares,
            )
        )
    title = "Cold start: slot-years in which a learner ever serves, and share of time it does"
    head = ("the learners", "ever", "no z_keep", "z_keep 0", "0.5", "1")
    return Sheet("cold", title, head, rows)


def _drift(found: Json) -> Sheet:
    rows = []
    for row in found["drift"]:
        what = "sound" if row["before"] == row["after"] else f"→ {row['after']:g}"
        median = row["ours"]["median_h"]
        rows.append(
            (
                f"{row['before']:g} {what}, {row['symbols']} symbols, wander {row['wander']:g}",
                *(f"{row[who][f'within_{h}']:.3f}" for h in _SPANS for who in ("ours", "seed")),
                "–" if median is None else f"{median:.0f}",
            )
        )
    head = ("accuracy", *(f"{h} {who}" for h in _SPANS for who in ("ours", "seed")), "median h")
    title = "Alarms (DRIFT or HARM) within 24 h, 72 h and 7 days; in a sound week they are false"
    return Sheet("drift", title, head, rows)


_SPANS = ("24h", "72h", "7d")


def _harm(found: Json) -> Sheet:
    harm = found["harm"]
    rows = []
    for row in harm["breaks"]:
        for way in ("z", "evidence"):
            one = row[way]
            at = harm["threshold"][way]
            sign = "<" if way == "z" else ">="
            rows.append(
                (
                    f"{row['before']:g} → {row['after']:g}: {way} {sign} {at:.2f}",
                    *(f"{one[f'within_{h}']:.2f}" for h in _SPANS),
                    "–" if one["median_h"] is None else f"{one['median_h']:.0f}",
                )
            )
    title = (
        f"HARM in two ways, each false in {harm['level']:.0%} of the weeks of a sound model at .51 "
        f"(z < -2.33 is false in {harm['false']['z < -2.33']:.0%}, evidence >= 150 in "
        f"{harm['false']['evidence >= 150']:.1%})"
    )
    return Sheet("harm", title, ("break", *_SPANS, "median h"), rows)
