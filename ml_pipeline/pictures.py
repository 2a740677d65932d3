"""Pictures of a model for people: how it did on unseen bars, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from threading import Lock
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ml_pipeline.panel import Panel
from ml_pipeline.rows import all_finite
from ml_pipeline.scoring import row_losses
from ml_pipeline.tasks import Task

Floats = NDArray[np.float64]

_MODEL, _NAIVE, _GREY = "#1f6f8b", "#c8553d", "#8a8f98"
_BINS = 10
_SHOWN = 20
_DPI, _COLOURS = 90, 32


VALIDATION, IMPORTANCE = "validation.png", "importance.png"
"""Names of the two pictures in a bundle, where the model card shows them."""


def validation_picture(
    task: Task,
    head: Mapping[str, Any],
    raw: Floats,
    naive: Floats,
    panel: Panel,
    title: str,
) -> bytes:
    """Draw how a model did beside its baseline on `panel`, and return the PNG.

    Left: forecasts against outcomes, in ten bins of equal count; a sound model lies on the
    diagonal. Right: loss saved against the baseline, summed over time; a sound model rises.

    Parameters
    ----------
    task, head
        What the outputs mean.
    raw, naive
        Outputs [n, K] of the model and of its baseline.
    panel
        The rows.
    title
        Printed above; say *simulated* there where the market is.
    """
    y = task.y(panel, head)
    known = all_finite(y)
    forecast, outcome, scale = _views(task, y[known], raw[known])
    base = row_losses(task, head, naive, panel)[known]
    model = row_losses(task, head, raw, panel)[known]

    def draw(left: Axes, right: Axes) -> None:
        _reliability(left, forecast, outcome, scale)
        _gains(right, panel.ts[known], base, model)

    return _PAIR.drawn(title, draw)


def importance_picture(importance: Mapping[str, float], title: str) -> bytes:
    """Draw the twenty columns a learner looks at most, and return the PNG."""
    largest = sorted(importance.items(), key=lambda pair: pair[1])[-_SHOWN:]

    def draw(axes: Axes) -> None:
        places = range(len(largest))
        axes.barh(places, [share for _, share in largest], color=_MODEL)
        axes.set_yticks(places, [name for name, _ in largest])
        axes.set_xlabel("share of what the learner looks at")
        if not any(importance.values()):
            axes.text(0.5, 0.5, "it learnt nothing", ha="center", transform=axes.transAxes)

    return _SINGLE.drawn(title, draw)


def _views(task: Task, y: Floats, raw: Floats) -> tuple[Floats, Floats, str]:
    """Return forecasts and outcomes in a unit people read, and its name."""
    if task.curve == "logit":
        return raw[:, 0], y[:, 0], "probability"
    if task.curve == "identity":
        return raw[:, 0] * 1e4, y[:, 0] * 1e4, "return over the horizon, bp"
    return np.exp(raw[:, 0] / 2) * 1e4, np.exp(y[:, 0] / 2) * 1e4, "volatility over 1 h, bp"


def _reliability(axes: Axes, forecast: Floats, outcome: Floats, scale: str) -> None:
    # Bins end between values: a forecast of two values makes two points, not ten.
    edges = (
        np.unique(np.quantile(forecast, np.linspace(0, 1, _BINS + 1)[1:-1]))
        if len(forecast)
        else forecast
    )
    place = np.searchsorted(edges, forecast, side="right")
    parts = [place == i for i in np.unique(place)]
    x = [float(forecast[part].mean()) for part in parts]
    y = [float(outcome[part].mean()) for part in parts]
    if x:
        ends = [min(x + y), max(x + y)]
        axes.plot(ends, ends, color=_GREY, linewidth=1, linestyle="--")
    axes.plot(x, y, "o-", color=_MODEL, markersize=5)
    axes.set_xlabel(f"forecast: {scale}")
    axes.set_ylabel("what came")


def _gains(axes: Axes, ts: NDArray[np.int64], base: Floats, model: Floats) -> None:
    times, where = np.unique(ts, return_inverse=True)
    count = np.maximum(np.bincount(where), 1)
    saved = np.bincount(where, weights=base - model) / count
    total = 100 * np.cumsum(saved) / max(float((np.bincount(where, base) / count).sum()), 1e-300)
    axes.plot(times.astype("datetime64[ms]"), total, color=_MODEL)
    axes.axhline(0, color=_NAIVE, linewidth=1)
    axes.set_ylabel("loss saved, % of the baseline's")


def plain(axes: Axes) -> None:
    """Give axes the house's look."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def png(figure: Figure, colours: int = _COLOURS) -> bytes:
    """Return a figure as a small PNG of so many colours."""
    figure.set_dpi(_DPI)
    return _small(FigureCanvasAgg(figure), colours)


def _small(canvas: FigureCanvasAgg, colours: int = _COLOURS) -> bytes:
    canvas.draw()  # type: ignore[no-untyped-call]
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])  # type: ignore[no-untyped-call]
    # Three colours and their edges need no more, and a bundle carries a third of the bytes.
    small = BytesIO()
    drawn.quantize(colours, method=Image.Quantize.FASTOCTREE).save(small, "PNG")
    return small.getvalue()


class _Sheet:
    """A figure that is wiped and drawn on again.

    Most of the time of a first drawing goes into making ticks, which stay. What is drawn does not
    depend on what was drawn before. Several threads take turns.
    """

    def __init__(self, size: tuple[float, float], panes: int, **margins: float) -> None:
        self._size, self._panes, self._margins = size, panes, margins
        self._turn = Lock()
        self._canvas: FigureCanvasAgg | None = None

    def drawn(self, title: str, draw: Callable[..., None]) -> bytes:
        """Return the PNG of what `draw` does with the sheet's axes."""
        with self._turn:
            canvas = self._canvas = self._canvas or self._new()
            for axes in canvas.figure.axes:
                for artist in [*axes.lines, *axes.patches, *axes.texts]:
                    artist.remove()
                axes.relim()
                axes.axis((0.0, 1.0, 0.0, 1.0))  # what nothing is drawn on looks like
                axes.autoscale(True)
            draw(*canvas.figure.axes)
            canvas.figure.suptitle(title, fontsize=11)
            return _small(canvas)

    def _new(self) -> FigureCanvasAgg:
        canvas = FigureCanvasAgg(Figure(figsize=self._size, dpi=_DPI))
        panes = canvas.figure.subplots(1, self._panes, squeeze=False)[0]
        canvas.figure.subplots_adjust(**self._margins)
        for axes in panes:
            plain(axes)
            axes.tick_params(labelsize=8)
        if self._panes > 1:
            panes[-1].tick_params(axis="x", labelrotation=25)
        return canvas


_PAIR = _Sheet((10, 4.2), 2, left=0.08, right=0.98, bottom=0.18, top=0.9, wspace=0.25)
_SINGLE = _Sheet((7, 5), 1, left=0.32, right=0.97, bottom=0.11, top=0.92)
