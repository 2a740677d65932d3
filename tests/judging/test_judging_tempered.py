"""Variances compared with the largest surprises tempered: quieter, and no kinder to a bias."""

from __future__ import annotations

import numpy as np
import pytest

from ml_pipeline.losses import qlike
from ml_pipeline.tempered import tempered_difference

N = 40_000


def market(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ln of the expected variance and of what came, [n, 2], with crashes."""
    rng = np.random.default_rng(seed)
    expected = rng.standard_normal((N, 2)) - 12
    size = np.where(rng.random((N, 2)) < 0.01, 2.2, 0.7)
    surprise = size * rng.standard_normal((N, 2))
    return expected, expected + surprise - np.log(np.exp(surprise).mean(axis=0))


def blurred(expected: np.ndarray, size: float, seed: int) -> np.ndarray:
    """Return a forecast with errors of its own that is right on average."""
    errors = size * np.random.default_rng([seed, 1]).standard_normal(expected.shape)
    return expected + errors + size**2 / 2


def z(d: np.ndarray) -> float:
    return float(d.mean() / d.std() * np.sqrt(len(d)))


def plain(y: np.ndarray, other: np.ndarray, mine: np.ndarray) -> np.ndarray:
    losses = [qlike(np.exp(y), np.exp(f)) for f in (other, mine)]
    return np.asarray((losses[0] - losses[1]).mean(axis=1))


def test_without_a_cut_it_is_the_difference_of_losses() -> None:
    expected, y = market(0)
    other, mine = blurred(expected, 0.4, 1), blurred(expected, 0.2, 2)
    found = tempered_difference(y, other, mine, cut=np.inf)
    assert found == pytest.approx(plain(y, other, mine), rel=1e-9, abs=1e-9)


def test_two_sides_of_one_coin_and_nought_for_one_forecast() -> None:
    expected, y = market(1)
    other, mine = blurred(expected, 0.4, 1), blurred(expected, 0.2, 2)
    forth, back = tempered_difference(y, other, mine), tempered_difference(y, mine, other)
    assert forth == pytest.approx(-back, rel=1e-9, abs=1e-12)
    assert np.abs(tempered_difference(y, mine, mine)).max() == 0.0


def test_a_better_forecast_shows_sooner() -> None:
    plainly, tempered = [], []
    for seed in range(8):
        expected, y = market(seed)
        other, mine = blurred(expected, 0.3, seed), blurred(expected, 0.2, seed + 99)
        plainly.append(z(plain(y, other, mine)))
        tempered.append(z(tempered_difference(y, other, mine)))
    assert np.mean(tempered) > 1.5 * np.mean(plainly)
    assert min(tempered) > 5


@pytest.mark.parametrize("bias", [-0.2, 0.2])
def test_a_forecast_that_always_says_too_little_is_not_excused(bias: float) -> None:
    """Relative differences excuse it: they reward who is nearer to the usual hour."""
    expected, y = market(3)
    biased = expected + bias
    d = tempered_difference(y, expected, biased)
    assert d.mean() == pytest.approx(plain(y, expected, biased).mean(), rel=0.05)
    assert d.mean() < 0
    losses = [qlike(np.exp(y), np.exp(f)).mean(axis=1) for f in (expected, biased)]
    relative = (losses[0] - losses[1]) / (losses[0] + losses[1])
    assert (relative.mean() > 0) == (bias < 0)


def test_what_a_level_earns_keeps_all_its_noise() -> None:
    expected, y = market(4)
    biased = expected + 0.1
    assert tempered_difference(y, expected, biased).std() == pytest.approx(
        plain(y, expected, biased).std(), rel=1e-6
    )


def test_a_dead_market_is_no_surprise_without_end() -> None:
    expected = np.full((50, 2), -40.0)
    assert np.isfinite(tempered_difference(expected, expected - 700, expected)).all()
