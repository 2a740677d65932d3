"""The words of the setting `recipes`, checked against the table only when a recipe is named."""

from __future__ import annotations

from collections.abc import Sequence

WHOLE = ("default", "all")


def check_recipes(words: Sequence[str]) -> tuple[str, ...]:
    """Return `words`, each once; they are names of recipes, or a word that stands for several.

    Raises
    ------
    ValueError
        For a word that is in no table; the message lists what is.
    """
    asked = tuple(dict.fromkeys(words))
    if set(asked) <= set(WHOLE):
        return asked
    # The table knows columns and baselines, and takes a third of a second to import: most commands
    # need no names.
    from ml_pipeline.recipe_table import RECIPES

    known = {f"{kind}/{recipe.name}" for kind, recipes in RECIPES.items() for recipe in recipes}
    bare = {name.partition("/")[2] for name in known}
    unknown = [word for word in asked if word not in known | bare | set(WHOLE)]
    if unknown:
        table = "; ".join(
            f"{kind}/ {', '.join(recipe.name for recipe in recipes)}"
            for kind, recipes in RECIPES.items()
        )
        raise ValueError(f"unknown recipes {unknown}; choose default, all, or of {table}")
    return asked


def check_windows(words: Sequence[str], kinds: Sequence[str], timeframe: str, days: float) -> None:
    """Check that of each kind one recipe at least can be trained on `days` of history.

    Raises
    ------
    ValueError
        None of a kind's can; the message says how many days they need.
    """
    if set(words) & set(WHOLE):
        return
    from ml_pipeline.competing import competing
    from ml_pipeline.errors import RecipeError

    try:
        for kind in kinds:
            competing(kind, words, timeframe, days)
    except RecipeError as error:
        raise ValueError(str(error)) from error
