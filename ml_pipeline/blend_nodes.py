"""The blend of members as nodes of a graph: `models.common.blending.blend_raw` in ONNX.

Reckoned in double precision: in float32 a sum of four log variances near −12 would be off by more
than a rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from ml_pipeline.onnx_graph import Graph
from models.common.blending import EDGE, PROBABILITIES, blend_raw, shares

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blend:
    """How members' outputs become one; see `models.common.blending.blend_raw`.

    Attributes
    ----------
    kind, method
        Of the members; how.
    weights
        By member and output [M, K] or [M, 1].
    intercept, logistic
        Of stacking.
    """

    kind: str
    method: str
    weights: Floats
    intercept: float | Sequence[float] = 0.0
    logistic: bool = False

    def __call__(self, raws: Floats) -> Floats:
        """Return the blend [n, K] of members' outputs [M, n, K]."""
        shift = np.asarray(self.intercept, dtype=np.float64)
        return blend_raw(self.kind, self.method, raws, self.weights, shift, logistic=self.logistic)


def blend_nodes(graph: Graph, blend: Blend, outputs: Sequence[str]) -> str:
    """Add the blend of the tensors `outputs`, float32 [N, K] each; return its name."""
    doubles = [graph.add("Cast", output, to=TensorProto.DOUBLE) for output in outputs]
    blended = (
        _probability(graph, blend, doubles)
        if blend.kind in PROBABILITIES
        else (_numbers(graph, blend, doubles))
    )
    return graph.add("Cast", blended, to=TensorProto.FLOAT)


def _probability(graph: Graph, blend: Blend, outputs: Sequence[str]) -> str:
    c, add = _constants(graph), graph.add
    if blend.method == "voting":
        return _weighted(graph, outputs, blend.weights)
    if blend.method == "stacking" and not blend.logistic:
        centred = [add("Sub", p, c(0.5)) for p in outputs]
        level = c(0.5 + np.asarray(blend.intercept))
        return add(
            "Clip", add("Add", _weighted(graph, centred, blend.weights), level), c(0.0), c(1.0)
        )
    odds = _weighted(graph, [_log_odds(graph, p) for p in outputs], blend.weights)
    return add("Sigmoid", _shifted(graph, odds, blend))


def _numbers(graph: Graph, blend: Blend, outputs: Sequence[str]) -> str:
    if blend.kind != "price":
        return _shifted(graph, _weighted(graph, outputs, blend.weights), blend)
    mu, sigma = (
        [graph.add("Gather", output, graph.constant([k], np.int64), axis=1) for output in outputs]
        for k in (0, 1)
    )
    returns = _shifted(graph, _weighted(graph, mu, blend.weights[:, :1]), blend)
    logs = [graph.add("Log", one) for one in sigma]
    share = shares(blend.weights[:, -1:])
    return graph.join([returns, graph.add("Exp", _weighted(graph, logs, share))])


def _log_odds(graph: Graph, p: str) -> str:
    c, add = _constants(graph), graph.add
    p = add("Clip", p, c(EDGE), c(1 - EDGE))
    return add("Log", add("Div", p, add("Sub", c(1.0), p)))


def _weighted(graph: Graph, tensors: Sequence[str], weights: Floats) -> str:
    c = _constants(graph)
    parts = [graph.add("Mul", one, c(row)) for one, row in zip(tensors, weights, strict=True)]
    return graph.add("Sum", *parts)


def _shifted(graph: Graph, tensor: str, blend: Blend) -> str:
    if blend.method != "stacking" or not np.any(blend.intercept):
        return tensor
    return graph.add("Add", tensor, _constants(graph)(blend.intercept))


def _constants(graph: Graph) -> Callable[[Any], str]:
    return lambda values: graph.constant(values, np.float64)
