"""One step of a forecaster as one ONNX graph: scales, trees, shrinkage, the first candle.

It answers a row of features as any model's graph does, without a rollout: [μ, σ], or the logs of
open, high, low and close by the last close, and σ.
"""

from __future__ import annotations

from collections.abc import Mapping

import lightgbm as lgb
import numpy as np

from ml_pipeline.onnx_graph import Graph
from ml_pipeline.trees import from_lightgbm, tree_nodes
from models.forecasters.cone import CONTEXT, LEAST_SCALE, LOOKS, Floats
from models.forecasters.forecaster import Forecaster

_TINY = 1e-12


def graph_columns(forecaster: Forecaster) -> tuple[str, ...]:
    """Return the columns that the graph reads: the trees', then what else scales read."""
    return tuple(dict.fromkeys([*forecaster.columns, *CONTEXT]))


def to_onnx(forecaster: Forecaster, boosters: Mapping[str, lgb.Booster]) -> bytes:
    """Return the graph's bytes; equal forecasters give equal bytes."""
    return _Writer(forecaster).bytes(boosters)


class _Writer:
    def __init__(self, forecaster: Forecaster) -> None:
        self.one, self.graph = forecaster, Graph(graph_columns(forecaster))
        self.logs = self._logs()

    def bytes(self, boosters: Mapping[str, lgb.Booster]) -> bytes:
        graph, one = self.graph, self.one
        unit = graph.add("Exp", self.logs[2])  # of the last 60 bars, as `unit_of` has it
        sums = {
            name: graph.add("Mul", tree_nodes(graph, from_lightgbm(booster), one.columns), unit)
            for name, booster in boosters.items()
        }
        sigma = graph.add("Exp", self._weighted(one.cone.scale[0]))
        if "return" in sums:
            outputs = [self._believed(sums["return"]), sigma]
        else:
            outputs = [*self._candle(sums), sigma]
        return graph.to_bytes(graph.join(outputs), len(outputs))

    def _logs(self) -> list[str]:
        """Add what `log_scales` returns behind its ones, each [N, 1]."""
        graph, floor = self.graph, float(np.log(LEAST_SCALE))
        found = [graph.add("Log", self._most(graph.take([CONTEXT[0]]), LEAST_SCALE))]
        for name, bars in LOOKS.items():
            shifted = graph.add("Add", graph.take([name]), graph.constant(-float(np.log(bars))))
            found.append(self._most(graph.add("Mul", shifted, graph.constant(0.5)), floor))
        return [*found, *(graph.take([name]) for name in CONTEXT[4:])]

    def _weighted(self, weights: Floats) -> str:
        graph = self.graph
        column = graph.constant(weights[1:].reshape(-1, 1))
        product = graph.add("MatMul", graph.join(self.logs), column)
        return graph.add("Add", product, graph.constant(float(weights[0])))

    def _most(self, tensor: str, least: float) -> str:
        return self.graph.add("Max", tensor, self.graph.constant(least))

    def _believed(self, tensor: str) -> str:
        return self.graph.add("Mul", tensor, self.graph.constant(float(self.one.cone.shrink[0])))

    def _candle(self, sums: Mapping[str, str]) -> list[str]:
        """Add logs of open, high, low and close; the same as `models.forecasters.answer` does."""
        add, constant = self.graph.add, self.graph.constant
        wick = constant(self.one.wick)
        up, down = (add("Mul", self._most(sums[s], 0.0), wick) for s in ("high", "low"))
        opened = self._believed(sums["open"])
        close = self._believed(add("Add", sums["open"], sums["close"]))
        both = add("Add", up, down)
        rolled = add("Add", add("Abs", sums["close"]), both)
        free = self._most(
            add("Sub", self._range(rolled), add("Abs", add("Sub", close, opened))), 0.0
        )
        share = add("Div", add("Add", up, constant(_TINY)), add("Add", both, constant(2 * _TINY)))
        above = add("Mul", free, share)
        high = add("Add", add("Max", opened, close), above)
        low = add("Sub", add("Min", opened, close), add("Sub", free, above))
        return [opened, high, low, close]

    def _range(self, rolled: str) -> str:
        add, constant, cone = self.graph.add, self.graph.constant, self.one.cone
        assert cone.range_scale is not None
        assert cone.range_weight is not None
        assert cone.range_factor is not None
        weight, factor = float(cone.range_weight[0]), float(cone.range_factor[0])
        expected = add("Exp", self._weighted(cone.range_scale[0]))
        return add(
            "Add",
            add("Mul", expected, constant(1 - weight)),
            add("Mul", rolled, constant(weight * factor)),
        )
