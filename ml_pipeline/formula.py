"""A formula of a few columns: the form in which every baseline is fitted, stored and exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import Graph
from ml_pipeline.rows import Rows

Floats = NDArray[np.float64]
Shape = Literal["identity", "abs", "sign", "square"]

CLOCK = "quarter_hour"
QUARTERS = 96
# Beyond these training quantiles a column is held constant: a line must not be followed into
# places no training row has seen (a dead hour has ln RV² = -27).
_CLIP_SHARE = 0.001
_SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "identity": np.asarray,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
}


@dataclass(frozen=True)
class Term:
    """One input of a formula: a column, and what is done to it after clipping."""

    column: str
    shape: Shape = "identity"


@dataclass(frozen=True)
class Formula:
    """``intercept + Σ weight · shape(clip(column)) [+ table[quarter of an hour of the day]]``.

    Attributes
    ----------
    terms
        The T inputs.
    lower, upper
        Clipping bounds [T], in the column's unit.
    weights
        [T, K].
    intercept
        [K].
    table
        [96, K], what the time of day (UTC) adds, or None.
    """

    terms: tuple[Term, ...]
    lower: Floats
    upper: Floats
    weights: Floats
    intercept: Floats
    table: Floats | None = None

    @classmethod
    def constant(cls, *values: float) -> Formula:
        """Return the formula without inputs that always answers `values`."""
        none = np.empty(0)
        return cls((), none, none, np.empty((0, len(values))), np.array(values, dtype=np.float64))

    @property
    def width(self) -> int:
        """Number of outputs K."""
        return len(self.intercept)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, each once."""
        clock = (CLOCK,) if self.table is not None else ()
        return tuple(dict.fromkeys([term.column for term in self.terms])) + clock

    def __call__(self, rows: Rows) -> Floats:
        """Return the values [n, K] in float64."""
        result = design(rows, self.terms, self.lower, self.upper) @ self.weights + self.intercept
        if self.table is not None:
            result = result + self.table[quarter(rows)]
        return np.asarray(result, dtype=np.float64)

    def nodes(self, graph: Graph) -> str:
        """Add the formula to `graph`; the answer is a tensor [N, K]."""
        total = self._linear_nodes(graph) if self.terms else self._constant_nodes(graph)
        if self.table is None:
            return total
        clock = graph.add("Cast", graph.take([CLOCK]), to=7)
        places = graph.add("Squeeze", clock, graph.constant([1], np.int64))
        return graph.add("Add", total, graph.add("Gather", graph.constant(self.table), places))

    def _linear_nodes(self, graph: Graph) -> str:
        x = graph.take([term.column for term in self.terms])
        x = graph.add("Max", x, graph.constant(self.lower))
        x = graph.add("Min", x, graph.constant(self.upper))
        for shape in _SHAPES:
            chosen = [term.shape == shape for term in self.terms]
            if shape != "identity" and any(chosen):
                shaped = _shape_node(graph, shape, x)
                x = graph.add("Where", graph.constant(chosen, bool), shaped, x)
        return graph.add("Gemm", x, graph.constant(self.weights), graph.constant(self.intercept))

    def _constant_nodes(self, graph: Graph) -> str:
        zero = graph.add("Mul", graph.take(graph.columns[:1]), graph.constant([0.0]))
        return graph.add("Add", zero, graph.constant(self.intercept))


def _shape_node(graph: Graph, shape: str, x: str) -> str:
    if shape == "square":
        return graph.add("Mul", x, x)
    return graph.add({"abs": "Abs", "sign": "Sign"}[shape], x)


def bounds(rows: Rows, terms: tuple[Term, ...]) -> tuple[Floats, Floats]:
    """Return clipping bounds [T] of the columns of `terms`: their 0.1 % and 99.9 % quantiles."""
    columns = np.stack([rows.column(term.column) for term in terms], axis=1)
    low, high = np.quantile(columns, [_CLIP_SHARE, 1 - _CLIP_SHARE], axis=0)
    return low.astype(np.float32).astype(np.float64), high.astype(np.float32).astype(np.float64)


def design(rows: Rows, terms: tuple[Term, ...], lower: Floats, upper: Floats) -> Floats:
    """Return the matrix [n, T] of clipped and shaped columns."""
    matrix = np.empty((len(rows), len(terms)))
    for j, term in enumerate(terms):
        clipped = np.clip(rows.column(term.column), lower[j], upper[j])
        matrix[:, j] = _SHAPES[term.shape](clipped)
    return matrix


def quarter(rows: Rows) -> NDArray[np.int64]:
    """Return each row's quarter of an hour of the UTC day, 0 to 95."""
    return rows.column(CLOCK).astype(np.int64)


def least_squares(rows: Rows, terms: tuple[Term, ...], y: Floats) -> Formula:
    """Fit `y` [n, K] by ordinary least squares."""
    lower, upper = bounds(rows, terms)
    x = design(rows, terms, lower, upper)
    with_one = np.column_stack([x, np.ones(len(x))])
    solution: Floats = np.asarray(np.linalg.lstsq(with_one, y, rcond=None)[0], dtype=np.float64)
    return Formula(terms, lower, upper, solution[:-1], solution[-1])


def copas(fitted: Formula, rows: Rows, y: Floats) -> Formula:
    """Shrink a regression's slopes by 1 − 1/F, so that what explains nothing says nothing.

    F is the usual statistic, counting one independent observation per horizon: labels overlap and
    symbols move together. Copas (1983, JRSS B 45:311): the shrinkage with which a regression
    predicts best.
    """
    times = len(np.unique(rows.panel.ts))
    independent = max(times / rows.horizon_bars - len(fitted.terms) - 1, 1.0)
    forecast = fitted(rows)
    explained = forecast.var(axis=0) / len(fitted.terms)
    left = np.square(y - forecast).mean(axis=0) / independent
    kept = np.clip(1.0 - left / np.maximum(explained, 1e-300), 0.0, 1.0)
    intercept = y.mean(axis=0) + kept * (fitted.intercept - y.mean(axis=0))
    return replace(fitted, weights=fitted.weights * kept, intercept=intercept)


def logit(rows: Rows, terms: tuple[Term, ...], y: Floats, *, intercept: bool = True) -> Formula:
    """Fit P(y = 1) by logistic regression (Newton's method); the formula gives log-odds [n, 1].

    A ridge worth one pseudo-observation of each unit-variance column keeps separable data finite.
    """
    lower, upper = bounds(rows, terms) if terms else (np.empty(0), np.empty(0))
    x = design(rows, terms, lower, upper)
    centre = x.mean(axis=0) if intercept else np.zeros(x.shape[1])
    scale = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    z = (x - centre) / scale
    if intercept:
        z = np.column_stack([z, np.ones(len(z))])
    beta = _newton(z, y)
    weights = beta[: len(terms)] / scale
    constant = (beta[-1] if intercept else 0.0) - float(centre @ weights)
    return Formula(terms, lower, upper, weights[:, None], np.array([constant]))


def _newton(z: Floats, y: Floats, steps: int = 25) -> Floats:
    beta = np.zeros(z.shape[1])
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-(z @ beta)))
        gradient = z.T @ (p - y) + beta
        hessian = (z * (p * (1.0 - p))[:, None]).T @ z + np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
        if np.abs(step).max() < 1e-10:
            break
    return beta
