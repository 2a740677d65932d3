"""Tree ensembles of three libraries: the one ONNX node answers as the library does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from ml_pipeline.export import session
from ml_pipeline.onnx_graph import INPUT, Graph
from ml_pipeline.trees import (
    Tree,
    from_forest,
    from_lightgbm,
    from_xgboost,
    round_down,
    tree_nodes,
)

NAMES = ("a", "b", "c", "d")
COLUMNS = ("unused", "d", "c", "b", "a")  # the graph's own order is another one
Ensemble = tuple[list[Tree], Callable[[NDArray[np.float32]], NDArray[np.float64]]]


def data(n: int = 3000) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, len(NAMES))).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + 0.3 * x[:, 2] + rng.standard_normal(n) > 0).astype(np.float64)
    return x, y


def xgboost() -> Ensemble:
    x, y = data()
    model = xgb.XGBClassifier(n_estimators=40, max_depth=4, base_score=0.5, n_jobs=1).fit(x, y)
    booster = model.get_booster()
    return from_xgboost(booster), lambda z: booster.inplace_predict(z, predict_type="margin")


def forest() -> Ensemble:
    x, y = data()
    model = RandomForestClassifier(40, min_samples_leaf=3, n_jobs=1, random_state=0).fit(x, y)
    return from_forest(model), lambda z: model.predict_proba(z)[:, 1]


def lightgbm() -> Ensemble:
    x, y = data()
    params = {"verbosity": -1, "num_threads": 1, "max_depth": 4}
    booster = lgb.train(params, lgb.Dataset(x, label=y), 40)
    return from_lightgbm(booster), lambda z: booster.predict(z)


LIBRARIES = {"xgboost": xgboost, "forest": forest, "lightgbm": lightgbm}


def run(trees: list[Tree], x: NDArray[np.float32]) -> NDArray[np.float64]:
    graph = Graph(COLUMNS)
    onnx = graph.to_bytes(tree_nodes(graph, trees, NAMES), 1)
    order = [NAMES.index(name) if name in NAMES else 0 for name in COLUMNS]
    return np.asarray(session(onnx).run(None, {INPUT: x[:, order]})[0][:, 0], dtype=np.float64)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_node_answers_as_the_library(library: str) -> None:
    trees, predict = LIBRARIES[library]()
    x, _ = data()
    np.testing.assert_allclose(run(trees, x), predict(x), rtol=0, atol=2e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_rows_on_a_threshold_go_the_same_way(library: str) -> None:
    trees, predict = LIBRARIES[library]()
    splits = [(int(f), t) for tree in trees for f, t in _splits(tree)]
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3 * len(splits), len(NAMES))).astype(np.float32)
    for i, (feature, threshold) in enumerate(splits):
        x[3 * i : 3 * i + 3, feature] = (
            threshold,
            np.nextafter(threshold, np.float32(9)),
            np.nextafter(threshold, np.float32(-9)),
        )
    np.testing.assert_allclose(run(trees, x), predict(x), rtol=0, atol=2e-6)


def test_a_tree_without_a_split_is_a_constant() -> None:
    x, _ = data(50)
    params = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1000}
    booster = lgb.train(params, lgb.Dataset(x, label=np.arange(50.0)), 3)
    np.testing.assert_allclose(run(from_lightgbm(booster), x), booster.predict(x), atol=1e-5)


def test_thresholds_are_rounded_down() -> None:
    exact = np.array([0.1, -0.1, 1.0, 1e-30, 123456.789])
    rounded = round_down(exact)
    assert rounded.dtype == np.float32
    assert (rounded.astype(np.float64) <= exact).all()
    assert (np.nextafter(rounded, np.float32(np.inf)).astype(np.float64) > exact).all()


def _splits(tree: Tree) -> list[tuple[Any, Any]]:
    inner = tree.left >= 0
    return list(zip(tree.feature[inner], tree.threshold[inner], strict=True))
