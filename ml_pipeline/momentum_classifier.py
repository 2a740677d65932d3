"""Momentum: will the move of the last 12 bars go on? Kernel SVM (Nyström map and linear SVC)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_approximation import Nystroem
from sklearn.svm import LinearSVC

from ml_pipeline.calibration import sigmoid
from ml_pipeline.lesson import Lesson
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.predictor import Predictor
from ml_pipeline.scaling import Scaler

_DOUBLE = 11


@dataclass(frozen=True)
class KernelMargin:
    """``k(x, centres) @ weights + intercept`` with k(x, c) = exp(−γ·|x − c|²).

    The Nyström map's whitening is linear, so it is folded into the SVM's weights. The weights
    are large and of both signs; the sum is therefore taken in double precision.
    """

    scaler: Scaler
    kernel_map: Nystroem
    svm: LinearSVC
    gamma: float

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each centre [m, 1]."""
        return np.asarray(self.kernel_map.normalization_.T @ self.svm.coef_.T, dtype=np.float64)

    @property
    def importance(self) -> NDArray[np.float64]:
        """Spread of the margin's gradient over the centres, by column."""
        centres = np.asarray(self.kernel_map.components_, dtype=np.float64)
        squares = np.square(centres).sum(axis=1)
        distance = np.maximum(squares[:, None] + squares - 2 * centres @ centres.T, 0.0)
        pull = np.exp(-self.gamma * distance) * self.weights[:, 0]
        gradient = 2 * self.gamma * (pull @ centres - pull.sum(axis=1)[:, None] * centres)
        return np.asarray(np.abs(gradient).mean(axis=0) * (self.scaler.inverse > 0))

    def __call__(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the SVM's margin [n, 1] as scikit-learn computes it."""
        features = self.kernel_map.transform(self.scaler(X).astype(np.float64))
        return np.asarray(self.svm.decision_function(features)).reshape(-1, 1)

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        """Add |x − c|² = |x|² − 2x·c + |c|², the kernel and the weighted sum."""
        centres = np.asarray(self.kernel_map.components_, dtype=np.float64)
        scaled = self.scaler.nodes(graph, names)
        x = graph.add("Cast", scaled, to=_DOUBLE)
        own = graph.add("ReduceSumSquare", x, axes=[1], keepdims=1)
        # The large product in single precision: columns are clipped, so that it is off by 1e-7 of
        # the exponent, and the centres take half the room and time.
        products = graph.add("MatMul", scaled, graph.constant(-2.0 * centres.T))
        cross = graph.add("Cast", products, to=_DOUBLE)
        theirs = graph.constant(np.square(centres).sum(axis=1), np.float64)
        distance = graph.add("Add", graph.add("Add", own, cross), theirs)
        exponent = graph.add("Mul", distance, graph.constant(-self.gamma, np.float64))
        kernel = graph.add("Exp", exponent)
        total = graph.add("MatMul", kernel, graph.constant(self.weights, np.float64))
        shifted = graph.add("Add", total, graph.constant(self.svm.intercept_, np.float64))
        return graph.add("Cast", shifted, to=1)


def fit_svm(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> KernelMargin:
    """Fit a linear SVM on `n_components` kernel features of every `row_step`-th bar.

    Rows weigh |y − p|, p the baseline's probability: under these weights both classes are alike
    wherever the baseline is right, so the SVM learns what is left over and not the label's algebra.
    """
    part = lesson.every(int(hyperparams["row_step"]))
    scaler = Scaler.fit(part.X)
    gamma = float(hyperparams["gamma"]) / part.X.shape[1]
    components = min(int(hyperparams["n_components"]), len(part))
    kernel_map = Nystroem(gamma=gamma, n_components=components, random_state=seed, n_jobs=1)
    features = kernel_map.fit_transform(scaler(part.X).astype(np.float64))
    svm = LinearSVC(C=float(hyperparams["C"]), tol=float(hyperparams["tol"]), random_state=seed)
    left_over = np.abs(part.y[:, 0] - sigmoid(part.base[:, 0]))
    svm.fit(features, part.y[:, 0] > 0.5, sample_weight=left_over / left_over.mean())
    return KernelMargin(scaler, kernel_map, svm, gamma)


class MomentumClassifier(Predictor):
    """Tell whether the momentum of the last 12 bars is accelerating or decelerating.

    Examples
    --------
    >>> classifier = MomentumClassifier()  # doctest: +SKIP
    >>> classifier.train(symbols=["BTC-USDT"], lookback_bars=4000)  # doctest: +SKIP
    >>> classifier.predict(symbol="BTC-USDT")  # doctest: +SKIP
    {'state': 'decelerating', 'confidence': 0.74, 'probability': 0.26}
    """

    kind = "momentum"
