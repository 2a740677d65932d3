"""Novelty: ordinary rows after training are within the limit, strange ones of any sort are not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.program import FeatureProgram
from market.simulated import SimulatedSource
from ml_pipeline.export import novelty_of, score, session
from ml_pipeline.fit import fit, fit_baseline
from ml_pipeline.novelty import Novelty, fit_novelty, forget
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.recipes import RECIPES
from tests.learning.planted import planted_panel, split_of

Matrix = NDArray[np.float32]
OHLC = ["open", "high", "low", "close"]
COLUMNS = RECIPES["risk"][0].columns("1m")
TRAIN, LATER = 7_000, 12_000  # rows; what follows is as a holdout


@cache
def candles() -> pd.DataFrame:
    return SimulatedSource().fetch("BTC-USDT", "1m", "2025-05-12T00:00Z", "2025-05-24T00:00Z")


@cache
def rows() -> Matrix:
    program = FeatureProgram(COLUMNS)
    return program.run(candles())[max(program.lookback, program.settle) :]


@cache
def yardstick() -> Novelty:
    return fit_novelty(rows()[:TRAIN], rows()[TRAIN:LATER])


def flagged(X: Matrix) -> float:
    return float((yardstick()(X) > 1).mean())


def after(change: Callable[[pd.DataFrame], None], bars: int = 240) -> Matrix:
    """Return the rows of the last bars, of which `change` has made something else."""
    history = candles().copy()
    tail = history.iloc[-bars:].copy()
    change(tail)
    history.iloc[-bars:] = tail
    return FeatureProgram(COLUMNS).run(history)[-bars:]


def test_about_one_in_a_hundred_later_rows_is_strange() -> None:
    assert flagged(rows()[TRAIN:LATER]) == pytest.approx(0.01, abs=0.002)
    assert flagged(rows()[LATER:]) < 0.03
    assert flagged(after(lambda bars: None)) < 0.05


def frozen(bars: pd.DataFrame) -> None:
    bars[OHLC] = bars["close"].iloc[0]
    bars["volume"] = 0.0


def ten_times_as_wild(bars: pd.DataFrame) -> None:
    start = float(bars["open"].iloc[0])
    closes = np.log(bars["close"].to_numpy() / start)
    before = np.concatenate([[0.0], closes[:-1]])
    for name in OHLC:
        inside = np.log(bars[name].to_numpy() / start) - before
        bars[name] = start * np.exp(10 * (before + inside))


def in_cents(bars: pd.DataFrame) -> None:
    bars[OHLC] *= 100.0


@pytest.mark.parametrize("change", [frozen, ten_times_as_wild])
def test_a_market_as_never_before_is_strange_from_its_first_hour_on(
    change: Callable[[pd.DataFrame], None],
) -> None:
    strange = yardstick()(after(change)) > 1
    assert strange[:60].mean() > 0.75
    assert strange[60:].mean() > 0.95


def test_a_jump_of_the_unit_is_strange_while_it_is_in_the_windows() -> None:
    assert (yardstick()(after(in_cents)) > 1).mean() > 0.95


@pytest.mark.parametrize("size", [1e6, -1e6, 3e38])
def test_one_column_stuck_at_an_absurd_value_is_strange_whichever_it_is(size: float) -> None:
    varying = np.flatnonzero(yardstick().gain)
    X = np.repeat(rows()[-1:], len(varying), axis=0)
    X[np.arange(len(varying)), varying] = size
    if size < 0:  # below the floor of a logarithm there is nothing further down
        X = X[yardstick().floor[varying] == 0]
    assert flagged(X) == 1.0


def test_columns_in_percent_are_strange() -> None:
    assert flagged(rows()[-500:] * np.float32(100)) == 1.0


@pytest.mark.parametrize(
    "garbage",
    [
        lambda rng, X: rng.standard_normal(X.shape),
        lambda rng, X: rng.uniform(-1e3, 1e3, X.shape),
        lambda rng, X: np.zeros_like(X),
        lambda rng, X: np.ones_like(X),
        lambda rng, X: X[:, rng.permutation(X.shape[1])],
        lambda rng, X: np.roll(X, 1, axis=1),
    ],
    ids=["normal", "uniform", "noughts", "ones", "shuffled", "shifted"],
)
def test_garbage_is_strange(garbage: Callable[[np.random.Generator, Matrix], Matrix]) -> None:
    X = garbage(np.random.default_rng(0), rows()[-200:])
    assert flagged(X.astype(np.float32)) == 1.0


def test_a_column_that_never_varied_says_nothing_and_a_rare_pattern_may_come() -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((4_000, 4)).astype(np.float32)
    X[:, 2] = 5.0
    X[:, 3] = rng.random(4_000) < 0.02
    known = fit_novelty(X[:2_000], X[2_000:])
    assert known.gain[2] == 0
    other = X[:1_000].copy()
    other[:, 2] = 7.0
    np.testing.assert_array_equal(known(other), known(X[:1_000]))
    assert (known(X[X[:, 3] == 1]) > 1).mean() < 0.2


def test_the_graph_says_the_same_and_is_finite_whatever_comes() -> None:
    graph = Graph(COLUMNS)
    graph_bytes = graph.to_bytes(yardstick().nodes(graph), 1)
    X = np.concatenate(
        [rows()[-100:], np.full((1, len(COLUMNS)), 3e38), np.zeros((1, len(COLUMNS)))]
    )
    (found,) = session(graph_bytes).run(None, {"features": X.astype(np.float32)})
    np.testing.assert_allclose(found[:, 0], yardstick()(X.astype(np.float32)), rtol=1e-4)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("level", "spread"), [(100.0, 1e-2), (100.0, 1e-3), (-1.0, 2e-6), (0.5, 2e-6), (1e6, 10.0)]
)
def test_a_column_that_hardly_varies_is_read_as_exactly_by_the_graph(
    level: float, spread: float
) -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((3_000, 4))
    X[:, 0] = level + spread * X[:, 0]
    X = X.astype(np.float32)
    novelty = fit_novelty(X[:2_000], X[2_000:])
    graph = Graph(tuple("abcd"))
    place = novelty.nodes(graph)
    exported = novelty_of(graph.to_bytes(graph.take(("a",)), 1, place), X)
    np.testing.assert_allclose(exported, novelty(X), rtol=1e-4)
    X[:, 0] += 20 * spread
    assert (novelty(X) > 1).mean() > 0.9, "and what is strange for it is strange"


def test_fitting_needs_little_memory_and_less_than_n_times_n() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((36_000, 150)).astype(np.float32)
    tracemalloc.start()
    fit_novelty(X[:26_000], X[26_000:])
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert peak_mb < 100  # 36,000² distances are 5,184 MB in float32


@pytest.mark.parametrize("kind", ["direction", "volatility"])
def test_every_fit_brings_its_novelty_and_two_fits_bring_the_same(kind: str) -> None:
    panel = planted_panel(1.0)
    split = split_of(panel, kind)
    for model, again in (
        (fit(RECIPES[kind][0], panel, split, 0), fit(RECIPES[kind][0], panel, split, 0)),
        (fit_baseline(kind, panel, split), fit_baseline(kind, panel, split)),
    ):
        assert model.onnx == again.onnx
        novelty = novelty_of(model.onnx, panel.columns(model.columns))
        assert 0.002 < (novelty > 1).mean() < 0.03
        assert score(model.onnx, panel).shape[1] == (2 if kind == "volatility" else 1)


def test_the_same_rows_are_fitted_once_and_come_out_as_if_alone() -> None:
    X = rows()
    forget()
    alone = fit_novelty(X[:TRAIN], X[TRAIN:LATER])
    assert fit_novelty(X[:TRAIN].copy(), X[TRAIN:LATER]) is alone
    other = fit_novelty(X[:TRAIN], X[TRAIN + 1 : LATER])
    assert other is not alone
    forget()
    again = fit_novelty(X[:TRAIN], X[TRAIN:LATER])
    assert again is not alone
    np.testing.assert_array_equal(again(X), alone(X))
    for i in range(9):  # only the last few are kept
        fit_novelty(X[i : i + 300, :3], X[TRAIN:LATER, :3])
    assert fit_novelty(X[:TRAIN], X[TRAIN:LATER]) is not again
