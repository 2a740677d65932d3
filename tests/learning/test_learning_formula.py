"""Baselines' formulas: fitted right, shrunk where they explain nothing, exported as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_pipeline import baselines
from ml_pipeline import formula as fm
from ml_pipeline.export import score
from ml_pipeline.formula import Formula, Term
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.panel import Panel
from ml_pipeline.rows import Rows
from tests.learning.planted import planted_panel

STEP = 300_000


def rows_of(columns: dict[str, NDArray[np.float64]], y: NDArray[np.float64]) -> Rows:
    n = len(y)
    panel = Panel(
        timeframe="5m",
        symbols=("BTC-USDT",),
        names=tuple(columns),
        ts=STEP * np.arange(n, dtype=np.int64),
        symbol=np.zeros(n, dtype=np.int16),
        X=np.stack(list(columns.values()), axis=1).astype(np.float32),
        close=np.ones(n),
        labels={},
    )
    return Rows(panel, y.reshape(n, -1), 12)


def normal(n: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(n)


def exported(formula: Formula, rows: Rows) -> NDArray[np.float64]:
    graph = Graph(rows.names)
    return score(graph.to_bytes(formula.nodes(graph), formula.width), rows.panel)


def test_least_squares_is_least_squares() -> None:
    x, z = normal(2000), normal(2000, 1)
    y = np.stack([1 + 2 * x - z, 3 - x], axis=1) + normal(4000, 2).reshape(-1, 2)
    rows = rows_of({"x": x, "z": z}, y)
    terms = (Term("x"), Term("z"))
    fitted = fm.least_squares(rows, terms, y)
    clipped = fm.design(rows, terms, fitted.lower, fitted.upper)
    oracle = LinearRegression().fit(clipped, y)
    np.testing.assert_allclose(fitted(rows), oracle.predict(clipped), atol=1e-9)


def test_logit_is_logistic_regression() -> None:
    x, z = normal(4000), 5 + 3 * normal(4000, 1)
    y = (normal(4000, 2) < 0.5 * np.abs(x) - 0.1 * z).astype(np.float64)
    rows = rows_of({"x": x, "z": z}, y)
    terms = (Term("x", "abs"), Term("z"))
    fitted = fm.logit(rows, terms, y)
    clipped = fm.design(rows, terms, fitted.lower, fitted.upper)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(clipped, y)
    np.testing.assert_allclose(fitted(rows)[:, 0], oracle.decision_function(clipped), atol=0.01)


def test_separable_labels_stay_finite() -> None:
    x = normal(500)
    fitted = fm.logit(rows_of({"x": x}, (x > 0) * 1.0), (Term("x"),), (x > 0) * 1.0)
    assert np.isfinite(fitted.weights).all()


def test_without_intercept_zero_is_even_odds() -> None:
    x = normal(500)
    y = (x + 0.5 > 0).astype(np.float64)
    fitted = fm.logit(rows_of({"x": x}, y), (Term("x", "sign"),), y, intercept=False)
    assert fitted.intercept == 0


@pytest.mark.parametrize(
    "formula",
    [
        Formula.constant(0.25, -3.0),
        Formula(
            (Term("x"), Term("x", "abs"), Term("z", "sign"), Term("z", "square")),
            np.array([-1.0, -0.5, -2.0, -3.0]),
            np.array([1.0, 2.0, 2.0, 0.5]),
            np.array([[1.0], [2.0], [3.0], [0.1]]),
            np.array([0.5]),
        ),
        Formula(
            (Term("z"),),
            np.array([-9.0]),
            np.array([9.0]),
            np.array([[1.0, 2.0]]),
            np.array([0.0, 1.0]),
            np.arange(192.0).reshape(96, 2),
        ),
    ],
)
def test_the_graph_is_the_formula(formula: Formula) -> None:
    columns = {"z": 3 * normal(300), "x": normal(300, 1), fm.CLOCK: np.arange(300.0) % 96}
    rows = rows_of(columns, np.zeros(300))
    np.testing.assert_allclose(exported(formula, rows), formula(rows), atol=1e-5)


def test_a_regression_that_explains_nothing_is_shrunk_away() -> None:
    strong, weak = [], []
    for seed in range(20):
        x = normal(3000, seed)
        rows = rows_of({"x": x}, np.zeros(3000))
        for kept, effect in ((strong, 1.0), (weak, 0.0)):
            y = (effect * x + normal(3000, 100 + seed))[:, None]
            fitted = fm.least_squares(rows, (Term("x"),), y)
            shrunk = fm.copas(fitted, rows, y)
            kept.append(float((shrunk.weights / fitted.weights)[0, 0]))
            assert shrunk(rows).mean() == pytest.approx(y.mean(), abs=1e-9)
    assert min(strong) > 0.98
    assert np.median(weak) < 0.1


def test_the_time_of_day_is_found_where_days_agree_and_only_there() -> None:
    n, days = 288 * 12, 12
    clock = np.arange(n) % 288 // 3
    rows = rows_of({fm.CLOCK: clock.astype(np.float64)}, np.zeros(n))
    wave = np.sin(2 * np.pi * clock / 96)
    day = np.repeat(normal(days, 5), 288)
    noise = normal(n, 3)
    found = baselines.time_of_day(rows, np.stack([wave + noise, noise, day], axis=1))
    assert np.corrcoef(found[:, 0], np.sin(2 * np.pi * np.arange(96) / 96))[0, 1] > 0.97
    assert found[:, 0].std() > 0.6
    assert found[:, 1].std() < 0.05
    assert found[:, 2].std() < 0.05


def test_har_is_unbiased_in_variance_and_survives_dead_hours() -> None:
    panel = planted_panel(0.0, 4)
    rv = np.array(panel.labels["rv_1h"])
    rv[::50] = 0.0
    rows = Rows(panel, np.log(np.maximum(rv, 1e-12))[:, None], 48)
    forecast = np.exp(baselines.har(rows, rv[:, None])(rows))[:, 0]
    assert np.mean(rv / forecast) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("timeframe", "windows"),
    [("1m", (15, 60, 240, 1440)), ("5m", (3, 12, 48, 288)), ("1h", (3, 15))],
)
def test_har_windows_are_those_nearest_to_the_clock(
    timeframe: str, windows: tuple[int, ...]
) -> None:
    assert baselines.har_columns(timeframe) == tuple(f"log_rv_{n}" for n in windows)


def test_direction_is_a_coin_until_another_rule_is_proven() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    last = rng.standard_normal(n)
    coin = (rng.random(n) < 0.5).astype(np.float64)
    rising = (rng.random(n) < 0.56).astype(np.float64)
    turning = (rng.random(n) < np.where(last > 0, 0.45, 0.55)).astype(np.float64)
    named = {"coin": coin, "training rate": rising, "sign of the last move": turning}
    for name, y in named.items():
        rows = replace(rows_of({"return_5": last}, y), horizon_bars=5)
        early = np.arange(n) < n // 2
        chosen = baselines.direction(rows.take(early), rows.take(~early))
        assert chosen.name == name


def test_a_market_that_mostly_stands_still_has_a_har_too() -> None:
    panel = planted_panel(0.0, 4)
    rv = np.where(np.arange(len(panel)) % 10 == 0, panel.labels["rv_1h"], 0.0)
    fitted = baselines.har(Rows(panel, np.zeros((len(panel), 1)), 12), rv[:, None])
    assert np.isfinite(fitted(Rows(panel, np.zeros((len(panel), 1)), 12))).all()
