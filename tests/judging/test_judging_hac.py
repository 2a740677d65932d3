"""The corrected HAC: its pieces against their textbook definitions, its edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ml_pipeline.errors import JudgingError, TooFewOutcomes
from ml_pipeline.hac import MeanEstimate, hac_mean, hac_z, long_run_variance, student_match


def textbook_variance(d: np.ndarray, lag: int) -> float:
    """Newey & West (1987), weight by weight."""
    u = d - d.mean()
    gamma = [u[j:] @ u[: len(u) - j] / len(u) for j in range(lag + 1)]
    return gamma[0] + 2 * sum((1 - j / (lag + 1)) * gamma[j] for j in range(1, lag + 1))


@pytest.mark.parametrize("lag", [0, 1, 7, 60, 199])
def test_the_variance_is_newey_and_wests(lag: int) -> None:
    d = np.cumsum(np.random.default_rng(0).normal(3, 1, 200)) / 10
    assert long_run_variance(d, lag) == pytest.approx(textbook_variance(d, lag), rel=1e-10)


@pytest.mark.parametrize(("b", "table"), [(0.05, 1.754), (0.1, 1.866), (0.2, 2.092), (0.3, 2.320)])
def test_critical_values_are_near_those_of_kiefer_and_vogelsang(b: float, table: float) -> None:
    # Their Table 1 for Bartlett weights: 1.6449 + 2.1859 b + .3142 b² - .3427 b³.
    assert table == pytest.approx(1.6449 + 2.1859 * b + 0.3142 * b**2 - 0.3427 * b**3, abs=2e-3)
    kept, dof = student_match(b, 0.0)
    assert stats.t.isf(0.05, dof) / np.sqrt(kept) == pytest.approx(table, rel=0.025)


def test_the_matched_moments_are_those_of_the_quadratic_form() -> None:
    n, lag = 600, 99
    weights = np.maximum(1 - np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / (lag + 1), 0)
    centre = np.eye(n) - 1 / n
    form = centre @ weights @ centre / n
    mean, variance = np.trace(form), 2 * np.sum(form * form.T)
    kept, dof = student_match((lag + 1) / n, 0.0)
    assert kept == pytest.approx(mean, rel=0.01)
    assert dof == pytest.approx(2 * mean**2 / variance, rel=0.03)


def test_the_loss_to_the_weights_is_that_of_a_triangle() -> None:
    h, lag = 60, 120
    j = np.arange(1, h)
    triangle = 1 - j / h
    seen = 1 + 2 * np.sum(triangle * (1 - j / (lag + 1)))
    assert seen / h == pytest.approx(1 - h / (3 * (lag + 1)), rel=0.002)


def test_z_reads_students_t_as_a_normal() -> None:
    estimate = MeanEstimate(mean=2.0, se=1.0, dof=8.0, times=100, effective_n=9.0)
    assert stats.norm.sf(estimate.z) == pytest.approx(stats.t.sf(2.0, 8.0))
    low, high = estimate.bounds(0.95)
    assert (low + high) / 2 == pytest.approx(2.0)
    assert (high - 2.0) == pytest.approx(stats.t.isf(0.025, 8.0))
    assert MeanEstimate(-2.0, 1.0, 8.0, 100, 9.0).z == -estimate.z
    huge = MeanEstimate(1e9, 1.0, 1e6, 100, 9.0)
    assert huge.z == 37.0


def test_the_bound_and_z_say_the_same() -> None:
    rng = np.random.default_rng(2)
    for shift in np.linspace(-0.3, 0.3, 41):
        estimate = hac_mean(rng.normal(shift, 1, 300), 10)
        assert (estimate.bounds()[0] > 0) == (estimate.z > stats.norm.isf(0.025))


def test_more_overlap_means_fewer_independent_values() -> None:
    e = np.random.default_rng(3).normal(size=20_000)
    found = []
    for h in (1, 12, 60):
        d = np.convolve(e, np.ones(h), "valid")
        found.append(hac_mean(d, 2 * h).effective_n)
        assert found[-1] == pytest.approx(len(d) / h, rel=0.35)
    assert found == sorted(found, reverse=True)


def test_scale_does_not_matter_and_sign_does() -> None:
    d = np.random.default_rng(4).normal(0.1, 1, 500)
    assert hac_z(1e-9 * d, 20) == pytest.approx(hac_z(d, 20), rel=1e-9)
    assert hac_z(-d, 20) == pytest.approx(-hac_z(d, 20), rel=1e-9)


def test_constant_series() -> None:
    assert hac_z(np.zeros(100), 10) == 0.0
    assert hac_z(np.full(128, 0.5), 10) == 37.0
    assert hac_z(np.full(128, -0.5), 10) == -37.0


@pytest.mark.parametrize(("n", "lag"), [(29, 1), (0, 1), (479, 240)])
def test_too_short_a_series_is_refused(n: int, lag: int) -> None:
    with pytest.raises(TooFewOutcomes, match=f"{n} times .* needs {max(30, 2 * lag)}"):
        hac_mean(np.ones(n), lag)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    d = np.ones(100)
    d[7] = bad
    with pytest.raises(JudgingError, match="1 of 100"):
        hac_mean(d, 5)
