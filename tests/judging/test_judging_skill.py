"""The verdict: what it counts, what it refuses, and that its parts agree."""

from __future__ import annotations

import time

import numpy as np
import pytest

from ml_pipeline.errors import JudgingError, TooFewOutcomes
from ml_pipeline.hac import hac_z
from ml_pipeline.skill import Verdict, judge, judging_lag, paired_series

N, SYMBOLS = 2880, 3


def grid(n: int = N, symbols: int = SYMBOLS) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(n) * 60_000, symbols), np.tile(np.arange(symbols), n)


def made(
    effect: float, h: int = 12, n: int = N, seed: int = 0, noise: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return times, symbols, and losses of a model that is better by `effect` on average."""
    rng = np.random.default_rng(seed)
    ts, symbol = grid(n)
    common = np.convolve(rng.normal(0, 1, n + h - 1), np.ones(h), "valid") / np.sqrt(h)
    base = rng.gamma(4.0, 0.25, len(ts))
    gain = effect + noise * (np.repeat(common, SYMBOLS) + rng.normal(0, 1, len(ts)))
    return ts, symbol, base - gain, base


def test_the_figures_are_what_they_say() -> None:
    ts, symbol, model, base = made(0.05)
    verdict = judge(ts, symbol, model, base, 12, seed=0)
    assert verdict.n == N * SYMBOLS
    assert verdict.times == N
    assert verdict.base_loss == pytest.approx(base.mean())
    assert verdict.loss == pytest.approx(model.mean())
    assert verdict.skill == pytest.approx(1 - model.mean() / base.mean())
    assert verdict.lower < verdict.skill < verdict.upper
    series = paired_series(ts, base, model)
    assert verdict.z == pytest.approx(hac_z(series, judging_lag(12, N), 12))
    assert verdict.as_dict() == {k: getattr(verdict, k) for k in Verdict.__dataclass_fields__}


def test_symbols_are_averaged_at_each_time_before_anything_is_judged() -> None:
    ts = np.array([2, 1, 2, 3, 1, 3]) * 60_000
    base = np.array([1.0, 2, 3, 4, 5, np.nan])
    model = np.array([0.0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(paired_series(ts, base, model), [3.0, 1.5, 3.0])


def test_three_symbols_that_move_as_one_are_one_witness() -> None:
    rng = np.random.default_rng(1)
    d = 0.02 + rng.normal(0, 1, N)
    ts, symbol = grid()
    alone = judge(ts[::3], symbol[::3], 1 - d, np.ones(N), 12, seed=0)
    thrice = np.repeat(d, 3)
    together = judge(ts, symbol, 1 - thrice, np.ones(3 * N), 12, seed=0)
    assert together.n == 3 * alone.n
    assert together.z == pytest.approx(alone.z)
    assert together.effective_n == pytest.approx(alone.effective_n)
    assert (together.lower, together.upper) == pytest.approx((alone.lower, alone.upper))


def test_the_order_of_rows_and_the_names_of_symbols_do_not_matter() -> None:
    ts, symbol, model, base = made(0.02)
    first = judge(ts, symbol, model, base, 12, seed=3)
    mixed = np.random.default_rng(0).permutation(len(ts))
    names = np.array(["BTC-USDT", "ETH-USDT", "XRP-USDT"])[symbol]
    again = judge(ts[mixed], names[mixed], model[mixed], base[mixed], 12, seed=3)
    assert again.as_dict() == pytest.approx(first.as_dict(), rel=1e-9)


def test_rows_without_an_outcome_are_left_out() -> None:
    ts, symbol, model, base = made(0.02)
    lost = np.random.default_rng(5).random(len(ts)) < 0.4
    holed = np.where(lost, np.nan, base)
    assert judge(ts, symbol, model, holed, 12, seed=0) == judge(
        ts[~lost], symbol[~lost], model[~lost], base[~lost], 12, seed=0
    )


def test_the_same_seed_gives_the_same_verdict() -> None:
    rows = made(0.02)
    assert judge(*rows, 12, seed=7) == judge(*rows, 12, seed=7)


@pytest.mark.parametrize("h", [5, 12, 60, 240])
def test_a_bound_above_nought_never_disagrees_with_z(h: int) -> None:
    for seed in range(40):
        verdict = judge(
            *made(0.1 * seed / 40 / np.sqrt(12 / h), h, seed=seed), h, seed=0, draws=300
        )
        if verdict.lower > 0:
            assert verdict.z > 1.96
        if verdict.upper < 0:
            assert verdict.z < -1.96


def test_a_longer_horizon_is_trusted_less() -> None:
    rows = made(0.02, h=12)
    verdicts = [judge(*rows, h, seed=0) for h in (12, 60, 240)]
    widths = [v.upper - v.lower for v in verdicts]
    assert widths == sorted(widths)
    assert verdicts[0].z > verdicts[-1].z


def test_the_model_that_is_the_baseline_but_for_rounding_has_no_skill() -> None:
    ts, symbol, _, base = made(0.0)
    same = judge(ts, symbol, base, base, 12, seed=0)
    assert (same.skill, same.lower, same.upper, same.z) == (0.0, 0.0, 0.0, 0.0)
    rounded = base * (1 - 1e-7)
    assert judge(ts, symbol, rounded, base, 12, seed=0).lower == 0.0


def test_a_short_span_is_refused_with_the_numbers() -> None:
    ts, symbol, model, base = made(0.05, n=900)
    with pytest.raises(TooFewOutcomes, match=r"900 times .* needs 960"):
        judge(ts, symbol, model, base, 240, seed=0)
    with pytest.raises(TooFewOutcomes, match="none of 2700 rows"):
        judge(ts, symbol, np.full(2700, np.nan), base, 12, seed=0)


def test_a_baseline_without_loss_cannot_be_beaten() -> None:
    ts, symbol = grid()
    with pytest.raises(JudgingError, match="nothing to beat"):
        judge(ts, symbol, np.ones(len(ts)), np.zeros(len(ts)), 12, seed=0)


def test_an_infinite_loss_is_refused() -> None:
    ts, symbol, model, base = made(0.05)
    model[17] = np.inf
    with pytest.raises(JudgingError, match="not finite"):
        judge(ts, symbol, model, base, 12, seed=0)


def test_a_bar_counted_twice_is_refused() -> None:
    ts, symbol, model, base = made(0.05)
    ts[3:6] = ts[0:3]
    with pytest.raises(JudgingError, match="3 of 8640 rows repeat a bar"):
        judge(ts, symbol, model, base, 12, seed=0)


def test_columns_of_other_lengths_are_refused() -> None:
    ts, symbol, model, base = made(0.05)
    with pytest.raises(JudgingError, match="one row each"):
        judge(ts[1:], symbol, model, base, 12, seed=0)


@pytest.mark.parametrize("h", [5, 240])
def test_a_verdict_takes_under_a_fifth_of_a_second(h: int) -> None:
    rows = made(0.05)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        judge(*rows, h, seed=0)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.2
