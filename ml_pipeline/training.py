"""Train one kind on the history of a source: what the seeds' classes and pipeline share."""

from __future__ import annotations

import time
from collections.abc import Sequence

from market.symbols import parse_symbols, scope_of
from market.timeframes import DAY_MS, bars_per_day, parse_timeframe, timeframe_ms
from ml_pipeline.bundling import Origin
from ml_pipeline.fit import fit, fit_baseline
from ml_pipeline.history import History
from ml_pipeline.lineage import lineage
from ml_pipeline.recipes import Recipe
from ml_pipeline.splits import EVALUATION_DAYS, turn_split
from ml_pipeline.tasks import TASKS
from ml_pipeline.trained import TrainedModel
from models.common.slot import Slot

_PURGES = 4


def train_on(
    history: History,
    recipe: Recipe,
    symbols: str | Sequence[str],
    timeframe: str,
    *,
    train_bars: int | None = None,
    name: str,
    seed: int = 0,
) -> TrainedModel:
    """Fit `recipe` and its baseline on the latest bars of `symbols`.

    Parameters
    ----------
    history
        Where candles come from.
    train_bars
        Bars of the training slice, by default what the recipe says. Calibration, selection and
        holdout (2, 3 and 2 days) follow it and end now, so it ends a week ago.
    name
        What the model is called.
    seed
        Of the fit.

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
    end = history.now_ms(timeframe)
    start = end - int((days + sum(EVALUATION_DAYS)) * DAY_MS) - _PURGES * (horizon + 1) * step
    panel = history.panel(symbols, timeframe, recipe.columns(timeframe), start, end)
    split = turn_split(start, end, timeframe, horizon, days)
    began = time.perf_counter()
    fitted = fit(recipe, panel, split, seed)
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
    return TrainedModel(
        fitted, fit_baseline(recipe.kind, panel, split), recipe, origin, panel, name
    )
