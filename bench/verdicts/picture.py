"""The trade between false promotions and power, and alarms over time, as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.verdicts.report import DOCS

Json = dict[str, Any]

PICTURE = DOCS / "pictures" / "verdicts.png"
BUDGET = 14


def draw(found: Json, path: Path = PICTURE) -> None:
    """Draw the picture."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _trade(left, found)
    _alarms(right, found)
    figure.suptitle("simulated ledgers", size=8, color="#6b7280", x=0.99, ha="right")
    FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]


def _trade(axes: Axes, found: Json) -> None:
    gates = found["gates"]
    for wander, colour in ((0.0, "#2563eb"), (0.5, "#d97706"), (1.0, "#b91c1c")):
        false = next(
            row["a_year"]
            for row in found["false_promotions"]
            if (row["wander"], row["rivals"], row["tenure"], row["window_days"])
            == (wander, 3, gates["tenure_turns"], gates["window_days"])
        )
        power = {
            f"{row['z_promote']:g}": row["within_14d"]
            for row in found["found"]
            if (row["wander"], row["rivals"], row["ledger_days"]) == (wander, 3, 14)
            and (row["case"], row["better_by"]) == ("newcomer", "a point of accuracy")
        }
        at = list(false)
        axes.plot(
            [max(false[z], 0.1) for z in at], [power[z] for z in at],
            marker="o", ms=4, lw=1.2, color=colour, label=f"wander {wander:g}",
        )  # fmt: skip
        for z in at:
            chosen = float(z) == gates["z_promote"]
            axes.annotate(
                z, (max(false[z], 0.1), power[z]), xytext=(4, -9), textcoords="offset points",
                size=8 if chosen else 6.5, weight="bold" if chosen else "normal", color=colour,
            )  # fmt: skip
    axes.axvline(BUDGET, color="#6b7280", lw=0.8, ls="--")
    axes.text(BUDGET, 0.02, f" budget {BUDGET}", size=7, color="#6b7280")
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
    axes.set_xlabel("promotions a year among equals, seven slots of three rivals", size=8)
    axes.set_ylabel("found within 14 days: better by a point of accuracy", size=8)
    axes.set_title("z_promote: what it costs and what it finds", size=9)
    axes.legend(fontsize=7)
    axes.tick_params(labelsize=7)


def _alarms(axes: Axes, found: Json) -> None:
    styles = {"ours": "-", "seed": "--"}
    names = {"ours": "ours", "seed": "backtest − live > .05"}
    for after, colour in ((0.55, "#2563eb"), (0.50, "#d97706"), (0.45, "#b91c1c")):
        row = next(
            r
            for r in found["drift"]
            if (r["symbols"], r["wander"], r["after"]) == (1, 0.0075, after)
        )
        for who, style in styles.items():
            heights = [0.0, *(row[who][f"within_{h}"] for h in ("24h", "72h", "7d"))]
            what = "sound" if after == 0.55 else f".55 → {after:.2f}".replace("0.", ".")
            axes.plot(
                [0, 24, 72, 168], heights, style, marker="o", ms=3, lw=1.2, color=colour,
                label=f"{what}, {names[who]}",
            )  # fmt: skip
    axes.set_xlabel("hours", size=8)
    axes.set_ylabel("share of slot-weeks with an alarm", size=8)
    axes.set_title("Drift: accuracy .55, one symbol, daily wander .0075", size=9)
    axes.legend(fontsize=7)
    axes.tick_params(labelsize=7)
