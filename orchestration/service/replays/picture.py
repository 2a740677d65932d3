"""The picture of a replay: of each slot the skill of what served, and what was decided when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ml_pipeline.pictures import plain, png
from orchestration.service.refs import Json

_BASELINE = "#c8553d"
_RECIPES = (
    "#1f6f8b", "#6a994e", "#7b5ea7", "#d99a2b", "#b0578d", "#3a4d8f", "#5bb5b5", "#8c6239",
    "#2f2f2f", "#a3b324",
)  # fmt: skip
_COLOURS = 160
_GREY = "#8a8f98"
_MARKS: Mapping[str, tuple[str, str]] = {
    "promote": ("^", "promotion"),
    "rollback": ("v", "rollback"),
    "HARM": ("X", "HARM"),
    "DRIFT": ("x", "DRIFT"),
}


def picture(found: Mapping[str, Any]) -> bytes:
    """Draw how a replay went, one row a slot, and return the PNG.

    The thick line is the skill of what served from the beginning up to that moment, in per cent of
    the baseline's loss, in the colour of the recipe that served then; the band is its 95 %
    interval. The thin lines are those of each recipe, as if it had served all the time.
    """
    slots = found["slots"]
    figure = Figure(figsize=(10, 0.9 + 2.1 * len(slots)), layout="constrained")
    rows = np.atleast_1d(figure.subplots(len(slots), 1, sharex=True))
    colours = _colours(slots)
    for axes, slot in zip(rows, slots, strict=True):
        _row(axes, slot, colours)
    handles: list[Artist] = [
        Line2D([], [], color=colour, label=name) for name, colour in colours.items()
    ]
    handles += [
        Line2D([], [], color="black", linewidth=2.2, label="what served"),
        Patch(color=_GREY, alpha=0.2, label="its 95 % interval"),
    ]
    used = {mark for slot in slots for _, mark in _marks(slot)}
    handles += [
        Line2D([], [], color="black", marker=shape, linestyle="", label=word)
        for mark, (shape, word) in _MARKS.items()
        if mark in used
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    market = "SIMULATED market" if found["simulated"] else found["source_name"]
    figure.suptitle(
        f"{market} · {', '.join(found['symbols'])} · {found['timeframe']} · {found['turns']} turns",
        fontsize=11,
    )
    return png(figure, _COLOURS)


def _row(axes: Axes, slot: Json, colours: Mapping[str, str]) -> None:
    curve = pd.DataFrame(slot["cumulative"], columns=["at", "skill", "lower", "upper"])
    at = pd.to_datetime(curve["at"], utc=True).dt.tz_localize(None).to_numpy()
    skill, lower, upper = (
        100 * curve[name].to_numpy(np.float64) for name in ("skill", "lower", "upper")
    )
    skill_of_all = [skill]
    axes.axhline(0, color=_GREY, linewidth=1)
    for line in slot["lines"]:
        if not line["baseline"]:
            alone = pd.DataFrame(line["cumulative"], columns=["at", "skill"])
            when = pd.to_datetime(alone["at"], utc=True).dt.tz_localize(None).to_numpy()
            thin = 100 * alone["skill"].to_numpy(np.float64)
            axes.plot(when, thin, color=colours[line["recipe"]], linewidth=1, alpha=0.75)
            skill_of_all.append(thin)
    axes.fill_between(at, lower, upper, color=_GREY, alpha=0.2, linewidth=0)
    for reign in slot["reigns"]:
        begin, end = (_naive(reign[name]) for name in ("from", "until"))
        inside = np.flatnonzero((at >= begin) & (at <= end))
        if len(inside):
            joined = np.arange(max(inside[0] - 1, 0), inside[-1] + 1)  # no hole between reigns
            axes.plot(at[joined], skill[joined], color=colours[reign["recipe"]], linewidth=2)
    for moment, mark in _marks(slot):
        y = (
            np.interp(moment.astype(np.int64), at.astype(moment.dtype).astype(np.int64), skill)
            if len(at)
            else 0.0
        )
        axes.plot([moment], [y], marker=_MARKS[mark][0], color="black", markersize=6, linestyle="")
    _limits(axes, [*skill_of_all, lower, upper])
    axes.set_ylabel(f"{slot['kind']}\nskill, %", fontsize=9)
    axes.tick_params(labelsize=8)
    plain(axes)


def _limits(axes: Axes, curves: Sequence[Any]) -> None:
    """Keep the first, wild stretch from flattening the curves: their second half sets the frame."""
    ends = np.concatenate([[0.0], *(curve[len(curve) // 2 :] for curve in curves)])
    ends = ends[np.isfinite(ends)]
    room = 0.15 * (float(np.ptp(ends)) or 1.0)
    axes.set_ylim(ends.min() - room, ends.max() + room)


def _marks(slot: Json) -> list[tuple[Any, str]]:
    moved = [(_naive(e["at"]), e["action"]) for e in slot["events"] if e["action"] in _MARKS]
    seen = [(_naive(d["at"]), d["status"]) for d in slot["drift"] if d["status"] in _MARKS]
    return moved + seen


def _colours(slots: Sequence[Json]) -> dict[str, str]:
    """Return a colour for each recipe; the baseline's is always the same."""
    names = {line["recipe"] for slot in slots for line in slot["lines"] if not line["baseline"]}
    names |= {reign["recipe"] for slot in slots for reign in slot["reigns"]}
    others = [name for name in sorted(names) if name != "baseline"]
    found = {name: _RECIPES[k % len(_RECIPES)] for k, name in enumerate(others)}
    return found | ({"baseline": _BASELINE} if "baseline" in names else {})


def _naive(text: str) -> np.datetime64:
    return np.datetime64(pd.Timestamp(text).tz_convert("UTC").tz_localize(None), "ms")
