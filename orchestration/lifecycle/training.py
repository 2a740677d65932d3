"""Train one model because a person asks for it: on their dates, into a folder of their choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from features.besides import Besides
from market.source import CandleSource, open_source
from market.store import CandleStore
from market.symbols import scope_of
from market.timeframes import DAY_MS, bars_per_day, timeframe_ms, utc
from ml_pipeline.errors import RecipeError, SplitError
from ml_pipeline.history import History
from ml_pipeline.recipes import BASELINE, RECIPES, Recipe
from ml_pipeline.splits import EVALUATION_DAYS, MIN_BARS
from ml_pipeline.tasks import TASKS
from ml_pipeline.train import TrainingPipeline
from ml_pipeline.training import train_on
from models.common.bundle import Bundle
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot, version_name
from orchestration.settings import Settings

SHARES = (0.08, 0.12, 0.08)
"""Shares of a long history that calibrate, select and judge."""

LEAST_BARS = 1000
"""Bars of training where neither dates nor a number are given and a week has fewer."""

_SUFFIX = "hand"
_PURGES = 4


@dataclass(frozen=True)
class Order:
    """What to train.

    Parameters
    ----------
    kind, symbols, timeframe
        The slot; several symbols are pooled.
    end_ms
        The moment that counts as now, on the grid of the timeframe.
    start_ms
        First bar, by opening time; by default as many as `lookback_bars` or the recipe want.
    recipe
        Name of a recipe of the kind; by default the kind's first.
    lookback_bars
        Bars of the training slice, instead of `start_ms`.
    changes
        Hyper-parameters that differ from the recipe's.
    tune_seconds
        Time to search hyper-parameters; none by default.
    """

    kind: str
    symbols: tuple[str, ...]
    timeframe: str
    end_ms: int
    start_ms: int | None = None
    recipe: str | None = None
    lookback_bars: int | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    tune_seconds: float = 0

    @property
    def slot(self) -> Slot:
        """The slot it is trained for."""
        return Slot(scope_of(self.symbols), self.kind, self.timeframe)


def recipe_for(order: Order) -> Recipe:
    """Return the recipe of an order, under a name that tells it from a turn's.

    So a turn never takes it for an older instance of its own recipe, to be replaced by a refit.

    Raises
    ------
    RecipeError
        No such recipe or hyper-parameter; of epochs it is said which kinds have them.
    """
    table = RECIPES[order.kind]
    found = [recipe for recipe in table if order.recipe in (None, recipe.name)]
    if not found:
        names = ", ".join(recipe.name for recipe in table)
        raise RecipeError(f"{order.kind} has no recipe {order.recipe!r}; it has {names}")
    recipe = found[0]
    if "epochs" in order.changes and "epochs" not in recipe.hyperparams:
        every = [one for recipes in RECIPES.values() for one in recipes]
        having = [f"{one.kind}/{one.name}" for one in every if "epochs" in one.hyperparams]
        raise RecipeError(
            f"{order.kind}/{recipe.name} is not trained in epochs; only {', '.join(having)} are. "
            "Leave --epochs out"
        )
    changed = recipe.with_hyperparams(order.changes)
    return replace(changed, name=f"{recipe.name}-{_SUFFIX}")


def windows(order: Order, recipe: Recipe) -> tuple[int, tuple[float, float, float]]:
    """Return the bars to train on and the days that calibrate, select and judge.

    A turn's 2, 3 and 2 days, or more where bars are long or the history is: 8, 12 and 8 % of it.

    Raises
    ------
    SplitError
        The dates leave nothing to train on.
    """
    per_day = bars_per_day(order.timeframe)
    horizon = TASKS[order.kind].horizon_bars(order.timeframe)
    least = 2 * max(MIN_BARS, 4 * horizon) / per_day
    purges = _PURGES * (horizon + 1) / per_day
    if order.start_ms is None:
        bars = order.lookback_bars or max(round(recipe.train_days * per_day), LEAST_BARS)
        days = bars / per_day / (1 - sum(SHARES))
        return bars, _slices(days, least)
    days = (order.end_ms - order.start_ms) / DAY_MS - purges
    slices = _slices(days, least)
    bars = int((days - sum(slices)) * per_day)
    if bars < MIN_BARS:
        raise SplitError(
            f"{days:.1f} days of {order.timeframe} from {utc(order.start_ms)} leave {max(bars, 0)} "
            f"bars to train on beside the {sum(slices):.1f} days that calibrate and judge; start "
            "earlier"
        )
    return bars, slices


def _slices(days: float, least: float) -> tuple[float, float, float]:
    whole = zip(EVALUATION_DAYS, SHARES, strict=True)
    first, second, third = (max(least, usual, share * days) for usual, share in whole)
    return first, second, third


def history_of(settings: Settings, end_ms: int, source: CandleSource | None = None) -> History:
    """Return the candles of a home up to a moment."""
    source = source or open_source(settings.source)
    store = CandleStore(settings.candles_dir, source.name)
    return History(source, store, utc(end_ms), Besides(settings.benchmark))


def train_by_hand(
    settings: Settings,
    order: Order,
    home: Path,
    tell: Callable[[str], None] = lambda stage: None,
    with_baseline: bool = False,
) -> list[Bundle]:
    """Train what is ordered, judge it on bars it has not seen, and write it as a bundle.

    Nothing is registered or promoted.

    Parameters
    ----------
    home
        Folder whose ``models/`` the bundle goes to.
    tell
        Called with the name of each stage as it begins: `STAGES`.
    with_baseline
        Write the baseline that it was judged beside as a version too, for a slot that has none.

    Returns
    -------
    list of Bundle
        The model's, and then the baseline's if it was asked for.

    Raises
    ------
    MarketError, PipelineError
        No candles, or too few of them; a recipe that cannot be fitted.
    """
    recipe = recipe_for(order)
    bars, slices = windows(order, recipe)
    history = history_of(settings, order.end_ms)
    tell("candles")
    first = order.end_ms - int((bars / bars_per_day(order.timeframe) + sum(slices)) * DAY_MS)
    for symbol in order.symbols:
        history.candles(symbol, order.timeframe, first, order.end_ms)
    version = _free_name(settings, order, recipe.name)
    tell("fit")
    model = train_on(
        history,
        recipe,
        order.symbols,
        order.timeframe,
        train_bars=bars,
        slices=slices,
        tune_seconds=order.tune_seconds,
        name=version,
        seed=settings.seed,
    )
    tell("judge")
    pipeline = TrainingPipeline(home, settings.seed, source=history.source, end=history.end)
    pipeline.history = history
    purge = TASKS[order.kind].horizon_bars(order.timeframe) + 1
    unseen = slices[2] + 2 * purge * timeframe_ms(order.timeframe) / DAY_MS
    folders = [pipeline.save_model(version, model, unseen)]
    if with_baseline:
        naive = _free_name(settings, order, f"{BASELINE}-{_SUFFIX}")
        base = replace(model, fitted=model.baseline, own_name=naive)
        folders.append(pipeline.save_model(naive, base, unseen))
    tell("verify")
    registry = PredictionModelRegistry(home / "models")
    return [registry.read(folder) for folder in folders]


STAGES = ("candles", "fit", "judge", "verify")


def _free_name(settings: Settings, order: Order, recipe: str) -> str:
    """Return a version's name that no other has: not in its slot, and in staging in none at all.

    Versions never change, and what is staged is called by its version alone.
    """
    at = utc(order.end_ms).to_pydatetime()
    live = PredictionModelRegistry(settings.models_dir)
    staged = PredictionModelRegistry(settings.staging_dir / "models")
    number = 1
    while True:
        word = recipe if number == 1 else f"{recipe}-{number}"
        version = version_name(at, order.timeframe, word)
        if not live.folder(order.slot, version).exists() and not any(
            staged.root.glob(f"*/*/{version}")
        ):
            return version
        number += 1
