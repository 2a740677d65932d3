"""Train one kind on the history of a source: what the seeds' classes and pipeline share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from market.symbols import parse_symbols, scope_of
from market.timeframes import DAY_MS, bars_per_day, parse_timeframe, timeframe_ms
from ml_pipeline.bundling import Origin
from ml_pipeline.errors import RecipeError
from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.history import History
from ml_pipeline.lineage import lineage
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import Recipe
from ml_pipeline.splits import TurnSplit, evaluation_days, turn_split
from ml_pipeline.tasks import TASKS
from ml_pipeline.trained import TrainedModel
from ml_pipeline.workplace import here
from models.common.slot import Slot

_PURGES = 4


def train_on(
    history: History,
    recipe: Recipe,
    symbols: str | Sequence[str],
    timeframe: str,
    *,
    train_bars: int | None = None,
    slices: tuple[float, float, float] | None = None,
    name: str,
    seed: int = 0,
    tune_seconds: float = 0.0,
) -> TrainedModel:
    """Fit `recipe` and its baseline on the latest bars of `symbols`.

    Parameters
    ----------
    history
        Where candles come from.
    train_bars
        Bars of the training slice, by default what the recipe says. Calibration, selection and
        holdout follow it and end now, so that by default it ends a week ago.
    slices
        Days of these three, by default 2, 3 and 2, more for bars of an hour and longer.
    name
        What the model is called.
    seed
        Of the fit, and of the search.
    tune_seconds
        How long to search the recipe's space before; 0 does without.

    Raises
    ------
    SourceError
        No candles.
    SplitError, FitError
        The history is too short for the slices.
    """
    symbols, timeframe = parse_symbols(symbols), parse_timeframe(timeframe)
    step = timeframe_ms(timeframe)
    days = recipe.train_days if train_bars is None else train_bars / bars_per_day(timeframe)
    horizon = TASKS[recipe.kind].horizon_bars(timeframe)
    slices = slices or evaluation_days(timeframe, horizon)
    end = history.now_ms(timeframe)
    start = end - int((days + sum(slices)) * DAY_MS) - _PURGES * (horizon + 1) * step
    panel = history.panel(symbols, timeframe, recipe.columns(timeframe), start, end)
    split = turn_split(start, end, timeframe, horizon, days, slices)
    began = time.perf_counter()
    fitted = _fitted(recipe, panel, split, seed, tune_seconds)
    seconds = round(time.perf_counter() - began, 3)
    origin = Origin(
        slot=Slot(scope_of(symbols), recipe.kind, timeframe),
        symbols=tuple(symbols),
        source=history.source.name,
        simulated=history.source.simulated,
        split=split,
        created_ms=end,
        lineage=lineage(panel, split, recipe.kind, fitted.columns),
        turn_data_hash=panel.data_hash(),
        benchmark=history.besides.benchmark,
        seed=seed,
        training_seconds=seconds,
    )
    baseline = fit_baseline(recipe.kind, panel, split)
    return TrainedModel(fitted, baseline, Recipe.from_spec(fitted.spec), origin, panel, name)


def as_asked(recipe: Recipe, config: Mapping[str, Any] | None) -> tuple[Recipe, float]:
    """Return the recipe as a configuration changes it, and the seconds in which to tune it.

    Parameters
    ----------
    recipe
        To start from.
    config
        Hyper-parameters, and two words that are none: ``keep``, the number of columns that are
        kept (`Recipe.keep`), and ``tune_seconds``.

    Raises
    ------
    RecipeError
        For a hyper-parameter that the recipe does not know, or a word with a senseless value.
    """
    changes = dict(config or {})
    keep, seconds = changes.pop("keep", recipe.keep), changes.pop("tune_seconds", 0.0)
    if isinstance(keep, bool) or not (keep is None or isinstance(keep, int)):
        raise RecipeError(f"keep says how many columns are kept, a whole number, not {keep!r}")
    if not (isinstance(seconds, int | float) and 0 <= seconds < float("inf")):
        raise RecipeError(f"tune_seconds is a time in seconds, 0 or more, not {seconds!r}")
    return replace(recipe.with_hyperparams(changes), keep=keep), float(seconds)


def _fitted(
    recipe: Recipe, panel: Panel, split: TurnSplit, seed: int, tune_seconds: float
) -> Fitted:
    if not tune_seconds:
        return fit(recipe, panel, split, seed)
    # Optuna is imported by those who search.
    from ml_pipeline.tuning import Search, fit_tuned

    return fit_tuned(recipe, here(panel, split, seed), Search(tune_seconds, seed=seed))
