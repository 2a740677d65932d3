"""What an estimator is given and what it gives back: the whole contract of a learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import Graph

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Lesson:
    """Training rows of one task, pooled over symbols and sorted by time.

    Attributes
    ----------
    names
        The F feature columns.
    X
        float32 [n, F], finite.
    y
        Targets [n, K].
    base
        What the baseline says on these rows, [n, K], in the unit of the margin.
    sigma
        σ of the return over the horizon, [n, 1]; ones for kinds without returns.
    ts
        Opening time of each row's bar, epoch milliseconds [n].
    horizon_bars, bar_ms
        Length of the label window and of a bar.
    """

    names: tuple[str, ...]
    X: Matrix
    y: Floats
    base: Floats
    sigma: Floats
    ts: NDArray[np.int64]
    horizon_bars: int
    bar_ms: int

    def __len__(self) -> int:
        return len(self.y)

    def take(self, keep: NDArray[Any] | slice) -> Lesson:
        """Return the chosen rows."""
        return Lesson(
            self.names,
            self.X[keep],
            self.y[keep],
            self.base[keep],
            self.sigma[keep],
            self.ts[keep],
            self.horizon_bars,
            self.bar_ms,
        )

    def every(self, step: int) -> Lesson:
        """Return the rows of every `step`-th bar: overlapping labels repeat themselves."""
        return self.take((self.ts // self.bar_ms) % step == 0)

    def split_tail(self, share: float) -> tuple[Lesson, Lesson]:
        """Cut off the last `share` of the time span, purged by the horizon, for early stopping."""
        first, last = int(self.ts[0]), int(self.ts[-1])
        cut = last - int((last - first) * share)
        legal = self.ts + (self.horizon_bars + 1) * self.bar_ms < cut
        return self.take(legal), self.take(self.ts >= cut)


class Margin(Protocol):
    """A fitted learner: its margin natively, as ONNX nodes, and what it looks at."""

    @property
    def importance(self) -> Floats:
        """Importance of each column [F], not negative; the unit is the library's own."""

    def __call__(self, X: Matrix) -> Floats:
        """Return the margin [n, K] computed by the library that fitted it."""

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add the margin as a tensor [N, K]; `names` are the columns it was fitted on."""


@runtime_checkable
class Scaled(Margin, Protocol):
    """A margin that has also learnt how wide its returns are spread."""

    @property
    def log_scale(self) -> Margin:
        """The margin [n, 1] that says ln of what the baseline's σ should be multiplied by."""


class Estimator(Protocol):
    """Fits a margin: one function per kind, deterministic in the lesson and the seed."""

    def __call__(self, lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> Margin:
        """Return the fitted learner."""
