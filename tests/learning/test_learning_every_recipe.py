"""The table of recipes, and what its linear ones compute; tests/contract fits them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from ml_pipeline import leftovers, linear
from ml_pipeline.lesson import Lesson
from ml_pipeline.recipe_table import DEFAULT, RECIPES


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
