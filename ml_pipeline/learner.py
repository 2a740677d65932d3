"""Fit a recipe's learner on rows, against a baseline that is fitted already."""

from __future__ import annotations

from market.timeframes import timeframe_ms
from ml_pipeline.baselines import Baseline
from ml_pipeline.lesson import Lesson, Margin
from ml_pipeline.recipe import Recipe
from ml_pipeline.rows import Rows


def fit_learner(recipe: Recipe, baseline: Baseline, rows: Rows, seed: int) -> Margin:
    """Return what the recipe's estimator makes of `rows`, sorted by time."""
    return recipe.load_estimator()(lesson_of(recipe, baseline, rows), recipe.hyperparams, seed)


def lesson_of(recipe: Recipe, baseline: Baseline, rows: Rows) -> Lesson:
    """Return what the recipe's estimator is given of `rows`."""
    return Lesson(
        names=recipe.features,
        X=rows.matrix(recipe.features),
        y=rows.y,
        base=baseline.margin(rows),
        sigma=baseline.sigma(rows),
        ts=rows.panel.ts,
        horizon_bars=rows.horizon_bars,
        bar_ms=timeframe_ms(rows.panel.timeframe),
    )
