"""The model confidence set: what is provably worse leaves it, and equals stay."""

from __future__ import annotations

import numpy as np
import pytest

from ml_pipeline.confidence_set import LEAST_BLOCKS, confidence_p_values
from ml_pipeline.errors import JudgingError

BLOCK = 60


def losses(bars: int, worse: list[float], seed: int = 0) -> np.ndarray:
    """Losses that share the market's noise and have some of their own, [bars, k]."""
    rng = np.random.default_rng(seed)
    market = rng.standard_normal((bars, 1)) * 0.1
    return 0.7 + market + rng.standard_normal((bars, len(worse))) * 0.1 + np.array(worse)


def test_a_worse_forecast_is_outside_and_equals_stay() -> None:
    p = confidence_p_values(losses(20_000, [0.0, 0.0, 0.01]), BLOCK, seed=0)
    assert p[2] <= 0.1
    assert (p[:2] > 0.1).all()
    assert p.max() == 1.0


def test_it_holds_the_best_of_equals_about_as_often_as_it_says() -> None:
    out = [
        (confidence_p_values(losses(60 * 84, [0.0] * 3, seed), BLOCK, seed, reps=200) <= 0.1).any()
        for seed in range(100)
    ]
    assert 0.02 <= np.mean(out) <= 0.2


def test_it_is_the_same_twice_and_follows_the_columns() -> None:
    table = losses(10_000, [0.0, 0.004, 0.002])
    p = confidence_p_values(table, BLOCK, seed=3)
    assert p.tolist() == confidence_p_values(table, BLOCK, seed=3).tolist()
    assert p[[2, 0, 1]] == pytest.approx(confidence_p_values(table[:, [2, 0, 1]], BLOCK, seed=3))


@pytest.mark.parametrize(
    "table",
    [
        losses(10_000, [0.0]),
        np.repeat(losses(10_000, [0.0]), 3, axis=1),
        losses(BLOCK * LEAST_BLOCKS - 1, [0.0, 0.5]),
        losses(1, [0.0, 0.5]),
        np.empty((0, 2)),
    ],
    ids=["one", "equal", "too few blocks", "one bar", "none"],
)
def test_where_nothing_can_be_told_apart_everybody_stays(table: np.ndarray) -> None:
    assert confidence_p_values(table, BLOCK, seed=0).tolist() == [1.0] * table.shape[1]


def test_copies_of_one_forecast_share_its_place() -> None:
    table = losses(20_000, [0.0, 0.01])
    # A graph in float32 says the same with other last digits.
    table = np.column_stack([table, table[:, 1] * (1 + 1e-7), table[:, 0]])
    p = confidence_p_values(table, BLOCK, seed=0)
    assert (p[0], p[1]) == (p[3], p[2])
    assert p[1] <= 0.1 < p[0]


def test_a_loss_that_is_no_number_is_refused() -> None:
    table = losses(10_000, [0.0, 0.0])
    table[5, 1] = np.nan
    with pytest.raises(JudgingError, match="1 that are not finite"):
        confidence_p_values(table, BLOCK, seed=0)
