"""Weights by regime: learnt where members differ by regime, and only where that earns its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.common.blending import blend_raw
from models.common.regimes import NAMES
from orchestration.ensembles import EQUAL, Evidence, choose, contest
from tests.ensembles.ledger import SYMBOLS, calm, coin

WARM = 1.5
BY_REGIME = "by_regime"


def in_regimes(found: Evidence, seed: int = 0, *, unknown: float = 0.0) -> Evidence:
    """Return the evidence with a regime for every row, some of them not known."""
    rng = np.random.default_rng(seed)
    regime = rng.integers(0, len(NAMES), len(found.ts))
    return replace(found, regime=np.where(rng.random(len(regime)) < unknown, -1, regime))


def taking_turns(seed: int = 0, days: float = 20) -> Evidence:
    """Two members of which each knows something in half of the regimes, and nothing in the rest."""
    found = in_regimes(coin([1, 1], days=days, seed=seed, errors=[0.1, 0.1]), seed, unknown=0.1)
    assert found.regime is not None
    noise = np.random.default_rng(seed + 1).uniform(0.4, 0.6, found.raw.shape)
    first = (found.regime % 2 == 0)[:, None]
    raw = np.where(np.stack([first, ~first]), found.raw, noise)
    return replace(found, raw=raw)


def test_members_that_are_good_in_turns_are_weighed_by_regime() -> None:
    found = taking_turns()
    walked = contest(found, WARM)
    choice = choose(walked, found.horizon, 0, 1.64, -0.5)
    assert choice.method == BY_REGIME
    table = np.array(choice.by_regime)
    assert table.shape == (len(NAMES), 2)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert (table[::2, 0] > 0.7).all()
    assert (table[1::2, 1] > 0.7).all()
    assert choice.weights == pytest.approx(dict(zip(("m0", "m1"), table.mean(axis=0), strict=True)))
    assert walked.losses[BY_REGIME].mean() < walked.losses["weighted"].mean()


@pytest.mark.parametrize("seed", range(3))
def test_members_that_are_alike_everywhere_keep_equal_weights(seed: int) -> None:
    found = in_regimes(coin([1, 1, 1], seed=seed), seed)
    choice = choose(contest(found, WARM), found.horizon, 0, 1.64, -0.5)
    assert choice.method == EQUAL
    assert choice.by_regime == ()
    assert abs(choice.methods[BY_REGIME]["z_equal"] or 0.0) < 1.64


def test_a_regime_that_was_hardly_seen_has_the_weights_of_all() -> None:
    found = coin([1, 0], errors=[0.1, 0.8])
    regime = np.zeros(len(found.ts), dtype=np.int64)
    regime[:60] = 4
    walked = contest(replace(found, regime=regime), WARM)
    table, pooled = walked.weights[BY_REGIME], walked.weights["weighted"]
    np.testing.assert_allclose(table[4], pooled, atol=0.02)
    np.testing.assert_allclose(table[7], pooled, rtol=1e-12)  # never seen
    np.testing.assert_array_equal(table[-1], pooled)  # for rows without a regime


def test_what_comes_later_changes_no_weight_before() -> None:
    found = taking_turns()
    first = 9 * 288 * SYMBOLS
    assert found.regime is not None
    regime = found.regime.copy()
    regime[first:] = (regime[first:] + 1) % len(NAMES)
    before, after = contest(found, WARM), contest(replace(found, regime=regime), WARM)
    judged = first // SYMBOLS - int(WARM * 288)
    one, other = before.losses[BY_REGIME], after.losses[BY_REGIME]
    assert np.array_equal(one[:judged], other[:judged])
    assert not np.array_equal(one, other)


def test_rows_are_blended_by_the_weights_of_their_regime() -> None:
    found = in_regimes(calm([0.3, 0.3], [0, 0], days=2), unknown=0.3)
    assert found.regime is not None
    table = np.random.default_rng(1).dirichlet([1, 1], len(NAMES) + 1)
    said = blend_raw("volatility", "weighted_avg", found.raw, found.rowwise(table))
    for i in (0, 5, int(np.argmin(found.regime))):
        own = table[found.regime[i]] if found.regime[i] >= 0 else table[-1]
        np.testing.assert_allclose(said[i], own @ found.raw[:, i])


def test_without_regimes_there_is_no_such_method() -> None:
    assert BY_REGIME not in contest(coin([1, 1], days=4), WARM).losses
