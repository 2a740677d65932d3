"""The stationary bootstrap has the law that Politis and Romano derived."""

from __future__ import annotations

import numpy as np
import pytest

from ml_pipeline.bootstrap import stationary_bootstrap_interval, stationary_bootstrap_means
from ml_pipeline.errors import JudgingError


def resample(x: np.ndarray, block: float, rng: np.random.Generator) -> np.ndarray:
    """Return one resampled series, step by step as the paper defines it."""
    n = len(x)
    at, out = rng.integers(n), []
    for _ in range(n):
        out.append(x[at])
        at = rng.integers(n) if rng.random() < 1 / block else (at + 1) % n
    return np.array(out)


def exact_variance(x: np.ndarray, block: float) -> float:
    """Politis & Romano (1994), equation for n times the variance of the resampled mean."""
    n, q = len(x), 1 - 1 / block
    u = x - x.mean()
    circular = np.array([u @ np.roll(u, -j) / n for j in range(n)])
    j = np.arange(1, n)
    weights = (1 - j / n) * q**j + (j / n) * q ** (n - j)
    return float(circular[0] + weights @ circular[1:])


@pytest.mark.parametrize("block", [2.0, 7.0, 60.0])
def test_the_variance_of_the_means_is_the_papers(block: float) -> None:
    x = np.convolve(np.random.default_rng(0).normal(2, 1, 320), np.ones(12), "valid")
    means = stationary_bootstrap_means(x, block, np.random.default_rng(1), 10_000)[:, 0]
    assert means.var() * len(x) == pytest.approx(exact_variance(x, block), rel=0.05)
    assert means.mean() == pytest.approx(x.mean(), abs=4 * means.std() / 100)


def test_the_quantiles_are_those_of_the_definition() -> None:
    x = np.random.default_rng(0).exponential(1, 60)
    rng = np.random.default_rng(1)
    slow = [resample(x, 6.0, rng).mean() for _ in range(4000)]
    fast = stationary_bootstrap_means(x, 6.0, np.random.default_rng(2), 40_000)[:, 0]
    levels = [0.025, 0.25, 0.5, 0.75, 0.975]
    np.testing.assert_allclose(np.quantile(fast, levels), np.quantile(slow, levels), atol=0.025)


def test_columns_are_resampled_together() -> None:
    x = np.random.default_rng(0).normal(size=300)
    means = stationary_bootstrap_means(
        np.column_stack([x, 3 * x + 1]), 20, np.random.default_rng(1)
    )
    np.testing.assert_allclose(means[:, 1], 3 * means[:, 0] + 1, atol=1e-12)


def test_the_same_generator_gives_the_same_interval() -> None:
    d = np.random.default_rng(0).normal(0.1, 1, 300)
    ones = np.ones(300)
    draws = [
        stationary_bootstrap_interval(d, ones, 20, np.random.default_rng(s)) for s in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]
    low, high = draws[0]
    assert low < d.mean() < high


@pytest.mark.parametrize(("n", "block"), [(0, 5.0), (10, 0.5)])
def test_nothing_to_resample_is_refused(n: int, block: float) -> None:
    with pytest.raises(JudgingError, match=f"{n} values in blocks of {block}"):
        stationary_bootstrap_means(np.ones(n), block, np.random.default_rng(0))


@pytest.mark.parametrize("block", [1.0, 500.0])
def test_blocks_of_any_length_fit(block: float) -> None:
    x = np.arange(50.0)
    means = stationary_bootstrap_means(x, block, np.random.default_rng(0), 500)
    assert means.shape == (500, 1)
    assert ((means >= 0) & (means <= 49)).all()
