"""Read fitted tree ensembles of three libraries into one table, and write that as one ONNX node.

Doing this by hand instead of through three converters gives the raw margin as a single output,
needs no renaming of features, and rounds thresholds so that float32 decides as the library did.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import INPUT, Graph


@dataclass(frozen=True)
class Tree:
    """One binary tree as arrays; node 0 is the root and ``left < 0`` marks a leaf.

    Attributes
    ----------
    feature
        Column tested at each node.
    threshold
        float32; the left branch is taken when x < threshold (`strict`) or x ≤ threshold.
    left, right
        Children's node numbers.
    value
        What a leaf adds to the sum.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    strict: bool


def round_down(thresholds: Any) -> NDArray[np.float32]:
    """Round to the largest float32 that is not above: for float32 x, x ≤ t stays as it was."""
    exact = np.asarray(thresholds, dtype=np.float64)
    near = exact.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf), dtype=np.float32)
    return np.where(near.astype(np.float64) > exact, below, near).astype(np.float32)


def from_xgboost(booster: Any) -> list[Tree]:
    """Return the trees of an XGBoost booster (their sum is its margin when base_score is ½)."""
    model = json.loads(bytes(booster.save_raw("json")))
    trees = []
    for raw in model["learner"]["gradient_booster"]["model"]["trees"]:
        split = np.asarray(raw["split_conditions"], dtype=np.float64)
        trees.append(
            Tree(
                feature=np.asarray(raw["split_indices"], dtype=np.int64),
                threshold=split.astype(np.float32),
                left=np.asarray(raw["left_children"], dtype=np.int64),
                right=np.asarray(raw["right_children"], dtype=np.int64),
                value=split,
                strict=True,
            )
        )
    return trees


def from_forest(forest: Any) -> list[Tree]:
    """Return the trees of a scikit-learn binary forest; their sum is P(class 1)."""
    trees = []
    for estimator in forest.estimators_:
        tree = estimator.tree_
        counts = tree.value[:, 0, :]
        trees.append(
            Tree(
                feature=np.maximum(tree.feature, 0).astype(np.int64),
                threshold=round_down(tree.threshold),
                left=tree.children_left.astype(np.int64),
                right=tree.children_right.astype(np.int64),
                value=counts[:, 1] / counts.sum(axis=1) / len(forest.estimators_),
                strict=False,
            )
        )
    return trees


def from_lightgbm(booster: Any) -> list[Tree]:
    """Return the trees of a LightGBM booster; their sum is its raw score."""
    return [_from_nested(info["tree_structure"]) for info in booster.dump_model()["tree_info"]]


def _from_nested(root: Mapping[str, Any]) -> Tree:
    nodes = list(_walk(root))
    number = {id(node): i for i, node in enumerate(nodes)}

    def child(node: Mapping[str, Any], side: str) -> int:
        return number[id(node[side])] if side in node else -1

    return Tree(
        feature=np.array([node.get("split_feature", 0) for node in nodes], dtype=np.int64),
        threshold=round_down([node.get("threshold", 0.0) for node in nodes]),
        left=np.array([child(node, "left_child") for node in nodes], dtype=np.int64),
        right=np.array([child(node, "right_child") for node in nodes], dtype=np.int64),
        value=np.array([node.get("leaf_value", 0.0) for node in nodes], dtype=np.float64),
        strict=False,
    )


def _walk(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for side in ("left_child", "right_child"):
        if side in node:
            yield from _walk(node[side])


def tree_nodes(graph: Graph, trees: Sequence[Tree], names: Sequence[str]) -> str:
    """Add the sum of `trees`, fitted on columns `names`, as a tensor [N, 1].

    Columns are looked up in the graph's own input, so no copy of them is made at run time.
    """
    places = np.asarray(graph.index(names), dtype=np.int64)
    sizes = [len(tree.left) for tree in trees]
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    leaf = np.concatenate([tree.left < 0 for tree in trees])
    test = "BRANCH_LT" if trees[0].strict else "BRANCH_LEQ"

    def joined(field: str) -> NDArray[Any]:
        return np.concatenate([getattr(tree, field) for tree in trees])

    return graph.add(
        "TreeEnsembleRegressor",
        INPUT,
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_featureids=np.where(leaf, 0, places[joined("feature")]).tolist(),
        nodes_values=np.where(leaf, 0, joined("threshold")).astype(np.float32).tolist(),
        nodes_modes=np.where(leaf, "LEAF", test).tolist(),
        nodes_truenodeids=np.where(leaf, 0, joined("left")).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, joined("right")).tolist(),
        nodes_missing_value_tracks_true=[0] * len(leaf),
        target_treeids=tree_ids[leaf].tolist(),
        target_nodeids=node_ids[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights=joined("value")[leaf].astype(np.float32).tolist(),
    )


@dataclass(frozen=True)
class TreeMargin:
    """A fitted tree ensemble for each output.

    Attributes
    ----------
    predict
        The library's own raw prediction, ``X -> [n, K]``.
    ensembles
        The trees of each of the K outputs.
    importance
        Total gain (or impurity) by column [F].
    """

    predict: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    ensembles: tuple[list[Tree], ...]
    importance: NDArray[np.float64]

    def __call__(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the margin [n, K]."""
        return self.predict(X)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add the ensembles, side by side."""
        return graph.join([tree_nodes(graph, trees, names) for trees in self.ensembles])
