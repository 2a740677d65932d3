"""Every recipe of the table: it fits, exports itself, finds what is planted, and is data."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from ml_pipeline import leftovers, linear
from ml_pipeline.export import TOLERANCE, score
from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.lesson import Lesson
from ml_pipeline.panel import Panel
from ml_pipeline.recipe_table import DEFAULT, RECIPES
from ml_pipeline.recipes import Recipe
from ml_pipeline.scoring import row_losses
from ml_pipeline.skill import judge
from ml_pipeline.tasks import TASKS
from tests.learning.planted import PLANTED, planted_panel, split_of

EVERY = [recipe for recipes in RECIPES.values() for recipe in recipes]
SEED = 3


def ids(recipe: Recipe) -> str:
    return f"{recipe.kind}-{recipe.name}"


@cache
def panel() -> Panel:
    return planted_panel(1.0)


@cache
def baseline(kind: str) -> Fitted:
    return fit_baseline(kind, panel(), split_of(panel(), kind))


@pytest.mark.parametrize("recipe", EVERY, ids=ids)
def test_every_recipe_finds_what_is_planted_and_leaves_as_it_was_fitted(recipe: Recipe) -> None:
    split, task = split_of(panel(), recipe.kind), TASKS[recipe.kind]
    model = fit(recipe, panel(), split, SEED)
    assert model.parity <= TOLERANCE[recipe.kind]
    assert len(model.onnx) < 1_000_000
    assert max(model.importance, key=lambda name: model.importance[name]) == PLANTED
    assert Recipe.from_spec(model.spec) == recipe
    rows = panel().rows(split.mask(panel(), "holdout"))
    losses = [
        row_losses(task, one.head, score(one.onnx, rows), rows)
        for one in (model, baseline(recipe.kind))
    ]
    found = judge(rows.ts, rows.symbol, *losses, split.horizon_bars, seed=0, draws=200)
    assert found.lower > 0


@pytest.mark.parametrize("kind", RECIPES)
def test_each_kind_has_another_library_another_window_and_a_linear_recipe(kind: str) -> None:
    recipes = RECIPES[kind]
    assert len({recipe.library for recipe in recipes}) >= 2
    assert {recipe.train_days for recipe in recipes} == {7.0, 30.0}
    assert any(recipe.type == "linear" for recipe in recipes)
    names = [recipe.name for recipe in recipes]
    assert len(set(names)) == len(names)
    assert DEFAULT[kind][0] == names[0]
    assert set(DEFAULT[kind]) <= set(names)


def _lesson(width: int, base: float = 0.0, seed: int = 0) -> Lesson:
    rng = np.random.default_rng(seed)
    n = 4000
    x = rng.standard_normal((n, 5)).astype(np.float32)
    slope = np.array([0.8, -0.5, 0.0, 0.3, 0.0])[:, None]
    y = x @ slope + rng.standard_normal((n, width))
    return Lesson(
        names=tuple("abcde"),
        X=x,
        y=y,
        base=np.full((n, width), base),
        sigma=np.ones((n, 1)),
        ts=np.arange(n, dtype=np.int64),
        horizon_bars=5,
        bar_ms=1,
    )


def test_the_ridge_is_scikit_learns() -> None:
    lesson = _lesson(width=2)
    learnt = linear.fit_variances(lesson, {"ridge": 0.5}, 0)
    oracle = Ridge(alpha=0.5 * len(lesson)).fit(
        learnt.scaler(lesson.X).astype(np.float64), leftovers.of_variances(lesson)
    )
    np.testing.assert_allclose(learnt.weights, oracle.coef_.T, rtol=1e-9)
    np.testing.assert_allclose(learnt.intercept, oracle.intercept_, atol=1e-12)


def test_the_logistic_regression_is_scikit_learns_where_the_baseline_says_nothing() -> None:
    lesson = _lesson(width=1)
    events = replace(lesson, y=(lesson.y > 0).astype(np.float64))
    learnt = linear.fit_logistic(events, {"ridge": 0.1}, 0)
    x = learnt.scaler(lesson.X).astype(np.float64)
    oracle = LogisticRegression(C=1 / (0.1 * len(events)), tol=1e-10, max_iter=1000)
    oracle.fit(x, events.y[:, 0] > 0.5)
    np.testing.assert_allclose(learnt.weights[:, 0], oracle.coef_[0], rtol=1e-5)
    np.testing.assert_allclose(learnt.intercept, oracle.intercept_, atol=1e-5)


def test_the_logistic_regression_starts_from_the_baselines_log_odds() -> None:
    """What the baseline knows already is not learnt a second time."""
    lesson = _lesson(width=1)
    events = replace(lesson, y=(lesson.y > 0).astype(np.float64))
    first = linear.fit_logistic(events, {"ridge": 0.0}, 0)
    rest = linear.fit_logistic(replace(events, base=first(events.X)), {"ridge": 0.0}, 0)
    assert np.abs(first.weights).max() > 0.5
    assert np.abs(rest.weights).max() < 1e-4


def test_a_column_that_does_not_vary_is_survived_and_weighs_nothing() -> None:
    lesson = _lesson(width=1)
    dead = lesson.X.copy()
    dead[:, 2] = 7.0
    still = replace(lesson, X=dead, y=(lesson.y > 0).astype(np.float64))
    assert linear.fit_logistic(still, {"ridge": 0.0}, 0).weights[2] == 0
    assert linear.fit_returns(still, {"ridge": 0.0}, 0).weights[2] == 0


def test_wild_returns_and_residuals_are_pulled_in() -> None:
    lesson = _lesson(width=2)
    wild = replace(lesson, y=np.where(np.arange(len(lesson))[:, None] == 0, 1e6, lesson.y))
    assert leftovers.of_returns(wild).max() == 4.0
    assert leftovers.of_variances(wild).max() < 5.0
    np.testing.assert_allclose(leftovers.of_variances(wild).mean(axis=0), 0, atol=1e-12)
