"""Losses and figures agree with scikit-learn, and survive the edges."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from ml_pipeline import losses


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = np.round(rng.uniform(0.02, 0.98, 2000), 2)  # with ties
    return (rng.random(2000) < p).astype(float), p


def test_losses_equal_sklearn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = rows
    assert losses.log_loss(y, p).mean() == pytest.approx(metrics.log_loss(y, p), rel=1e-12)
    assert losses.brier(y, p).mean() == pytest.approx(metrics.brier_score_loss(y, p), rel=1e-12)
    assert losses.squared(y, p).mean() == pytest.approx(metrics.mean_squared_error(y, p))


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_figures_equal_sklearn(rows: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    y, p = rows
    said = p > threshold
    sided = p != threshold
    accuracy = losses.accuracy(y[sided], p[sided], threshold)
    assert accuracy == pytest.approx(metrics.accuracy_score(y[sided], said[sided]), rel=1e-12)
    pairs = [
        (losses.precision, metrics.precision_score),
        (losses.recall, metrics.recall_score),
        (losses.f1, metrics.f1_score),
    ]
    for ours, theirs in pairs:
        assert ours(y, p, threshold) == pytest.approx(theirs(y, said), rel=1e-12)
    assert losses.auc(y, p) == pytest.approx(metrics.roc_auc_score(y, p), rel=1e-12)
    assert losses.r2_oos(y, p, y.mean()) == pytest.approx(metrics.r2_score(y, p), rel=1e-12)


def test_a_forecast_that_takes_no_side_is_right_half_the_time() -> None:
    falling = [0, 0, 0, 1]
    assert losses.accuracy(falling, [0.5] * 4) == 0.5
    assert losses.accuracy(falling, [0.0] * 4, threshold=0.0) == 0.5
    assert losses.accuracy(falling, [0.4, 0.5, 0.6, 0.6]) == 2.5 / 4


def test_a_coin_costs_ln_two_and_certainty_is_bounded() -> None:
    np.testing.assert_allclose(losses.log_loss([0, 1], [0.5, 0.5]), np.log(2))
    worst = losses.log_loss([0, 1, 1], [1.0, 0.0, 1.0])
    assert worst[0] == pytest.approx(13.8, abs=0.1)
    assert worst[1] == pytest.approx(13.8, abs=0.1)
    assert 0 < worst[2] < 1e-5


def test_qlike_is_least_at_the_truth_and_finite_on_a_dead_market() -> None:
    f = np.geomspace(1e-8, 1e-4, 201)
    cost = losses.qlike(np.full(201, 1e-6), f)
    assert f[np.argmin(cost)] == pytest.approx(1e-6)
    assert cost.min() == pytest.approx(0, abs=1e-12)
    assert losses.qlike([1e-6], [2e-6])[0] == pytest.approx(0.5 - np.log(0.5) - 1)
    assert np.isfinite(losses.qlike([0.0, 0.0, 1e-4], [0.0, 1e-6, 0.0])).all()


def test_an_unknown_label_has_an_unknown_loss() -> None:
    for loss in (losses.log_loss, losses.brier, losses.squared, losses.qlike):
        cost = loss([np.nan, 0.5], [0.5, 0.5])
        assert np.isnan(cost[0])
        assert not np.isnan(cost[1])


def test_auc_of_ties_and_of_one_class() -> None:
    assert losses.auc([0, 1, 0, 1], [0.3, 0.3, 0.3, 0.3]) == 0.5
    assert np.isnan(losses.auc([1, 1], [0.1, 0.2]))


def test_calibration_error_sees_a_shift_and_forgives_honesty() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0.3, 0.7, 50_000)
    y = (rng.random(50_000) < p).astype(float)
    assert losses.ece(y, p) < 0.01
    assert losses.ece(y, p + 0.1) == pytest.approx(0.1, abs=0.01)
    assert losses.ece([1.0], [0.4]) == pytest.approx(0.6)


def test_calibration_error_does_not_ask_a_coin_which_rows_will_rise() -> None:
    y = np.repeat([1.0, 0.0], 30)  # sorted by the label: any split of equal forecasts shows it
    assert losses.ece(y, np.full(60, 0.5)) == pytest.approx(0.0)
    three = np.repeat([0.2, 0.5, 0.8], 20)
    hits = np.concatenate([np.repeat([1.0, 0.0], [k, 20 - k]) for k in (4, 10, 16)])
    assert losses.ece(hits, three) == pytest.approx(0.0)


def test_coverage_counts_the_edges_in() -> None:
    assert losses.coverage([1, 2, 3, 4], [1, 1, 1, 1], [2, 2, 2, 2]) == 0.5


def test_nothing_to_count_is_not_a_number() -> None:
    for figure in (losses.accuracy, losses.ece, losses.auc):
        assert np.isnan(figure([], []))
    assert np.isnan(losses.coverage([], [], []))
    assert np.isnan(losses.r2_oos([0.0, 0.0], [0.1, 0.1]))
    assert losses.precision([1, 1], [0.1, 0.1]) == losses.f1([1, 1], [0.1, 0.1]) == 0.0
    assert losses.recall([0, 0], [0.9, 0.1]) == 0.0
