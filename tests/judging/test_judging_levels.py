"""The central promise: without a signal a verdict errs as rarely as it says, and misses little.

Two days of one-minute bars, labels that overlap by 12, 60 and 240 bars, losses of several shapes,
none with an effect. Counted: z >= 1.645 (5 %), and a lower bound above nought (2.5 %).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import binom, norm

from ml_pipeline.hac import hac_z, long_run_variance
from ml_pipeline.losses import log_loss, squared
from ml_pipeline.skill import judge, judging_lag

N = 2880
HORIZONS = (12, 60, 240)
Noise = Callable[[np.random.Generator, int, int], np.ndarray]


def overlap(e: np.ndarray, h: int) -> np.ndarray:
    """Return sums over the last h values along the second axis, scaled to variance 1."""
    total = np.cumsum(np.pad(e, ((0, 0), (1, 0))), axis=1)
    return (total[:, h:] - total[:, :-h]) / (np.sqrt(h) * e.std())


def persistent(rng: np.random.Generator, rows: int, n: int, half_life: float) -> np.ndarray:
    """Return first-order autoregressions of variance 1."""
    phi = 0.5 ** (1 / half_life)
    start = int(8 * half_life)
    e = rng.normal(0, np.sqrt(1 - phi**2), (rows, n + start))
    return lfilter([1], [1, -phi], e, axis=1)[:, start:]


def gaussian(rng: np.random.Generator, rows: int, h: int) -> np.ndarray:
    """A constant opinion on overlapping returns: the worst that overlap can do."""
    return overlap(rng.normal(size=(rows, N + h - 1)), h)


def fat_tails(rng: np.random.Generator, rows: int, h: int) -> np.ndarray:
    return overlap(rng.standard_t(4, size=(rows, N + h - 1)), h)


def drifting_opinion(rng: np.random.Generator, rows: int, h: int) -> np.ndarray:
    """An opinion that lasts about a horizon, times overlapping returns that owe it nothing."""
    return persistent(rng, rows, N, h) * gaussian(rng, rows, h)


def independent(rng: np.random.Generator, rows: int, h: int) -> np.ndarray:
    return rng.normal(size=(rows, N))


SHAPES: tuple[Noise, ...] = (gaussian, fat_tails, drifting_opinion, independent)


def allowed(level: float, trials: int) -> float:
    """Return the rate that an honest test exceeds once in a thousand such experiments."""
    return float(binom.isf(1e-3, trials, level)) / trials


def z_rates(shape: Noise, h: int, trials: int, seed: int) -> tuple[float, float]:
    """Return how often z passes 1.645 and 1.96, both tails counted (every shape is symmetric)."""
    rng = np.random.default_rng(seed)
    z = [hac_z(d, judging_lag(h, N), h) for d in shape(rng, trials, h)]
    return tuple(float(np.mean(np.abs(z) >= c)) / 2 for c in (1.645, 1.96))  # type: ignore[return-value]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
@pytest.mark.parametrize("h", HORIZONS)
def test_z_keeps_its_level(shape: Noise, h: int) -> None:
    five, two_and_half = z_rates(shape, h, 2000, seed=1)
    assert five <= allowed(0.10, 2000) / 2
    assert two_and_half <= allowed(0.05, 2000) / 2


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
@pytest.mark.parametrize("h", HORIZONS)
def test_z_keeps_its_level_over_many_series(shape: Noise, h: int) -> None:
    found = np.mean([z_rates(shape, h, 1000, seed) for seed in range(40)], axis=0)
    assert found[0] <= allowed(0.10, 40_000) / 2
    assert found[1] <= allowed(0.05, 40_000) / 2


def bound_rate(h: int, verdicts: int, seed: int, draws: int = 300) -> float:
    """Return how often the published lower bound is above nought, whole verdicts, no effect."""
    rng = np.random.default_rng(seed)
    ts, symbol = np.arange(N) * 60_000, np.zeros(N)
    above = 0
    for shape in (gaussian, fat_tails, drifting_opinion):
        for d in 0.05 * shape(rng, verdicts // 3, h):
            base = 1 + 0.2 * rng.random(N)
            above += judge(ts, symbol, base - d, base, h, seed, draws).lower > 0
    return above / (verdicts // 3 * 3)


@pytest.mark.parametrize("h", HORIZONS)
def test_the_lower_bound_keeps_its_level(h: int) -> None:
    assert bound_rate(h, 600, seed=2) <= allowed(0.025, 600)


@pytest.mark.slow
@pytest.mark.parametrize("h", HORIZONS)
def test_the_lower_bound_keeps_its_level_over_many_verdicts(h: int) -> None:
    assert bound_rate(h, 6000, seed=3, draws=1000) <= allowed(0.025, 6000)


@pytest.mark.parametrize("h", HORIZONS)
def test_models_of_noise_are_not_found_skilled(h: int) -> None:
    # Whole losses rather than differences: three correlated symbols, forecasts that know nothing.
    rng = np.random.default_rng(4)
    ts, symbol = np.repeat(np.arange(N) * 60_000, 3), np.tile(np.arange(3), N)
    skilled = 0
    for trial in range(60):
        common = rng.normal(size=(1, N + h - 1))
        returns = overlap(common + rng.normal(size=(3, N + h - 1)), h).T.ravel()
        opinion = persistent(rng, 3, N, h).T.ravel()
        if trial % 2:
            rises = (returns > 0).astype(float)
            model, base = (
                log_loss(rises, 0.5 + 0.02 * np.tanh(opinion)),
                log_loss(rises, 0 * ts + 0.5),
            )
        else:
            model, base = squared(returns, 0.05 * opinion), squared(returns, 0 * ts)
        verdict = judge(ts, symbol, model, base, h, trial, draws=300)
        skilled += verdict.lower > 0 or verdict.z >= 1.96
    assert skilled / 60 <= allowed(0.025, 60)


def test_without_the_corrections_the_promise_would_be_broken() -> None:
    # What the corrections are for: the same series, plain Bartlett at twice the horizon.
    h = 240
    series = gaussian(np.random.default_rng(1), 2000, h)
    plain = [d.mean() / np.sqrt(long_run_variance(d, 2 * h) / N) for d in series]
    assert np.mean(np.abs(plain) >= 1.645) / 2 > 0.10


@pytest.mark.parametrize(("h", "least"), [(12, 0.76), (60, 0.74), (240, 0.62)])
@pytest.mark.parametrize("shape", [gaussian, drifting_opinion], ids=lambda s: s.__name__)
def test_power_is_not_thrown_away(shape: Noise, h: int, least: float) -> None:
    # The oracle knows the variance of the mean; the effect is one it finds in 80 % of series.
    d = shape(np.random.default_rng(5), 2000, h)
    effect = (norm.isf(0.05) - norm.isf(0.80)) * d.mean(axis=1).std()
    oracle = np.mean((d.mean(axis=1) + effect) / d.mean(axis=1).std() >= 1.645)
    found = np.mean([hac_z(x + effect, judging_lag(h, N), h) >= 1.645 for x in d])
    assert oracle == pytest.approx(0.80, abs=0.03)
    assert found >= least


@pytest.mark.parametrize(("h", "edge"), [(5, 0.12), (12, 0.15), (60, 0.5)])
def test_a_real_effect_is_found(h: int, edge: float) -> None:
    # Right 55, 56 and 69 times in a hundred, on two days of three symbols: at an hour, two days
    # hold so few independent moments that less cannot be proven.
    rng = np.random.default_rng(6)
    ts, symbol = np.repeat(np.arange(N) * 60_000, 3), np.tile(np.arange(3), N)
    opinion = persistent(rng, 3, N, max(1, h / 4)).T.ravel()
    noise = overlap(rng.normal(size=(3, N + h - 1)), h).T.ravel()
    rises = (noise + edge * np.sign(opinion) > 0).astype(float)
    model = log_loss(rises, 0.5 + 0.4 * edge * np.sign(opinion))
    verdict = judge(ts, symbol, model, log_loss(rises, np.full(len(ts), 0.5)), h, seed=0)
    assert verdict.lower > 0
    assert verdict.z > 3
