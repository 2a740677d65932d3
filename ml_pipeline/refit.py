"""Fit what a bundle's metadata describe again: a baseline, a recipe, or an ensemble of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_pipeline.composed import ENSEMBLE, compose
from ml_pipeline.errors import NotReproducible
from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import BASELINE, RECIPES, Recipe
from ml_pipeline.splits import TurnSplit
from models.common.regimes import Regimes


def fit_again(about: Mapping[str, Any], panel: Panel, split: TurnSplit) -> Fitted:
    """Return what comes of fitting the same on the rows of `panel`.

    Parameters
    ----------
    about
        A bundle's metadata.
    panel
        Its rows, gathered as they were then.
    split
        Its slices.

    Raises
    ------
    NotReproducible
        A learner is named that no recipe of this version uses, or an ensemble does not say on
        which slices its members were fitted.
    LearningError
        It cannot be fitted.
    """
    kind, seed = str(about["kind"]), int(about["seed"])
    if about["baseline"]:
        return fit_baseline(kind, panel, split)
    if "members" in about:
        return _compose_again(about["fit"][ENSEMBLE], kind, panel, seed)
    return fit(_recipe(kind, about["recipe_spec"]), panel, split, seed)


def _compose_again(made: Mapping[str, Any], kind: str, panel: Panel, seed: int) -> Fitted:
    members, windows = dict[str, Fitted](), dict[str, TurnSplit]()
    for one in made["members"]:
        version = str(one["version"])
        if "window" not in one:
            raise NotReproducible(
                f"the ensemble does not say on which slices its member {version} was fitted"
            )
        window = windows[version] = TurnSplit.from_dict(one["window"])
        if one["recipe"] == BASELINE:
            members[version] = fit_baseline(kind, panel, window)
        else:
            members[version] = fit(_recipe(kind, one["spec"]), panel, window, seed)
    return compose(
        members,
        made["weights"],
        made["method"],
        panel,
        intercept=made["intercept"],
        logistic=made["logistic"],
        regimes=Regimes.from_dict(made["regimes"]) if "regimes" in made else None,
        windows=windows,
    )


def _recipe(kind: str, spec: Mapping[str, Any]) -> Recipe:
    """Return the recipe as fitted; its learner must be one of ours, for a bundle names no code."""
    recipe = Recipe.from_spec(spec)
    ours = {"", *(known.estimator for known in RECIPES[recipe.kind])}
    if recipe.kind != kind or recipe.estimator not in ours:
        raise NotReproducible(
            f"recipe {recipe.name} is made by {recipe.estimator!r}, which no {kind} "
            "recipe of this version uses"
        )
    return recipe
