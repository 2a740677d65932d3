"""Recipes by name: what the seeds call them, and which columns they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ml_pipeline.errors import RecipeError
from ml_pipeline.feature_sets import (
    NO_CALENDAR,
    RELATIVE,
    RELATIVE_VOLATILITY,
    TIME_OF_DAY,
    model_set,
)
from ml_pipeline.recipe import Recipe
from ml_pipeline.recipe_table import RECIPES
from ml_pipeline.tasks import TASKS

__all__ = [
    "BASELINE",
    "NO_CALENDAR",
    "RECIPES",
    "RELATIVE",
    "RELATIVE_VOLATILITY",
    "SEED_TYPES",
    "TIME_OF_DAY",
    "Recipe",
    "kind_of",
    "model_set",
    "named",
    "panel_columns",
]

SEED_TYPES = MappingProxyType(
    {
        "xgboost": "direction",
        "random_forest": "risk",
        "neural_net": "price",
        "svm": "momentum",
        "gradient_boosting": "volatility",
    }
)
"""The seeds' words for the five types, and the kind each of them makes."""

BASELINE = "baseline"
"""The name that stands in a baseline's version where a recipe's would."""


def kind_of(word: str) -> str:
    """Return the kind that a seed's type, a kind or a library's name stands for.

    Raises
    ------
    RecipeError
        For a word that is none of them.
    """
    if word in TASKS:
        return word
    if word in SEED_TYPES:
        return SEED_TYPES[word]
    known = ", ".join([*SEED_TYPES, *TASKS])
    raise RecipeError(
        f"no model of type {word!r}; the types are {known}, and recipes such as direction/logistic"
    )


def named(word: str, kind: str = "") -> Recipe:
    """Return the recipe that a word stands for.

    Parameters
    ----------
    word
        A seed's type or a kind (both mean the kind's first recipe), ``direction/logistic``, or a
        recipe's name alone where only one kind has it, or `kind` is given.
    kind
        The kind it must be of; by default any.

    Raises
    ------
    RecipeError
        For a word that names no recipe, or several.
    """
    scope, _, name = word.rpartition("/")
    kinds = [wanted for wanted in (kind, scope) if wanted]
    if kinds:
        if set(kinds) - set(kinds[:1]):
            raise RecipeError(f"{word} is no recipe of {kind}")
        return _recipe(kind_of(kinds[0]), name)
    if word in TASKS or word in SEED_TYPES:
        return RECIPES[kind_of(word)][0]
    of = [kind for kind, recipes in RECIPES.items() if any(r.name == word for r in recipes)]
    if len(of) > 1:
        raise RecipeError(f"{' and '.join(of)} have a recipe {word}; write {of[0]}/{word}, say")
    return _recipe(of[0], word) if of else RECIPES[kind_of(word)][0]


def _recipe(kind: str, word: str) -> Recipe:
    for recipe in RECIPES[kind]:
        if recipe.name == word:
            return recipe
    if word == kind or SEED_TYPES.get(word) == kind:
        return RECIPES[kind][0]
    known = ", ".join(recipe.name for recipe in RECIPES[kind])
    raise RecipeError(f"{kind} has no recipe {word!r}; it has {known}")


def panel_columns(
    timeframe: str,
    kinds: Sequence[str] = tuple(TASKS),
    recipes: Mapping[str, Sequence[Recipe]] = RECIPES,
) -> tuple[str, ...]:
    """Return every column that `recipes` and baselines of `kinds` read, each once."""
    needed = [n for kind in kinds for recipe in recipes[kind] for n in recipe.columns(timeframe)]
    return tuple(dict.fromkeys(needed))
