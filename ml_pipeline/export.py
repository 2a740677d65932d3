"""One ONNX graph per model: baseline, learner and calibration inside, checked against the fit."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ml_pipeline.baselines import Baseline
from ml_pipeline.calibration import Blend, sigmoid
from ml_pipeline.errors import ParityError
from ml_pipeline.lesson import Margin, Scaled
from ml_pipeline.novelty import Novelty
from ml_pipeline.onnx_graph import INPUT, NOVELTY, OUTPUT, Graph
from ml_pipeline.panel import Panel
from ml_pipeline.rows import Rows
from ml_pipeline.tasks import Task

Floats = NDArray[np.float64]

TOLERANCE = {
    "direction": 1e-5,
    "risk": 1e-5,
    "price": 1e-6,
    "momentum": 1e-5,
    "volatility": 1e-4,
}
"""Largest difference between graph and fit: probabilities, log returns, ln RV² (relative in f²)."""


NOVELTY_TOLERANCE = 1e-3
"""Largest difference of the novelty between graph and fit, in units of the limit."""


@dataclass(frozen=True)
class Composed:
    """A whole model before export: baseline, and, where something was learnt, learner and blend.

    Attributes
    ----------
    task
        The kind.
    columns
        Columns of the model's input, in order.
    baseline
        The fitted baseline.
    learner, blend
        The fitted learner and how far it is believed; both None for the baseline itself.
    learnt
        Columns the learner was fitted on.
    scale_blend
        How far a learnt scale is believed; None where none was learnt.
    novelty
        How far rows lie from the training rows; None before it is fitted.
    """

    task: Task
    columns: tuple[str, ...]
    baseline: Baseline
    learner: Margin | None = None
    blend: Blend | None = None
    learnt: tuple[str, ...] = ()
    scale_blend: Blend | None = None
    novelty: Novelty | None = None

    def learner_margin(self, rows: Rows) -> Floats:
        """Return the learner's own margin [n, K], in the baseline's unit; noughts if none."""
        if self.learner is None:
            return np.zeros((len(rows), self.task.width))
        return self.learner(rows.matrix(self.learnt)) * self.baseline.sigma(rows)

    def margin(self, rows: Rows) -> Floats:
        """Return the margin [n, K] by the fitted objects themselves, in float64."""
        base = self.baseline.margin(rows)
        return base if self.blend is None else self.blend(base, self.learner_margin(rows))

    def sigma(self, rows: Rows) -> Floats:
        """Return σ of the return over the horizon, [n, 1]: the baseline's, times what was learnt.

        Ones for kinds without returns.
        """
        if self._log_scale is None or self.baseline.log_variance is None:
            return self.baseline.sigma(rows)
        blend, log_scale = self._log_scale
        base = self.baseline.log_variance(rows)
        return np.exp(blend(base, base + 2 * log_scale(rows.matrix(self.learnt))) / 2)

    @property
    def _log_scale(self) -> tuple[Blend, Margin] | None:
        """The learnt scale and its blend, where it has any weight."""
        if self.scale_blend is None or not isinstance(self.learner, Scaled):
            return None
        believed = bool(self.scale_blend.weight.any())
        return (self.scale_blend, self.learner.log_scale) if believed else None

    def raw(self, rows: Rows) -> Floats:
        """Return the model's output [n, K'] by the fitted objects: what the graph must equal."""
        margin = self.margin(rows)
        if self.task.curve == "logit":
            return sigmoid(margin)
        if self.baseline.log_variance is not None:
            return np.column_stack([margin, self.sigma(rows)])
        return margin

    def to_onnx(self) -> bytes:
        """Return the graph's bytes; equal models give equal bytes."""
        graph = Graph(self.columns)
        margin = self.baseline.margin.nodes(graph)
        sigma, width = None, None
        if self.baseline.log_variance is not None:
            log_variance = self.baseline.log_variance.nodes(graph)
            sigma = _deviation(graph, log_variance)
            width = self._scaled_nodes(graph, log_variance) or sigma
        if self.learner is not None and self.blend is not None:
            learnt = self.learner.nodes(graph, self.learnt)
            learnt = learnt if sigma is None else graph.add("Mul", learnt, sigma)
            margin = self.blend.nodes(graph, margin, learnt)
        if self.task.curve == "logit":
            margin = graph.add("Sigmoid", margin)
        outputs = [margin] if width is None else [margin, width]
        novelty = None if self.novelty is None else self.novelty.nodes(graph)
        columns = self.task.width + (width is not None)
        return graph.to_bytes(graph.join(outputs), columns, novelty)

    def _scaled_nodes(self, graph: Graph, log_variance: str) -> str | None:
        """Add the σ that was learnt; None where there is none."""
        if self._log_scale is None:
            return None
        blend, log_scale = self._log_scale
        twice = graph.add("Mul", log_scale.nodes(graph, self.learnt), graph.constant(2.0))
        learnt = graph.add("Add", log_variance, twice)
        return _deviation(graph, blend.nodes(graph, log_variance, learnt))


def _deviation(graph: Graph, log_variance: str) -> str:
    return graph.add("Exp", graph.add("Mul", log_variance, graph.constant(0.5)))


def session(onnx_bytes: bytes) -> ort.InferenceSession:
    """Open a graph on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])


def score(onnx_bytes: bytes, panel: Panel) -> Floats:
    """Return the model's output on every row of `panel`, float64 [n, K].

    The columns to feed are read from the graph's own metadata.
    """
    return _answers(session(onnx_bytes), panel, [OUTPUT])[0]


def score_and_novelty(onnx_bytes: bytes, panel: Panel) -> tuple[Floats, Floats | None]:
    """Return what `score` does, and the rows' novelty [n]; None where the graph has none."""
    opened = session(onnx_bytes)
    if NOVELTY not in {port.name for port in opened.get_outputs()}:
        return _answers(opened, panel, [OUTPUT])[0], None
    raw, novelty = _answers(opened, panel, [OUTPUT, NOVELTY])
    return raw, novelty[:, 0]


def _answers(opened: ort.InferenceSession, panel: Panel, outputs: list[str]) -> list[Floats]:
    columns = tuple(json.loads(opened.get_modelmeta().custom_metadata_map["columns"]))
    x = np.ascontiguousarray(panel.columns(columns), dtype=np.float32)
    return [np.asarray(answer, dtype=np.float64) for answer in opened.run(outputs, {INPUT: x})]


def novelty_of(onnx_bytes: bytes, X: NDArray[np.float32]) -> Floats:
    """Return the novelty [n] of the rows `X` [n, F] by a graph that has one."""
    answer = session(onnx_bytes).run([NOVELTY], {INPUT: np.ascontiguousarray(X)})
    return np.asarray(answer[0][:, 0], dtype=np.float64)


def verified_parity(model: Composed, onnx_bytes: bytes, rows: Rows) -> float:
    """Return the largest difference between graph and fitted model on `rows`.

    Raises
    ------
    ParityError
        If it is above the kind's `TOLERANCE`: the model must not leave the house.
    """
    difference = float(np.abs(score(onnx_bytes, rows.panel) - model.raw(rows)).max())
    limit = TOLERANCE[model.task.kind]
    if not difference <= limit:
        raise ParityError(
            f"the exported {model.task.kind} model differs from the fitted one by "
            f"{difference:.3g} (limit {limit:g}) on {len(rows)} rows; it was not exported"
        )
    if model.novelty is not None:
        _check_novelty(model, model.novelty, onnx_bytes, rows)
    return difference


def _check_novelty(model: Composed, novelty: Novelty, onnx_bytes: bytes, rows: Rows) -> None:
    X = rows.matrix(model.columns)
    fitted, exported = novelty(X), novelty_of(onnx_bytes, X)
    difference = float((np.abs(exported - fitted) / np.maximum(fitted, 1.0)).max())
    if not difference <= NOVELTY_TOLERANCE:
        raise ParityError(
            f"the novelty of the exported {model.task.kind} model differs from the fitted one by "
            f"{difference:.3g} (limit {NOVELTY_TOLERANCE:g}) on {len(rows)} rows; "
            "it was not exported"
        )
