"""Panels: charts as HTML and SVG that stretch with the page while lines and letters keep size.

Lines are drawn in a box of 1000 × 1000 without a fixed aspect, with strokes that do not scale; what
people read stands beside them as text, placed in per cent. So one file is right on a desk and on a
phone, without a script.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from strategies.report.scale import Scale, moment_label

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BOX = 1000.0


@dataclass(frozen=True)
class Curve:
    """One line of a panel.

    Attributes
    ----------
    name
        CSS class: its colour.
    at
        Epoch milliseconds, [T].
    values
        [T]; what is not finite is a gap.
    area
        Whether it is filled down to nought.
    step
        Whether a value holds until the next one.
    """

    name: str
    at: Ints
    values: Floats
    area: bool = False
    step: bool = False


@dataclass(frozen=True)
class Mark:
    """A sign at a moment and value: an entry, up or down."""

    at: int
    value: float
    up: bool
    title: str


def panel(
    curves: Sequence[Curve],
    time: Scale,
    level: Scale,
    label: Callable[[float], str],
    *,
    height: int,
    says: str,
    marks: Sequence[Mark] = (),
    dates: bool = True,
) -> str:
    """Return one chart as HTML.

    Parameters
    ----------
    curves, marks
        What is drawn.
    time, level
        Scales of the two axes.
    label
        Makes the text of a tick of `level`.
    height
        Pixels.
    says
        What the chart shows, for who cannot see it.
    dates
        Whether dates stand below it.
    """
    svg = "".join([_grid(level), *(_path(curve, time, level) for curve in curves)])
    words = [_y(level, tick, label(tick)) for tick in level.ticks]
    if dates:
        words += [_x(time, tick) for tick in time.ticks]
    words += [_mark(mark, time, level) for mark in marks]
    return (
        f'<div class="plot{" dated" if dates else ""}" style="height:{height}px" role="img" '
        f'aria-label="{escape(says, quote=True)}">'
        f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">{svg}</svg>'
        f"{''.join(words)}</div>"
    )


def _grid(level: Scale) -> str:
    rows = [f"M0 {_down(level, tick):.1f}H1000" for tick in level.ticks]
    nought = f'<path class="nought" d="M0 {_down(level, 0.0):.1f}H1000"/>'
    inside = level.low <= 0.0 <= level.high
    return f'<path class="grid" d="{"".join(rows)}"/>{nought if inside else ""}'


def _path(curve: Curve, time: Scale, level: Scale) -> str:
    x = _BOX * time.place(curve.at.astype(np.float64))
    y = _BOX * (1.0 - level.place(curve.values))
    if curve.step and len(x):
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    parts = [_run(x[one], y[one], curve.area, _down(level, 0.0)) for one in _unbroken(y)]
    kind = "area" if curve.area else "line"
    return f'<path class="{kind} {curve.name}" d="{"".join(parts)}"/>'


def _run(x: Floats, y: Floats, area: bool, floor: float) -> str:
    points = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    return f"M{x[0]:.1f} {floor:.1f}L{points}V{floor:.1f}Z" if area else f"M{points}"


def _unbroken(y: Floats) -> list[slice]:
    """Return the stretches without a gap."""
    known = np.concatenate([[False], np.isfinite(y), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _down(level: Scale, value: float) -> float:
    return float(_BOX * (1.0 - level.place(np.array([value]))[0]))


def _y(level: Scale, tick: float, text: str) -> str:
    return f'<span class="y" style="top:{_down(level, tick) / 10:.2f}%">{escape(text)}</span>'


def _x(time: Scale, tick: float) -> str:
    place = 100 * float(time.place(np.array([tick]))[0])
    if not 2 < place < 98:  # half of its letters would lie outside
        return ""
    return f'<span class="x" style="left:{place:.2f}%">{escape(moment_label(time, tick))}</span>'


def _mark(mark: Mark, time: Scale, level: Scale) -> str:
    left = 100 * float(time.place(np.array([float(mark.at)]))[0])
    return (
        f'<span class="mark {"up" if mark.up else "down"}" title="{escape(mark.title, quote=True)}"'
        f' style="left:{left:.2f}%;top:{_down(level, mark.value) / 10:.2f}%">'
        f"{'▲' if mark.up else '▼'}</span>"
    )
