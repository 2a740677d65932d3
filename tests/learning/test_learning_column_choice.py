"""Columns are chosen by what they are worth inside the training slice, and by nothing later."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ml_pipeline import column_choice
from ml_pipeline.column_choice import SHOWN, ColumnChoice, Worth, alike, best_of
from ml_pipeline.fit import chosen, fit
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.tasks import TASKS
from tests.learning.planted import PLANTED, planted_panel, split_of

KINDS = tuple(TASKS)
# Another column of every recipe; in `twin_panel` it says nearly what the planted one does.
TWIN = "eom_14"


FEWER = {
    "direction": {"n_estimators": 20},
    "risk": {"n_estimators": 60},
    "price": {"epochs": 5},
    "momentum": {"n_components": 100},
}


def small(kind: str, keep: int) -> Recipe:
    """The kind's first recipe, quicker to fit."""
    return replace(RECIPES[kind][0], keep=keep).with_hyperparams(FEWER.get(kind, {}))


@cache
def twin_panel() -> Panel:
    panel = planted_panel(1.0)
    x = panel.X.copy()
    faint = np.random.default_rng(9).standard_normal(len(x))
    x[:, panel.names.index(TWIN)] = x[:, panel.names.index(PLANTED)] + 0.2 * faint
    return replace(panel, X=x)


@cache
def choice_of(kind: str, seed: int = 0) -> ColumnChoice:
    panel = twin_panel()
    found = chosen(small(kind, 5), panel, split_of(panel, kind), seed)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_informs_is_kept_and_noise_is_not_worth_anything(kind: str) -> None:
    choice = choice_of(kind)
    best, others = choice.worths[0], choice.worths[1:]
    assert set(best.columns) == {PLANTED, TWIN}
    assert best.mean > 4 * best.spread
    assert max(other.mean for other in others) < best.mean / 5
    assert len(choice.recipe.features) == 5
    assert set(choice.recipe.features) & {PLANTED, TWIN}


def test_likes_are_shuffled_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shuffled alone, each of two columns that say the same looks worth less than it is."""
    panel = twin_panel()
    together = choice_of("volatility").worths[0].mean
    monkeypatch.setattr(column_choice, "ALIKE", 1.0)  # only equal columns are alike
    alone = chosen(small("volatility", 5), panel, split_of(panel, "volatility"), 0)
    assert alone is not None
    worth = {w.columns: w.mean for w in alone.worths if {PLANTED, TWIN} & set(w.columns)}
    assert set(worth) == {(PLANTED,), (TWIN,)}
    assert max(worth.values()) < 0.95 * together


@pytest.mark.parametrize("kind", ["price", "volatility"])
def test_nothing_after_the_training_slice_is_looked_at(kind: str) -> None:
    panel = twin_panel()
    split = split_of(panel, kind)
    later = panel.ts >= split.train.end_ms
    x, rng = panel.X.copy(), np.random.default_rng(1)
    x[later] = 50 * rng.standard_normal(x[later].shape)
    labels = {name: np.where(later, rng.random(len(x)), y) for name, y in panel.labels.items()}
    poisoned = chosen(small(kind, 5), replace(panel, X=x, labels=labels), split, 0)
    assert poisoned == choice_of(kind)


@pytest.mark.parametrize("kind", ["volatility", "price"])
def test_a_fit_tells_its_columns_and_can_be_repeated_from_its_spec(kind: str) -> None:
    panel = twin_panel()
    split = split_of(panel, kind)
    fitted = fit(small(kind, 5), panel, split, 0)
    features = choice_of(kind).recipe.features
    assert tuple(fitted.spec["features"]) == features == tuple(fitted.importance)
    assert set(fitted.columns) == {*features, *TASKS[kind].columns(panel.timeframe)}
    table = json.loads(json.dumps(fitted.facts))["column_choice"]
    assert (table["kept"], table["of"]) == (5, len(RECIPES[kind][0].features))
    assert len(table["best"]) == SHOWN
    assert set(table["best"][0]["columns"]) == {PLANTED, TWIN}
    again = fit(Recipe.from_spec(fitted.spec), panel, split, 0)
    assert again.onnx == fitted.onnx
    assert "column_choice" not in again.facts


def test_keeping_all_columns_chooses_none() -> None:
    panel = twin_panel()
    recipe = RECIPES["volatility"][0]
    every = replace(recipe, keep=len(recipe.features))
    assert chosen(every, panel, split_of(panel, "volatility"), 0) is None


def test_one_speaks_for_its_likes_until_the_useful_ones_are_in() -> None:
    worths = (
        Worth(("a", "a2", "a3"), 0.3, 0.1),
        Worth(("b",), 0.2, 0.1),
        Worth(("c", "c2"), 0.1, 0.1),
        Worth(("noise",), -0.1, 0.1),
    )
    assert best_of(worths, 3) == ("a", "b", "c")
    assert best_of(worths, 5) == ("a", "b", "c", "a2", "c2")
    assert best_of(worths, 7)[-1] == "noise"


def test_columns_that_follow_or_mirror_each_other_are_alike() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 5)).astype(np.float32)
    x[:, 1] = -x[:, 0] + 0.1 * x[:, 1]
    x[:, 4] = 7.0
    groups = alike(x, ("one", "mirror", "other", "another", "constant"))
    assert {frozenset(group) for group in groups} == {
        frozenset({"one", "mirror"}), frozenset({"other"}), frozenset({"another"}),
        frozenset({"constant"}),
    }  # fmt: skip
