"""The figures of a walk: in a terminal, and between the marks of docs/ensembles.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ensembles.walk import BEST, CHOSEN, Walked
from ml_pipeline.errors import JudgingError
from ml_pipeline.skill import judge
from ml_pipeline.tasks import TASKS
from orchestration.ensembles import EQUAL, METHODS
from orchestration.ensembles.regimes import learn
from orchestration.judge.lines import BASELINE, Lines
from orchestration.rules import Gates
from orchestration.service.regimes import told_of

Row = dict[str, Any]
Ints = NDArray[np.int64]

DOCS = Path(__file__).parents[2] / "docs"
_ORDER = (BEST, *METHODS, CHOSEN)
ON = "as chosen, while on"


def row(lines: Lines, regimes: Ints, walked: Walked, gates: Gates) -> Row:
    """Return the verdict on every way to blend, over the baseline and against two rivals.

    And of each line, what its confidence is worth by regime.
    """
    horizon = TASKS[lines.slot.kind].horizon_bars(lines.slot.timeframe)
    rows: dict[str, Row] = {}
    if walked.ts:
        ts, symbol = np.concatenate(walked.ts), np.concatenate(walked.symbol)

        def against(name: str, other: str) -> Row:
            one, two = walked.column(name), walked.column(other)
            return judge(ts, symbol, one, two, horizon, seed=0).as_dict()

        if (opened := np.concatenate(walked.open)).any():
            rows |= _while_on(walked, ts, symbol, opened, horizon)
        for name in _ORDER:
            if name in walked.loss:
                rows[name] = {
                    **against(name, BASELINE),
                    "z_equal": against(name, EQUAL)["z"] if name != EQUAL else None,
                    "z_best": against(name, BEST)["z"] if name != BEST else None,
                }
    return {
        "kind": lines.slot.kind,
        "turns": walked.turns,
        "none": walked.none,
        "on": walked.on,
        "methods": dict(walked.methods),
        "why": dict(walked.why),
        "members": dict(walked.members),
        "rows": {name: rows[name] for name in (*_ORDER, ON) if name in rows},
        "regimes": {
            name: learn(told, gates.z_learnt, gates.least_days).as_dict()
            for name, line in sorted(lines.lines.items())
            if name != BASELINE and (told := told_of(lines, line, regimes)) is not None
        },
    }


def _while_on(walked: Walked, ts: Ints, symbol: Ints, opened: NDArray[Any], horizon: int) -> Row:
    """Return the verdict on what was chosen, on the rows of turns whose gate was open."""
    told = {}
    for name in (BASELINE, EQUAL, BEST):
        one, two = walked.column(CHOSEN)[opened], walked.column(name)[opened]
        try:
            told[name] = judge(ts[opened], symbol[opened], one, two, horizon, seed=0).as_dict()
        except JudgingError:
            return {}
    return {ON: {**told[BASELINE], "z_equal": told[EQUAL]["z"], "z_best": told[BEST]["z"]}}


def text(found: Row) -> str:
    """Return the figures of a kind for a terminal."""
    lines = [f"{found['kind']}: {_told(found)}"]
    for name, one in found["rows"].items():
        lines.append(
            f"    {name:12} skill {100 * one['skill']:+.3f} % [{100 * one['lower']:+.3f}, "
            f"{100 * one['upper']:+.3f}] z {one['z']:+.2f}, against equal {_z(one['z_equal'])}, "
            f"against the best member {_z(one['z_best'])}; n {one['n']:,} "
            f"(worth {one['effective_n']:,.0f})"
        )
    lines += [f"    {name:12} {one['why']}" for name, one in found["regimes"].items()]
    return "\n".join(lines)


def markdown(found: list[Row]) -> str:
    """Return the figures of all kinds as a table, and below it which were on and why."""
    lines = [
        "| kind | answered by | skill over the baseline, % [95 %] | z | z against equal | "
        "z against the best member | rows (independent) |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for one in found:
        for name, figures in one["rows"].items():
            interval = f"[{100 * figures['lower']:+.3f}, {100 * figures['upper']:+.3f}]"
            cells = (
                one["kind"],
                name,
                f"{100 * figures['skill']:+.3f} {interval}",
                f"{figures['z']:+.1f}",
                _z(figures["z_equal"]),
                _z(figures["z_best"]),
                f"{figures['n']:,} ({figures['effective_n']:,.0f})",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"* **{one['kind']}**: {_told(one)}" for one in found)])


def regimes_markdown(found: list[Row]) -> str:
    """Return what the confidence of each line is worth by regime, as a table."""
    lines = [
        "| kind | line | log-loss saved a row | z | z against one slope for all | slopes | rows |",
        "|---|---|---:|---:|---:|---|---:|",
    ]
    for one in found:
        for name, figures in one["regimes"].items():
            if figures["z"] is not None:
                slopes = f"{min(figures['slopes']):.2f} to {max(figures['slopes']):.2f}"
                cells = (
                    one["kind"],
                    name,
                    f"{figures['gain']:+.1e}",
                    f"{figures['z']:+.1f}" + (" **used**" if figures["used"] else ""),
                    f"{figures['z_pooled']:+.1f}",
                    slopes,
                    f"{figures['rows']:,}",
                )
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(mark: str, caption: str, found: list[Row]) -> None:
    """Put the table between its marks in docs/ensembles.md."""
    page = DOCS / "ensembles.md"
    for name, table in (("walk", markdown(found)), ("regimes", regimes_markdown(found))):
        marks = rf"(<!-- {name} {mark} -->\n).*?(<!-- end -->)"
        block = f"{caption}\n\n{table}"
        now = re.sub(
            marks,
            lambda m, block=block: f"{m[1]}{block}\n{m[2]}",
            page.read_text(),
            flags=re.DOTALL,
        )
        page.write_text(now)


def _told(found: Row) -> str:
    chosen = ", ".join(f"{name} {count}" for name, count in _most(found["methods"]))
    shut = ", ".join(f"{why} {count}" for why, count in _most(found["why"]))
    members = ", ".join(f"{name} {count}" for name, count in _most(found["members"]))
    composed = found["turns"] - found["none"]
    said = f"of {found['turns']} turns {composed} composed one and {found['on']} had it on"
    said += f"; chosen: {chosen}" if chosen else ""
    said += f"; members: {members}" if members else ""
    return f"{said}; not on because {shut}." if shut else f"{said}."


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _z(z: float | None) -> str:
    return "" if z is None else f"{z:+.1f}"
