"""Risk: how likely is an unusually far move within the hour? Random forest (scikit-learn)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from ml_pipeline.lesson import Lesson
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.predictor import Predictor
from ml_pipeline.trees import Tree, from_forest, tree_nodes

# A forest of finitely many leaves says 0 or 1 without meaning it.
_EDGE = 0.005


@dataclass(frozen=True)
class ForestMargin:
    """Log-odds of a forest's mean leaf frequency, kept off 0 and 1."""

    forest: RandomForestClassifier
    trees: list[Tree]

    @property
    def importance(self) -> NDArray[np.float64]:
        """Mean decrease of impurity by column."""
        return np.asarray(self.forest.feature_importances_, dtype=np.float64)

    def __call__(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return log-odds [n, 1]."""
        p = np.clip(self.forest.predict_proba(X)[:, 1:], _EDGE, 1 - _EDGE)
        return np.asarray(np.log(p / (1 - p)), dtype=np.float64)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add trees and log-odds."""
        p = tree_nodes(graph, self.trees, names)
        p = graph.add("Clip", p, graph.constant(_EDGE), graph.constant(1 - _EDGE))
        return graph.add("Log", graph.add("Div", p, graph.add("Sub", graph.constant(1.0), p)))


def fit_forest(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> ForestMargin:
    """Grow a forest on the risk event; large leaves and small samples, because rows overlap."""
    forest = RandomForestClassifier(n_jobs=1, random_state=seed, **hyperparams)
    forest.fit(lesson.X, lesson.y[:, 0] > 0.5)
    return ForestMargin(forest, from_forest(forest))


class RiskScorer(Predictor):
    """Score the risk of the next hour, 0 (calmest of the training weeks) to 100 (wildest).

    Examples
    --------
    >>> scorer = RiskScorer()  # doctest: +SKIP
    >>> scorer.train(symbols=["BTC-USDT"], lookback_bars=4000)  # doctest: +SKIP
    >>> scorer.predict(symbol="BTC-USDT") < 60  # doctest: +SKIP
    True
    """

    kind = "risk"
