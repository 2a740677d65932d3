"""Recipes and tasks: names, columns, hashes, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.model_set import MODEL_SET
from ml_pipeline.bundling import schema_of
from ml_pipeline.competing import shared_split
from ml_pipeline.errors import FitError, RecipeError
from ml_pipeline.feature_sets import LEVELS, REGIMES, RELATIVE, TIME_OF_DAY
from ml_pipeline.fit import fit, fit_baseline
from ml_pipeline.recipe_table import DEFAULT
from ml_pipeline.recipes import (
    RECIPES,
    SEED_TYPES,
    Recipe,
    kind_of,
    named,
    panel_columns,
)
from ml_pipeline.tasks import EVENT_THRESHOLD, TASKS
from models.common.errors import SchemaError
from models.common.schema import FeatureSchema
from models.common.slot import KINDS
from tests.learning.planted import STEP_MS, planted_panel, split_of

ROOT = Path(__file__).parents[2]


def test_there_is_a_recipe_and_a_task_for_every_kind() -> None:
    assert tuple(TASKS) == KINDS
    assert set(RECIPES) == set(KINDS)
    assert tuple(SEED_TYPES.values()) == KINDS


@pytest.mark.parametrize(("word", "kind"), [*SEED_TYPES.items(), ("price", "price")])
def test_the_seeds_types_and_the_kinds_are_understood(word: str, kind: str) -> None:
    assert kind_of(word) == kind


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"'lstm'.*xgboost.*volatility"):
        kind_of("lstm")


@pytest.mark.parametrize(
    ("word", "kind", "found"),
    [
        ("xgboost", "", "direction/xgboost"),
        ("xgboost", "volatility", "volatility/xgboost"),
        ("gradient_boosting", "", "volatility/lightgbm"),
        ("gradient_boosting", "volatility", "volatility/lightgbm"),
        ("risk", "", "risk/forest"),
        ("risk", "risk", "risk/forest"),
        ("svm-30d", "", "momentum/svm-30d"),
        ("price/ridge", "", "price/ridge"),
        ("price/ridge", "price", "price/ridge"),
        ("logistic", "momentum", "momentum/logistic"),
    ],
)
def test_recipes_are_found_by_type_kind_or_name(word: str, kind: str, found: str) -> None:
    recipe = named(word, kind)
    assert f"{recipe.kind}/{recipe.name}" == found


@pytest.mark.parametrize(
    ("word", "kind", "told"),
    [
        ("ridge", "", "price and volatility have a recipe ridge; write price/ridge"),
        ("lstm", "", "no model of type 'lstm'.*direction/logistic"),
        ("price/lstm", "", "price has no recipe 'lstm'; it has network, ridge"),
        ("random_forest", "direction", "direction has no recipe 'random_forest'"),
        ("price/ridge", "volatility", "price/ridge is no recipe of volatility"),
        ("mood/ridge", "", "no model of type 'mood'"),
    ],
)
def test_a_word_that_names_no_recipe_or_several_is_refused(word: str, kind: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        named(word, kind)


def test_hyperparameters_change_the_hash_and_unknown_ones_are_refused() -> None:
    recipe = RECIPES["direction"][0]
    deeper = recipe.with_hyperparams({"max_depth": 6})
    assert deeper.hyperparams["max_depth"] == 6
    assert recipe.hyperparams["max_depth"] != 6
    assert deeper.hash() != recipe.hash() == RECIPES["direction"][0].hash()
    with pytest.raises(RecipeError, match=r"no hyper-parameter depth.*max_depth"):
        recipe.with_hyperparams({"depth": 6})


@pytest.mark.parametrize(
    "recipe", [r for kind in KINDS for r in RECIPES[kind]], ids=lambda r: f"{r.kind}-{r.name}"
)
def test_a_recipe_written_as_json_comes_back_as_it_was(recipe: Recipe) -> None:
    again = Recipe.from_spec(json.loads(json.dumps(recipe.spec())))
    assert again == recipe
    assert again.hash() == recipe.hash()


def test_numpys_numbers_are_numbers_and_what_cannot_be_written_down_is_refused_before_a_fit() -> (
    None
):
    recipe = RECIPES["direction"][0]
    changed = recipe.with_hyperparams({"n_estimators": np.int64(30), "reg_lambda": np.float64(0.1)})
    again = recipe.with_hyperparams({"n_estimators": 30, "reg_lambda": 0.1})
    assert changed.spec() == again.spec()
    assert changed.hash() == again.hash()
    with pytest.raises(RecipeError, match=r"xgboost cannot be written down: .*object"):
        recipe.with_hyperparams({"n_estimators": object()})


def test_a_spec_of_another_version_is_refused_by_what_is_missing() -> None:
    spec = RECIPES["price"][0].spec()
    del spec["keep"]
    with pytest.raises(RecipeError, match="keep missing or unknown"):
        Recipe.from_spec(spec)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "xgboost_30d"}, "called 'xgboost_30d'.*hyphens"),
        ({"keep": 0}, "keep 1 at least"),
        ({"space": {"depth": (1, 5, "int")}}, "no hyper-parameter depth to search.*max_depth"),
        ({"space": {"max_depth": (5, 1, "int")}}, "space .* of max_depth is none"),
        ({"space": {"learning_rate": (0.0, 1.0, "log")}}, "space .* of learning_rate is none"),
        ({"space": {"max_depth": ("choice",)}}, "space .* of max_depth is none"),
    ],
)
def test_a_misshapen_recipe_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        replace(RECIPES["direction"][0], **change)


def test_columns_in_price_or_volume_units_are_refused_by_name_with_their_twins() -> None:
    columns = ("rsi_14", "sma_37", "volume_sma_20")
    told = r"2 are: sma_37 \[price\], take close_to_sma_37; volume_sma_20 \[volume\], take volume_r"
    with pytest.raises(RecipeError, match=told):
        replace(RECIPES["direction"][0], features=columns)
    with pytest.raises(SchemaError, match=told):
        schema_of(columns)
    with pytest.raises(RecipeError, match="recipe xgboost: there is no feature 'rsi_14x'"):
        replace(RECIPES["direction"][0], features=("rsi_14x",))


def test_what_the_recipes_leave_out_or_add_is_in_the_model_set() -> None:
    """A name that a new model set no longer has would be left out of nothing, unnoticed."""
    assert {*LEVELS, *REGIMES, *TIME_OF_DAY} <= set(MODEL_SET)
    assert not set(RELATIVE) & set(LEVELS)


def test_a_week_and_a_month_mean_the_same_by_an_event() -> None:
    panel = planted_panel(0.0, days=40)
    first, end = int(panel.ts[0]), int(panel.ts[-1]) + STEP_MS
    levels = []
    for days in (7, 30):
        split = shared_split("risk", panel.timeframe, first, end, longest=30, own=days)
        training = panel.rows(split.mask(panel, "train"))
        levels.append(TASKS["risk"].head_of(training)[EVENT_THRESHOLD])
    week = levels[0]
    assert levels == [week, week]
    quieter = replace(panel, labels={"risk_excursion": panel.labels["risk_excursion"] / 2})
    assert TASKS["risk"].head_of(quieter)[EVENT_THRESHOLD] < week


def test_the_settings_page_lists_every_recipe() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for kind, recipes in RECIPES.items():
        names = [recipe.name for recipe in recipes]
        (row,) = re.findall(rf"^\| {kind} \| (.*) \| (.*) \|$", page, re.MULTILINE)
        default, further = (re.findall(r"`([a-z0-9-]+)`", cell) for cell in row)
        assert tuple(default) == DEFAULT[kind]
        assert sorted([*default, *further]) == sorted(names)


def test_a_schema_knows_what_its_columns_are_twins_of() -> None:
    schema = schema_of(("close_to_sma_20", "close_to_ema_37", "rsi_14"))
    assert schema.twins == {
        "sma_20": "close_to_sma_20",
        "bb_middle_20": "close_to_sma_20",
        "ema_37": "close_to_ema_37",
    }
    assert FeatureSchema.from_dict(schema.as_dict()) == schema


@pytest.mark.parametrize("kind", KINDS)
def test_a_panel_holds_all_that_recipe_and_baseline_read(kind: str) -> None:
    columns = panel_columns("1m", [kind])
    assert len(set(columns)) == len(columns)
    learnt = {name for recipe in RECIPES[kind] for name in recipe.features}
    assert set(columns) == {*learnt, *TASKS[kind].columns("1m")}


@pytest.mark.parametrize("kind", ["direction", "risk", "momentum"])
def test_labels_that_are_all_alike_are_refused(kind: str) -> None:
    panel = planted_panel(0.0, 1)
    for column in panel.labels.values():
        column[:] = 1.0
    with pytest.raises(FitError, match="alike"):
        fit_baseline(kind, panel, split_of(panel, kind))


def test_too_few_labels_are_refused_with_their_number() -> None:
    panel = planted_panel(0.0, 1)
    panel.labels["price"][100:] = np.nan
    with pytest.raises(FitError, match=r"price: \d+ known labels in the \w+ slice, 36 needed"):
        fit(RECIPES["price"][0], panel, split_of(panel, "price"), 0)


def test_risk_without_a_whole_hour_is_refused_as_too_few_labels() -> None:
    panel = planted_panel(0.0, 1)
    panel.labels["risk_excursion"][:] = np.nan
    with pytest.raises(FitError, match="risk: 0 known labels in the training slice"):
        fit_baseline("risk", panel, split_of(panel, "risk"))
