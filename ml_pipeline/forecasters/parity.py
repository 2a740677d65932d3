"""Parity: a booster, its trees as they are read from text, and its graph answer alike."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ml_pipeline.errors import ParityError
from ml_pipeline.export import session
from ml_pipeline.onnx_graph import INPUT, OUTPUT, Graph
from ml_pipeline.trees import from_lightgbm, tree_nodes
from models.forecasters.forecaster import Forecaster

TREES = 1e-9
"""Largest difference of trees read from text, in units of σ a bar."""
GRAPH = 1e-4
"""Largest difference of a graph, whose sums are float32, in the same units."""
_ROWS = 200


def check_trees(one: Forecaster, boosters: Sequence[lgb.Booster]) -> None:
    """Refuse trees that were read otherwise than they answer.

    Raises
    ------
    ParityError
        They differ by more than `TREES` on drawn rows.
    """
    X = _rows(len(one.columns))
    told = one.rollout.forest(X)
    for k, booster in enumerate(boosters):
        difference = float(np.abs(told[:, k] - booster.predict(X, num_threads=1)).max())
        if not difference <= TREES:
            raise ParityError(f"trees read from text differ by {difference:.3g} from LightGBM")


def graph_of(booster: lgb.Booster, columns: Sequence[str]) -> bytes:
    """Return a booster as an ONNX graph, checked against it; its answers are in units of σ.

    Raises
    ------
    ParityError
        They differ by more than `GRAPH` on drawn rows.
    """
    names = tuple(columns)
    graph = Graph(names)
    written = graph.to_bytes(tree_nodes(graph, from_lightgbm(booster), names), 1)
    X = _rows(len(names))
    answers = session(written).run([OUTPUT], {INPUT: X})[0][:, 0]
    difference = float(np.abs(answers - booster.predict(X, num_threads=1)).max())
    if not difference <= GRAPH:
        raise ParityError(f"the graph differs from the booster by {difference:.3g} σ")
    return written


def _rows(columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((_ROWS, columns)).astype(np.float32)
