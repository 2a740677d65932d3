"""The blend: zero weight is the baseline, and the weight is what the rows support."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_pipeline import losses
from ml_pipeline.calibration import Blend, Curve, fit_blend, proof, shrunk, sigmoid, slopes
from ml_pipeline.export import session
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.rows import Rows
from tests.learning.planted import planted_panel

PANEL = planted_panel(0.0, 9)
N = len(PANEL)


def rows(y: NDArray[np.float64], horizon: int = 5) -> Rows:
    return Rows(PANEL, y.reshape(N, -1), horizon)


def normal(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((N, 1))


@pytest.mark.parametrize("curve", ["logit", "identity", "log_variance"])
def test_slopes_are_the_derivatives_of_the_losses(curve: Curve) -> None:
    margin = np.linspace(-2, 2, 41)
    y = (np.arange(41) % 2).astype(np.float64) if curve == "logit" else np.linspace(1, -3, 41)

    def loss(m: NDArray[np.float64]) -> NDArray[np.float64]:
        if curve == "logit":
            return losses.log_loss(y, sigmoid(m))
        return 0.5 * (y - m) ** 2 if curve == "identity" else losses.qlike(np.exp(y), np.exp(m))

    first, second = slopes(curve, margin, y)
    step = 1e-4
    numeric = (loss(margin + step) - loss(margin - step)) / (2 * step)
    bend = (loss(margin + step) - 2 * loss(margin) + loss(margin - step)) / step**2
    np.testing.assert_allclose(first, numeric, atol=1e-5)
    np.testing.assert_allclose(second, bend, atol=1e-4)


def test_zero_weight_is_the_baseline() -> None:
    base, learnt = normal(0), normal(1)
    blend = Blend(np.zeros(1), np.ones(1), np.ones(1), np.zeros(1))
    np.testing.assert_array_equal(blend(base, learnt), base)


def test_a_learner_that_repeats_the_baseline_brings_no_news() -> None:
    base = normal(0)
    y = (np.random.default_rng(1).random(N) < sigmoid(base[:, 0])).astype(np.float64)
    blend = fit_blend("logit", rows(y), base, 3 + 2 * base, prior=0.5)
    assert blend.slope[0] == pytest.approx(2)
    assert blend.offset[0] == pytest.approx(3)
    np.testing.assert_allclose(blend(base, 3 + 2 * base), base, atol=1e-9)


@pytest.mark.parametrize("curve", ["logit", "identity", "log_variance"])
def test_a_sound_learner_is_believed(curve: Curve) -> None:
    base, news = normal(0), 0.5 * normal(1)
    truth = base + news
    uniform, noise = np.random.default_rng(2).random((N, 1)), normal(3)
    y = {
        "logit": (uniform < sigmoid(truth)).astype(np.float64),
        "identity": truth + 0.5 * noise,
        "log_variance": truth + 0.5 * noise - 0.125,
    }[curve]
    blend = fit_blend(curve, rows(y), base, news, prior=0.5)
    assert blend.weight[0] == pytest.approx(1.0, abs=0.15)
    assert blend.z[0] > 5


def test_a_learner_that_is_wrong_gets_nothing() -> None:
    base, news = np.zeros((N, 1)), normal(1)
    y = (np.random.default_rng(2).random((N, 1)) < sigmoid(-news)).astype(np.float64)
    blend = fit_blend("logit", rows(y), base, news, prior=0.5)
    assert blend.weight[0] == 0
    assert blend.z[0] < -5


def test_a_constant_learner_gets_nothing() -> None:
    blend = fit_blend("identity", rows(normal(0)), np.zeros((N, 1)), np.ones((N, 1)), prior=0.5)
    assert blend.weight[0] == 0


def test_shrinkage_needs_evidence() -> None:
    weights = [shrunk(1.0, z, prior=0.5) for z in (0.5, 1.0, 2.0, 4.0, 40.0)]
    assert weights == sorted(weights)
    assert weights[0] < 0.1
    assert weights[-1] > 0.99
    assert all(shrunk(best, 2.0, prior=0.5) <= 0.5 for best in (0.1, 1.0, 10.0, 1000.0))
    assert shrunk(1.0, -1.0, prior=0.5) == 0


def test_overlapping_labels_count_for_less() -> None:
    direction = np.repeat(np.random.default_rng(5).standard_normal(N // 48 + 1), 48)[:N, None]
    y = (
        0.05 * direction
        + np.repeat(np.random.default_rng(6).standard_normal(N // 48 + 1), 48)[:N, None]
    )
    assert proof("identity", rows(y, horizon=16), direction) < 0.7 * proof(
        "identity", rows(y, horizon=1), direction
    )


def test_the_graph_is_the_blend() -> None:
    blend = Blend(np.array([0.3]), np.array([1.5]), np.array([0.7]), np.zeros(1))
    graph = Graph(("base", "learnt"))
    output = blend.nodes(graph, graph.take(["base"]), graph.take(["learnt"]))
    x = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    answer = session(graph.to_bytes(output, 1)).run(None, {"features": x})[0]
    np.testing.assert_allclose(answer, blend(x[:, :1], x[:, 1:]), atol=1e-6)
