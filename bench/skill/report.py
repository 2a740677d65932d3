"""The table and the picture of a walk."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.skill.figures import own, verdict
from bench.skill.reference import REFERENCE
from bench.skill.walk import Walk
from market.timeframes import timeframe_ms, utc
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import Recipe
from ml_pipeline.skill import paired_series
from ml_pipeline.tasks import TASKS
from ml_pipeline.walk_forward import Fold

Row = dict[str, Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Done:
    """A recipe, its forecasts, and those of two baselines on the same rows.

    `base` was fitted on the longest window of the kind's recipes, `beside` on the recipe's own.
    """

    recipe: Recipe
    model: Walk
    base: Walk
    beside: Walk


_POINTS = 500  # of a curve in the picture
DOCS = Path(__file__).parents[2] / "docs"
_SHOWN = {
    "direction": (("accuracy", ".4f"), ("auc", ".3f"), ("gain_over_coin", "+.1e"), ("ece", ".3f")),
    "risk": (("auc", ".3f"), ("brier_skill", ".3f"), ("event_rate", ".3f"), ("ece", ".3f")),
    "price": (("r2", "+.4f"), ("coverage", ".3f"), ("width_bp", ".0f"), ("ece", ".3f")),
    "momentum": (("accuracy", ".4f"), ("auc", ".3f"), ("log_loss", ".4f"), ("ece", ".3f")),
    "volatility": (
        ("qlike_1h", ".4f"), ("qlike_4h", ".4f"), ("r2_log_1h", ".2f"), ("r2_log_4h", ".2f"),
        ("ece", ".3f"),
    ),
}  # fmt: skip


def rows(timeframe: str, done: list[Done], rivals: Mapping[str, Floats]) -> list[Row]:
    """Return a row per recipe: verdict, own figures, and those of the baseline."""
    found = []
    for one in done:
        task = TASKS[one.recipe.kind]
        block = 4 * task.horizon_bars(timeframe) * timeframe_ms(timeframe)
        others = {"beside": one.beside.loss}
        if task.kind == "volatility":
            others |= {name: loss.mean(axis=1) for name, loss in rivals.items()}
        found.append(
            {
                "kind": task.kind,
                "recipe": one.recipe.name,
                "weight": float(one.model.weight.mean()),
                **verdict(task, timeframe, one.model, one.base.loss).as_dict(),
                "over": {
                    name: verdict(task, timeframe, one.model, loss).as_dict()
                    for name, loss in others.items()
                },
                "own": own(task, one.model, block),
                "baseline": own(task, one.base, block),
            }
        )
    return found


def text(found: list[Row]) -> str:
    """Return the rows for a terminal."""
    lines = []
    for row in found:
        lines.append(
            f"{row['kind'] + '/' + row['recipe']:28} skill {100 * row['skill']:+.3f} % "
            f"[{100 * row['lower']:+.3f}, {100 * row['upper']:+.3f}] z {row['z']:+.2f} "
            f"n {row['n']:,} independent {row['effective_n']:,.0f} weight {row['weight']:.2f}"
        )
        for name in ("own", "baseline"):
            lines.append(
                f"    {name:9}" + "".join(f" {key} {row[name][key]:.5g}" for key in row[name])
            )
    return "\n".join(lines)


def markdown(timeframe: str, found: list[Row], rivals: Mapping[str, Floats]) -> str:
    """Return the rows as a table, one block a kind, with the reference figures below each."""
    lines = [
        "| recipe | skill over the baseline, % [95 %] | z | over that of its own days | "
        "weight | rows (independent) | own figures |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(row["kind"] for row in found):
        mine = [row for row in found if row["kind"] == kind]
        lines.append(f"| **{kind}** · baseline | | | | | | {_own(kind, mine[-1]['baseline'])} |")
        if kind == "volatility":
            lines += [
                f"| {name} alone | | | | | | QLIKE 1h {one:.4f}, 4h {four:.4f} |"
                for name, (one, four) in ((n, loss.mean(axis=0)) for n, loss in rivals.items())
            ]
        lines += [_line(row) for row in mine]
        lines.append(f"| *reference* | | | | | | {REFERENCE[timeframe][kind]} |")
    return "\n".join(lines)


def _line(row: Row) -> str:
    interval = f"[{100 * row['lower']:+.3f}, {100 * row['upper']:+.3f}]"
    cells = (
        row["recipe"],
        f"{100 * row['skill']:+.3f} {interval}",
        f"{row['z']:+.1f}",
        _over(row, "beside"),
        f"{row['weight']:.2f}",
        f"{row['n']:,} ({row['effective_n']:,.0f})",
        _own(row["kind"], row["own"]) + _har(row),
    )
    return f"| {' | '.join(cells)} |"


def _over(row: Row, name: str) -> str:
    other = row["over"][name]
    return f"{100 * other['skill']:+.3f} (z {other['z']:+.1f})"


def _har(row: Row) -> str:
    return f", over HAR alone {_over(row, 'HAR')}" if "HAR" in row["over"] else ""


def _own(kind: str, figures: dict[str, float]) -> str:
    said = []
    for name, form in _SHOWN[kind]:
        if not math.isnan(figures[name]):
            said.append(f"{_WORDS.get(name, name)} {figures[name]:{form}}")
    if not math.isnan(figures["ece"]):
        said[-1] += f" (chance {figures['ece_by_chance']:.3f})"
    return ", ".join(said)


_WORDS = {
    "auc": "AUC", "ece": "ECE", "r2": "R²", "qlike_1h": "QLIKE 1h", "qlike_4h": "4h",
    "r2_log_1h": "R²(log) 1h", "r2_log_4h": "4h", "brier_skill": "Brier skill",
    "event_rate": "events", "gain_over_coin": "gain over a coin", "width_bp": "width bp",
    "log_loss": "log-loss",
}  # fmt: skip


def write(
    panel: Panel,
    through: list[Fold],
    found: list[Row],
    done: list[Done],
    rivals: Mapping[str, Floats],
) -> None:
    """Put the table between its marks in docs/models.md and draw the picture."""
    frame, page = panel.timeframe, DOCS / "models.md"
    start, end = utc(through[0].start_ms), utc(through[-1].end_ms)
    hours = (through[0].end_ms - through[0].start_ms) / 3_600_000
    caption = (
        f"{frame}, {', '.join(panel.symbols)} pooled, {start:%Y-%m-%d} … {end:%Y-%m-%d}, "
        f"{len(through)} folds of {hours:g} h.\n\n"
    )
    block = caption + markdown(frame, found, rivals)
    marks = rf"(<!-- walk {frame} -->\n).*?(<!-- end -->)"
    text_now = page.read_text()
    page.write_text(re.sub(marks, lambda m: f"{m[1]}{block}\n{m[2]}", text_now, flags=re.DOTALL))
    drawn = f"pictures/skill-{frame}.png"
    if drawn in text_now:
        picture(DOCS / drawn, done)


def picture(path: Path, done: list[Done]) -> None:
    """Draw the loss saved against the baseline, summed over time, a panel for each kind."""
    kinds = list(dict.fromkeys(one.recipe.kind for one in done))
    figure = Figure(figsize=(9, 1.9 * len(kinds)), layout="constrained")
    for axes, kind in zip(np.atleast_1d(figure.subplots(len(kinds), 1)), kinds, strict=True):
        for one in done:
            if one.recipe.kind == kind:
                saved = paired_series(one.model.ts, one.base.loss, one.model.loss)
                total = 100 * np.cumsum(saved) / (one.base.loss.mean() * len(saved))
                when = np.unique(one.model.ts).astype("datetime64[ms]")
                thin = slice(None, None, max(len(total) // _POINTS, 1))
                axes.plot(when[thin], total[thin], lw=1.2, label=one.recipe.name)
        axes.axhline(0, color="#8a8f98", lw=0.8)
        axes.set_title(f"{kind}: loss saved against the baseline, % of its loss, summed", size=9)
        axes.legend(fontsize=7, loc="upper left")
        axes.tick_params(labelsize=7)
    FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]
