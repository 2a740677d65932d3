"""Where to look next in a recipe's space: Optuna's tree-structured Parzen estimator.

The only module that imports Optuna. Nothing is kept between two calls and nothing global is drawn
from: the next point follows from the trials so far and the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from ml_pipeline.recipe import Recipe
from ml_pipeline.trials import Trial

_RANDOM_TRIALS = 8


def propose(recipe: Recipe, trials: Sequence[Trial], seed: int) -> dict[str, float]:
    """Return the point of the space that is tried after `trials`.

    The first eight points are drawn at random, the others where good trials were (Bergstra et al.
    2011, NIPS).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {name: _distribution(bounds) for name, bounds in recipe.space.items()}
    draws = int(np.random.SeedSequence((seed, len(trials))).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(n_startup_trials=_RANDOM_TRIALS, seed=draws)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in trials:
        point = trial.point or _own(recipe)
        if trial.skill is None or not point:
            study.add_trial(create_trial(state=TrialState.FAIL))
        else:
            study.add_trial(create_trial(params=point, distributions=space, value=trial.skill))
    return dict(study.ask(space).params)


def hyperparams_at(recipe: Recipe, point: Mapping[str, float]) -> dict[str, Any]:
    """Return the hyper-parameters that a point stands for: choices by their place, others as is."""
    return {
        name: recipe.space[name][int(value)] if recipe.space[name][-1] == "choice" else value
        for name, value in point.items()
    }


def _own(recipe: Recipe) -> dict[str, float]:
    """Return the point of the recipe's own hyper-parameters; empty if it lies outside the space."""
    point: dict[str, float] = {}
    for name, (*bounds, sort) in recipe.space.items():
        value = recipe.hyperparams[name]
        if sort == "choice" and value in bounds:
            point[name] = bounds.index(value)
        elif sort != "choice" and bounds[0] <= value <= bounds[1]:
            point[name] = value
        else:
            return {}
    return point


def _distribution(bounds: tuple[Any, ...]) -> BaseDistribution:
    *values, sort = bounds
    if sort == "choice":
        return CategoricalDistribution(range(len(values)))
    low, high = values
    if sort == "int" or (isinstance(low, int) and isinstance(high, int)):
        return IntDistribution(low, high, log=sort == "log")
    return FloatDistribution(low, high, log=sort == "log")
