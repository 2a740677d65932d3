"""Every recipe of every kind keeps one contract; its tests share these fits, each made once.

A new recipe is in them by being in the table.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.tasks import TASKS
from models.common.model import Model
from models.common.predictor import load_model
from tests.learning.planted import planted_panel, split_of

KINDS = tuple(TASKS)
EVERY = [recipe for recipes in RECIPES.values() for recipe in recipes]
# A month's recipes are a week's on more rows: what takes a fit of its own is asked of these.
WEEKLY = [recipe for recipe in EVERY if recipe.train_days == 7]
SEED = 3
# Strength of what is planted, and the seed.
WORLDS = {"planted": (1.0, 0), "noise": (0.0, 1), "other noise": (0.0, 2)}


def ids(recipe: Recipe) -> str:
    return f"{recipe.kind}-{recipe.name}"


EACH_RECIPE = pytest.mark.parametrize("recipe", EVERY, ids=ids)
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


@cache
def panel(world: str = "planted") -> Panel:
    if world != "shuffled":
        return planted_panel(*WORLDS[world])
    # Everything as it was, but each row has the labels of some other moment.
    rows = panel("planted")
    order = np.random.default_rng(7).permutation(len(rows))
    return replace(rows, labels={name: column[order] for name, column in rows.labels.items()})


@cache
def _fitted(kind: str, name: str, world: str) -> Fitted:
    rows = panel(world)
    recipe = next(recipe for recipe in RECIPES[kind] if recipe.name == name)
    return fit(recipe, rows, split_of(rows, kind), SEED)


def fitted(recipe: Recipe, world: str = "planted") -> Fitted:
    return _fitted(recipe.kind, recipe.name, world)


@cache
def baseline(kind: str, world: str = "planted") -> Fitted:
    rows = panel(world)
    return fit_baseline(kind, rows, split_of(rows, kind))


def holdout(kind: str, world: str = "planted") -> Panel:
    rows = panel(world)
    return rows.rows(split_of(rows, kind).mask(rows, "holdout"))


def digests() -> dict[str, str]:
    """What another process prints: the graph of each recipe, as a hash."""
    rows = panel()
    models = {ids(r): fit(r, rows, split_of(rows, r.kind), SEED) for r in WEEKLY}
    return {name: hashlib.sha256(model.onnx).hexdigest() for name, model in models.items()}


def version(model: Fitted) -> str:
    return f"2025-05-26T0000Z_5m_{model.recipe}"


def loaded(model: Fitted, home: Path) -> Model:
    found = load_model(f"majors/{model.kind}/{version(model)}", home=home)
    assert isinstance(found, Model)
    return found


def frame(model: Fitted, rows: int = 3) -> pd.DataFrame:
    X = holdout(model.kind).rows(slice(0, rows)).columns(model.columns)
    return pd.DataFrame(X, columns=list(model.columns))
