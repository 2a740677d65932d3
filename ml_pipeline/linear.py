"""Linear learners: ridge and logistic regression on standardised columns, from the baseline on.

With sixty columns and hundreds of independent rows a line learns as much as a forest does, costs a
tenth of a second, and shows in its weights what it has learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline import leftovers
from ml_pipeline.calibration import sigmoid
from ml_pipeline.lesson import Lesson
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.scaling import Scaler

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

_STEPS = 25
_CLOSE = 1e-10


@dataclass(frozen=True)
class LinearMargin:
    """``scaled(x) @ weights + intercept``.

    Attributes
    ----------
    scaler
        Standardises the columns.
    weights
        [F, K], per standard deviation of each column.
    intercept
        [K].
    """

    scaler: Scaler
    weights: Floats
    intercept: Floats

    @property
    def importance(self) -> Floats:
        """Size of each column's weights."""
        return np.asarray(np.abs(self.weights).sum(axis=1))

    def __call__(self, X: Matrix) -> Floats:
        """Return the margin [n, K]."""
        return np.asarray(self.scaler(X).astype(np.float64) @ self.weights + self.intercept)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add the scaling and one Gemm."""
        x = self.scaler.nodes(graph, names)
        return graph.add("Gemm", x, graph.constant(self.weights), graph.constant(self.intercept))


def fit_logistic(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> LinearMargin:
    """Add a line to the baseline's log-odds, by Newton's method under a ridge; draws nothing.

    The ridge is per row: at 1 a column loses four fifths of the weight it would have by itself.
    """
    scaler = Scaler.fit(lesson.X)
    x = np.column_stack([scaler(lesson.X), np.ones(len(lesson))]).astype(np.float64)
    y, base = lesson.y[:, 0], lesson.base[:, 0]
    ridge = _penalty(x, float(hyperparams["ridge"]))
    beta = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = sigmoid(base + x @ beta)
        gradient = x.T @ (p - y) + ridge * beta
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
        if np.abs(step).max() < _CLOSE:
            break
    return LinearMargin(scaler, beta[:-1, None], beta[-1:])


def fit_returns(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> LinearMargin:
    """Fit the return in units of its σ by ridge regression; draws nothing."""
    return _ridge(lesson, leftovers.of_returns(lesson), float(hyperparams["ridge"]))


def fit_variances(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> LinearMargin:
    """Fit the residual of ln RV², each horizon's, by ridge regression; draws nothing."""
    return _ridge(lesson, leftovers.of_variances(lesson), float(hyperparams["ridge"]))


def _ridge(lesson: Lesson, target: Floats, ridge: float) -> LinearMargin:
    scaler = Scaler.fit(lesson.X)
    x = np.column_stack([scaler(lesson.X), np.ones(len(lesson))]).astype(np.float64)
    normal = x.T @ x + np.diag(_penalty(x, ridge))
    beta = np.asarray(np.linalg.solve(normal, x.T @ target))
    return LinearMargin(scaler, beta[:-1], beta[-1])


def _penalty(x: Floats, ridge: float) -> Floats:
    """Return the penalty of each weight; the last, the intercept's, is free of it.

    A column that does not vary is nothing but zeros: a trifle keeps the equations solvable.
    """
    penalty = np.full(x.shape[1], max(ridge, 1e-6) * len(x))
    penalty[-1] = 0.0
    return penalty
