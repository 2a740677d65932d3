"""Which recipes of a kind compete, and the slices on which they do: one lookup for a turn.

All recipes of a kind share calibration, selection and holdout, so that every comparison of theirs
is paired; only the training slices differ, and all of them end together. The longest recipe has
what history there is; a shorter one has exactly the last days of it that it asks for. A recipe
longer than its kind's shortest competes only where the history holds its whole window: on less it
would be another recipe under its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from market.timeframes import DAY_MS, bars_per_day, timeframe_ms
from ml_pipeline.errors import RecipeError
from ml_pipeline.recipe import Recipe
from ml_pipeline.recipe_table import DEFAULT, RECIPES
from ml_pipeline.splits import Block, TurnSplit, evaluation_days, turn_split
from ml_pipeline.tasks import TASKS

_PURGES = 4
# History is measured from the first bar that has all features; one bar more or less is no matter.
_SLACK_BARS = 1


@dataclass(frozen=True)
class Competition:
    """The recipes of one kind that compete.

    Attributes
    ----------
    recipes
        At least one, in the order of the table.
    left_out
        One sentence for each recipe that was asked for and has too little history.
    """

    recipes: tuple[Recipe, ...]
    left_out: tuple[str, ...] = ()

    @property
    def train_days(self) -> float:
        """The longest training window among them."""
        return max(recipe.train_days for recipe in self.recipes)

    def named(self, name: str) -> Recipe | None:
        """Return the recipe of that name, or None."""
        return next((recipe for recipe in self.recipes if recipe.name == name), None)


def chosen(kind: str, words: Sequence[str]) -> tuple[Recipe, ...]:
    """Return the recipes of `kind` that `words` name, in the order of the table.

    Parameters
    ----------
    words
        ``default``, ``all``, names such as ``logistic``, or one kind's such as ``price/ridge``.
        A kind of which nothing is named has its default.
    """
    asked = {word.removeprefix(f"{kind}/") for word in words}
    if "all" in asked:
        return RECIPES[kind]
    if "default" in asked:
        asked |= set(DEFAULT[kind])
    found = tuple(recipe for recipe in RECIPES[kind] if recipe.name in asked)
    return found or chosen(kind, ("default",))


def unnamed(kind: str, words: Sequence[str]) -> frozenset[str]:
    """Return the recipes of the table that `words` do not name: nothing fits them any more.

    Examples
    --------
    >>> sorted(unnamed("price", ("network", "direction/logistic")))
    ['lightgbm', 'network-30d', 'ridge']
    """
    return frozenset(recipe.name for recipe in RECIPES[kind]) - {
        r.name for r in chosen(kind, words)
    }


def competing(kind: str, words: Sequence[str], timeframe: str, days: float) -> Competition:
    """Return the recipes of `kind` that compete on `days` of history.

    Raises
    ------
    RecipeError
        None of those that `words` name has history enough.
    """
    shortest = min(recipe.train_days for recipe in RECIPES[kind])
    inside, left_out = [], []
    for recipe in chosen(kind, words):
        needed = days_needed(recipe, timeframe)
        if recipe.train_days == shortest or needed <= days:
            inside.append(recipe)
            continue
        left_out.append(
            f"{kind}/{recipe.name} is left out: it trains on {recipe.train_days:g} days, and with "
            f"those that calibrate and judge it needs {needed:.1f} days of history, not {days:.1f}"
        )
    if not inside:
        raise RecipeError(f"{'; '.join(left_out)}; give more days, or name a shorter recipe too")
    return Competition(tuple(inside), tuple(left_out))


def days_needed(recipe: Recipe, timeframe: str) -> float:
    """Return the days of history on which no slice of `recipe` is shortened."""
    horizon = TASKS[recipe.kind].horizon_bars(timeframe)
    bars = _PURGES * (horizon + 1) - _SLACK_BARS
    judged = sum(evaluation_days(timeframe, horizon))
    return recipe.train_days + judged + bars / bars_per_day(timeframe)


def shared_split(
    kind: str, timeframe: str, start_ms: int, end_ms: int, longest: float, own: float | None = None
) -> TurnSplit:
    """Return the slices of a recipe whose longest rival trains on `longest` days.

    More days of history than all of them ask for go into the training of the longest, so that the
    slices which calibrate and judge keep their length.

    Parameters
    ----------
    start_ms, end_ms
        Opening time of the first usable row, and the instant of the turn, epoch ms.
    longest
        Training days of the longest recipe of the kind that competes.
    own
        Training days of the recipe; by default the longest's.

    Raises
    ------
    SplitError
        The history cannot hold the slices.
    """
    horizon = TASKS[kind].horizon_bars(timeframe)
    purges = _PURGES * (horizon + 1) / bars_per_day(timeframe)
    spare = (end_ms - start_ms) / DAY_MS - sum(evaluation_days(timeframe, horizon)) - purges
    split = turn_split(start_ms, end_ms, timeframe, horizon, max(longest, spare))
    if own is None or own >= longest:
        return split
    step = timeframe_ms(timeframe)
    length = int(own * split.shrunk * DAY_MS) // step * step
    start = max(split.train.start_ms, split.train.end_ms - length)
    return replace(split, train=Block(start, split.train.end_ms))
