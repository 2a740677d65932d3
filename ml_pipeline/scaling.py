"""Standardised and clipped columns for learners that need them (network and SVM, never trees)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import Graph

Matrix = NDArray[np.float32]

LIMIT = 4.0
"""Standard deviations beyond which a column says no more."""


@dataclass(frozen=True)
class Scaler:
    """``clip((x − mean) · inverse, ±LIMIT)`` in float32, the same in numpy and in the graph."""

    mean: Matrix
    inverse: Matrix

    @classmethod
    def fit(cls, X: Matrix) -> Scaler:
        """Take means and deviations from the rows between the 1 % and 99 % quantiles.

        A column that does not vary there gets weight zero.
        """
        low, high = np.quantile(X, [0.01, 0.99], axis=0)
        core = np.clip(X, low, high).astype(np.float64)
        mean, deviation = core.mean(axis=0), core.std(axis=0)
        varies = deviation > 1e-12 * np.maximum(np.abs(mean), 1e-12)
        inverse = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)
        return cls(mean.astype(np.float32), inverse.astype(np.float32))

    def __call__(self, X: Matrix) -> Matrix:
        """Return the scaled matrix."""
        scaled = np.clip((X - self.mean) * self.inverse, -LIMIT, LIMIT)
        return np.asarray(scaled, dtype=np.float32)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add the scaling of the input columns `names`."""
        centred = graph.add("Sub", graph.take(names), graph.constant(self.mean))
        scaled = graph.add("Mul", centred, graph.constant(self.inverse))
        return graph.add("Clip", scaled, graph.constant(-LIMIT), graph.constant(LIMIT))
