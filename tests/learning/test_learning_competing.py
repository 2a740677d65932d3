"""Which recipes compete, on which days; all of a kind share what calibrates and judges them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from market.timeframes import DAY_MS
from ml_pipeline.competing import chosen, competing, days_needed, shared_split
from ml_pipeline.errors import RecipeError
from ml_pipeline.recipe_table import DEFAULT, RECIPES
from ml_pipeline.tasks import TASKS

END = 20_000 * DAY_MS
MINUTE = 60_000


def names(kind: str, *words: str) -> tuple[str, ...]:
    return tuple(recipe.name for recipe in chosen(kind, words))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["default"], DEFAULT["direction"]),
        (["all"], tuple(recipe.name for recipe in RECIPES["direction"])),
        (["lightgbm", "xgboost"], ("xgboost", "lightgbm")),
        (["direction/lightgbm", "risk/forest"], ("lightgbm",)),
        (["default", "direction/lightgbm"], (*DEFAULT["direction"], "lightgbm")),
        (["price/ridge"], DEFAULT["direction"]),
    ],
)
def test_words_name_recipes_and_a_kind_that_is_not_named_has_its_default(
    words: Sequence[str], found: tuple[str, ...]
) -> None:
    assert names("direction", *words) == found


def test_a_month_competes_only_where_the_history_holds_it() -> None:
    month = next(recipe for recipe in RECIPES["volatility"] if recipe.train_days == 30)
    needed = days_needed(month, "1m")
    assert 37 < needed < 38
    with_it = competing("volatility", ["all"], "1m", needed)
    assert month in with_it.recipes
    assert with_it.train_days == 30
    assert not with_it.left_out
    without = competing("volatility", ["all"], "1m", needed - 0.01)
    assert month not in without.recipes
    months = sum(recipe.train_days == 30 for recipe in RECIPES["volatility"])
    assert len(without.recipes) == len(RECIPES["volatility"]) - months
    said = without.left_out[-1]
    assert said.startswith("volatility/lightgbm-30d is left out")
    assert "needs 37.7 days" in said


def test_weekly_recipes_compete_on_any_history() -> None:
    assert competing("price", ["default"], "1m", 3.0).train_days == 7


def test_a_month_alone_on_two_weeks_is_refused_with_what_it_needs() -> None:
    with pytest.raises(RecipeError, match=r"needs 37\.2 days of history, not 14\.0; give more"):
        competing("price", ["price/network-30d"], "1m", 14)


@pytest.mark.parametrize("kind", TASKS)
def test_recipes_of_all_windows_share_calibration_selection_and_holdout(kind: str) -> None:
    first = END - 45 * DAY_MS
    month = shared_split(kind, "1m", first, END, longest=30)
    week = shared_split(kind, "1m", first, END, longest=30, own=7)
    for name in ("calibration", "selection", "holdout"):
        assert week.block(name) == month.block(name)
    assert week.train.days == 7
    assert week.train.end_ms == month.train.end_ms
    assert month.train.days > 37, "the longest has all the history there is"
    assert (month.calibration.days, month.selection.days, month.holdout.days) == (2, 3, 2)


def test_the_purge_lies_behind_the_week_too() -> None:
    week = shared_split("volatility", "1m", END - 45 * DAY_MS, END, longest=30, own=7)
    last_row = week.train.end_ms - MINUTE
    assert last_row + week.horizon_bars * MINUTE < week.calibration.start_ms


@pytest.mark.parametrize(("timeframe", "minutes"), [("1m", 1), ("5m", 5), ("1h", 60)])
def test_what_is_needed_is_enough(timeframe: str, minutes: int) -> None:
    for kind, recipes in RECIPES.items():
        for recipe in recipes:
            days = days_needed(recipe, timeframe)
            first = END - round(days * 1440) * MINUTE
            split = shared_split(kind, timeframe, first, END, recipe.train_days)
            assert split.shrunk == 1.0
            assert split.train.days == pytest.approx(recipe.train_days, abs=2 * minutes / 1440)


def test_alone_a_week_stretches_over_the_history_and_shrinks_with_it() -> None:
    long = shared_split("direction", "1m", END - 30 * DAY_MS, END, longest=7, own=7)
    assert 22 < long.train.days < 23
    short = shared_split("direction", "1m", END - 7 * DAY_MS, END, longest=7, own=7)
    assert 0.45 < short.shrunk < 0.5
    assert short.train.days == pytest.approx(3.5, abs=0.1)
