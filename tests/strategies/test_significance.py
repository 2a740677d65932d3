"""PSR and DSR give the numbers that their authors print; the bootstrap keeps its promise."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest

from strategies.errors import BadTerms
from strategies.ratios import sharpe_ratio
from strategies.significance import (
    TrackRecord,
    bars_to_prove,
    best_by_luck,
    block_for,
    deflated_sharpe,
    probabilistic_sharpe,
    resampled_means,
    sharpe_interval,
)


def test_psr_of_the_paper() -> None:
    """Bailey & López de Prado (2012): two years of months, Sharpe .458 a month, fat left tail."""
    assert probabilistic_sharpe(TrackRecord(24, 0.458)) == pytest.approx(0.982, abs=5e-4)
    record = TrackRecord(24, 0.458, -2.448, 10.164)
    assert probabilistic_sharpe(record) == pytest.approx(0.913, abs=5e-4)


def test_dsr_of_the_paper() -> None:
    """Bailey & López de Prado (2014), numerical example: five years of days, annual Sharpe 2.5."""
    record = TrackRecord(1250, 2.5 / sqrt(250), -3.0, 10.0)
    variance = 0.5 / 250
    assert best_by_luck(100, variance) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(record, 100, variance) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(record, 46, variance) == pytest.approx(0.9505, abs=5e-5)
    normal = TrackRecord(1250, 2.5 / sqrt(250))
    assert deflated_sharpe(normal, 88, variance) == pytest.approx(0.9505, abs=5e-5)


def test_the_best_of_fifty_noise_strategies_does_not_impress_the_deflated_ratio() -> None:
    bars, trials, rng = 2000, 50, np.random.default_rng(3)
    plain, deflated = [], []
    for _ in range(60):
        noise = rng.standard_normal((trials, bars))
        best = noise[np.argmax(noise.mean(axis=1) / noise.std(axis=1, ddof=1))]
        plain.append(probabilistic_sharpe(TrackRecord.of(best)))
        deflated.append(deflated_sharpe(TrackRecord.of(best), trials))
    assert np.mean(plain) > 0.98
    assert np.mean(deflated) == pytest.approx(0.5, abs=0.08)


def test_one_trial_deflates_nothing() -> None:
    record = TrackRecord(500, 0.05, -0.4, 5.0)
    assert deflated_sharpe(record, 1) == probabilistic_sharpe(record)
    assert best_by_luck(2, 1.0) > 0


@pytest.mark.parametrize(("trials", "variance"), [(0, 1.0), (-3, 1.0), (5, -0.1)])
def test_trials_that_make_no_sense_are_refused(trials: int, variance: float) -> None:
    with pytest.raises(BadTerms, match="count every variant"):
        best_by_luck(trials, variance)


def test_bars_to_prove_are_enough_and_not_more() -> None:
    record = TrackRecord(100, 0.05, -0.5, 6.0)
    needed = bars_to_prove(record)
    assert probabilistic_sharpe(TrackRecord(round(needed), 0.05, -0.5, 6.0)) == pytest.approx(
        0.95, abs=1e-4
    )
    assert isnan(bars_to_prove(TrackRecord(100, -0.05)))


def test_an_account_that_never_moved_proves_nothing() -> None:
    record = TrackRecord.of(np.zeros(100))
    assert isnan(probabilistic_sharpe(record))
    assert isnan(deflated_sharpe(record, 10))
    assert isnan(sharpe_interval(np.zeros(100), 365, 10, seed=0)[0])


def test_resampled_means_vary_as_the_mean_of_a_dependent_series_does() -> None:
    """An AR(1) with φ = .8: the mean's standard deviation is three times that of white noise."""
    rng = np.random.default_rng(5)
    n, phi = 20_000, 0.8
    x = np.empty(n)
    x[0] = 0.0
    for t, shock in enumerate(rng.standard_normal(n - 1)):
        x[t + 1] = phi * x[t] + shock
    truth = 1 / (1 - phi) / sqrt(n)
    blocks = resampled_means(x, block=100, seed=0).std()
    single = resampled_means(x, block=1, seed=0).std()
    assert blocks == pytest.approx(truth, rel=0.12)
    assert single < truth / 2.5


def test_columns_are_resampled_together() -> None:
    x = np.random.default_rng(2).standard_normal(300)
    means = resampled_means(np.column_stack([x, 2 * x + 1]), 20, seed=1)
    assert means[:, 1] == pytest.approx(2 * means[:, 0] + 1)


def test_same_seed_same_interval() -> None:
    r = np.random.default_rng(2).normal(1e-4, 1e-3, 1000)
    first = sharpe_interval(r, 365, 60, seed=4)
    assert first == sharpe_interval(r, 365, 60, seed=4)
    assert first != sharpe_interval(r, 365, 60, seed=5)
    assert first[0] < sharpe_ratio(r, 365) < first[1]


def test_the_interval_covers_the_true_sharpe_ratio() -> None:
    rng = np.random.default_rng(11)
    inside = 0
    for seed in range(300):
        low, high = sharpe_interval(rng.normal(0.05, 1.0, 900), 1, 20, seed=seed, draws=300)
        inside += low < 0.05 < high
    assert 0.91 <= inside / 300 <= 0.98


def test_blocks_are_longer_than_trades_and_much_shorter_than_the_series() -> None:
    assert block_for(10_000, holding=5) == 60
    assert block_for(10_000, holding=60) == 240
    assert block_for(100, holding=60) == 25
    assert block_for(2, holding=60) == 1
    assert block_for(1_000_000, holding=5) == 2000
