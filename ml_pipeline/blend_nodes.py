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
from models.common.regimes import Regimes

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
    regimes, by_regime
        Where weights depend on the regime: its edges, and the weights by regime and member [9, M],
        each row's sum one.
    """

    kind: str
    method: str
    weights: Floats
    intercept: float | Sequence[float] = 0.0
    logistic: bool = False
    regimes: Regimes | None = None
    by_regime: Floats | None = None

    def __call__(self, raws: Floats, regimes_of: NDArray[np.float32] | None = None) -> Floats:
        """Return the blend [n, K] of members' outputs [M, n, K].

        `regimes_of` [n, 3] holds the columns that tell the regime, where weights depend on it.
        """
        weights = self.weights
        if self.regimes is not None and self.by_regime is not None:
            weights = self.by_regime[self.regimes.of(regimes_of)].T[..., None]
        shift = np.asarray(self.intercept, dtype=np.float64)
        return blend_raw(self.kind, self.method, raws, weights, shift, logistic=self.logistic)


def blend_nodes(graph: Graph, blend: Blend, outputs: Sequence[str]) -> str:
    """Add the blend of the tensors `outputs`, float32 [N, K] each; return its name."""
    doubles = [graph.add("Cast", output, to=TensorProto.DOUBLE) for output in outputs]
    write = _probability if blend.kind in PROBABILITIES else _numbers
    return graph.add("Cast", write(graph, blend, doubles), to=TensorProto.FLOAT)


def _probability(graph: Graph, blend: Blend, outputs: Sequence[str]) -> str:
    c, add, weights = _constants(graph), graph.add, _weights(graph, blend)
    if blend.method == "voting":
        return _weighted(graph, outputs, weights)
    if blend.method == "stacking" and not blend.logistic:
        centred = [add("Sub", p, c(0.5)) for p in outputs]
        level = c(0.5 + np.asarray(blend.intercept))
        return add("Clip", add("Add", _weighted(graph, centred, weights), level), c(0.0), c(1.0))
    odds = _weighted(graph, [_log_odds(graph, p) for p in outputs], weights)
    return add("Sigmoid", _shifted(graph, odds, blend))


def _numbers(graph: Graph, blend: Blend, outputs: Sequence[str]) -> str:
    if blend.kind != "price":
        return _shifted(graph, _weighted(graph, outputs, _weights(graph, blend)), blend)
    mu, sigma = (
        [graph.add("Gather", output, graph.constant([k], np.int64), axis=1) for output in outputs]
        for k in (0, 1)
    )
    logs = [graph.add("Log", one) for one in sigma]
    if blend.regimes is not None:
        weights = parts = _weights(graph, blend)
    else:
        weights = [_constants(graph)(row) for row in blend.weights[:, :1]]
        parts = [_constants(graph)(row) for row in shares(blend.weights[:, -1:])]
    returns = _shifted(graph, _weighted(graph, mu, weights), blend)
    return graph.join([returns, graph.add("Exp", _weighted(graph, logs, parts))])


def _log_odds(graph: Graph, p: str) -> str:
    c, add = _constants(graph), graph.add
    p = add("Clip", p, c(EDGE), c(1 - EDGE))
    return add("Log", add("Div", p, add("Sub", c(1.0), p)))


def _weights(graph: Graph, blend: Blend) -> list[str]:
    """Return each member's weight: a constant, or by the row's regime [N, 1]."""
    if blend.regimes is None or blend.by_regime is None:
        return [_constants(graph)(row) for row in blend.weights]
    one_hot = _regime_nodes(graph, blend.regimes)
    table = graph.add("MatMul", one_hot, _constants(graph)(blend.by_regime))
    places = range(blend.by_regime.shape[1])
    return [graph.add("Gather", table, graph.constant([i], np.int64), axis=1) for i in places]


def _regime_nodes(graph: Graph, regimes: Regimes) -> str:
    """Add `Regimes.of` as a row of noughts and a one, [N, 9]."""
    c, add = _constants(graph), graph.add
    level, spread, bar = (
        add("Cast", graph.take([name]), to=TensorProto.DOUBLE) for name in regimes.columns
    )
    above = [add("Greater", level, c(edge)) for edge in regimes.volatility]
    above += [add("Greater", spread, add("Mul", bar, c(edge))) for edge in regimes.trend]
    low, high, down, up = (add("Cast", one, to=TensorProto.DOUBLE) for one in above)
    part = add("Add", add("Mul", add("Add", low, high), c(3.0)), add("Add", down, up))
    is_it = add("Equal", part, c(np.arange(len(regimes.names))[None]))
    return add("Cast", is_it, to=TensorProto.DOUBLE)


def _weighted(graph: Graph, tensors: Sequence[str], weights: Sequence[str]) -> str:
    parts = [graph.add("Mul", one, share) for one, share in zip(tensors, weights, strict=True)]
    return graph.add("Sum", *parts)


def _shifted(graph: Graph, tensor: str, blend: Blend) -> str:
    if blend.method != "stacking" or not np.any(blend.intercept):
        return tensor
    return graph.add("Add", tensor, _constants(graph)(blend.intercept))


def _constants(graph: Graph) -> Callable[[Any], str]:
    return lambda values: graph.constant(values, np.float64)
