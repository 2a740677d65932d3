"""Search a recipe's hyper-parameters on the selection slice, in a budget, and seldom believe it.

Each trial is fitted on the training slice, weighed against its baseline on the calibration slice,
and scored by the kind's loss on the selection slice. The holdout is not read. The recipe's own
hyper-parameters are the first trial, and stay unless another trial beats them there by more than
noise would: the best of n candidates without merit has a z of about √(2 ln n) (Donoho and Johnstone
1994, Biometrika 81:425), so that much is asked, and 1 at the least.

A search that was killed and goes on from its journal tries what it would have tried: the next point
follows from the trials so far and the seed (`ml_pipeline.space`).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.errors import FitError, JudgingError, LearningError
from ml_pipeline.export import Composed
from ml_pipeline.fit import Fitted, chosen, compose, fit, slice_rows
from ml_pipeline.panel import Panel
from ml_pipeline.recipe import Recipe
from ml_pipeline.scoring import row_losses
from ml_pipeline.skill import hac_mean, judging_lag, paired_series
from ml_pipeline.space import hyperparams_at, propose
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from ml_pipeline.trials import Journal, Trial
from ml_pipeline.workplace import Workplace

Floats = NDArray[np.float64]

LEAST_Z = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """How long to search, and where to remember it.

    Attributes
    ----------
    seconds
        Wall time of all trials together, those of an earlier attempt included. A trial is not
        begun when the longest one so far would no longer fit in.
    trials
        Most trials, the recipe's own hyper-parameters included; None sets no limit.
    seed
        Of the search.
    path, key
        Of the `Journal`.
    clock
        Seconds from any origin.
    """

    seconds: float
    trials: int | None = None
    seed: int = 0
    path: Path | None = None
    key: str = ""
    clock: Callable[[], float] = field(default=time.monotonic)


@dataclass(frozen=True)
class Losses:
    """Losses on the selection slice at each time, averaged over symbols: model and baseline [T]."""

    model: Floats
    baseline: Floats
    horizon_bars: int

    @property
    def skill(self) -> float:
        """Share of the baseline's loss that the model saves."""
        return 1.0 - float(self.model.mean() / self.baseline.mean())

    def z_over(self, other: Losses) -> float:
        """Return z of the paired difference; positive where this one lost less."""
        difference = other.model - self.model
        if not np.ptp(difference) > 0:
            return 0.0
        lag = judging_lag(self.horizon_bars, len(difference))
        return float(hac_mean(difference, lag, self.horizon_bars).z)


def attempt(recipe: Recipe, panel: Panel, split: TurnSplit, seed: int) -> Losses:
    """Fit on training rows, weigh on calibration rows, and return the losses on selection rows.

    Raises
    ------
    FitError
        A slice holds too few labels, or the model answered with something that is no number.
    TooFewOutcomes
        As few times that nothing can be weighed or judged.
    """
    task = TASKS[recipe.kind]
    model, _, _, head = compose(recipe, panel, split, seed, after=("calibration",))
    rows = slice_rows(task, panel.rows(split.mask(panel, "selection")), head)
    if not len(rows):
        raise FitError(f"{task.kind}: no known label in the selection slice; give it more days")
    naive = Composed(task, task.columns(panel.timeframe), model.baseline)
    none = np.zeros(len(rows))
    learnt, base = (
        paired_series(rows.panel.ts, row_losses(task, head, one.raw(rows), rows.panel), none)
        for one in (model, naive)
    )
    if not np.isfinite(learnt).all():
        raise FitError(f"recipe {recipe.name} answers with values that are not finite")
    return Losses(learnt, base, rows.horizon_bars)


def fit_tuned(recipe: Recipe, work: Workplace, search: Search) -> Fitted:
    """Choose columns, search hyper-parameters, fit what was found; the facts tell all of it.

    Raises
    ------
    LearningError
        As `ml_pipeline.fit.fit`. A trial that fails, or is killed at its limit, is only counted.
    """
    choice = work(chosen, recipe)
    found, facts = tune(recipe if choice is None else choice.recipe, work, search)
    fitted = work(fit, found)
    told = {} if choice is None else choice.facts()
    return replace(fitted, facts=fitted.facts | told | facts)


def tune(recipe: Recipe, work: Workplace, search: Search) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe with the hyper-parameters that are believed, and the figures for its facts.

    A recipe without a space, or a search without a budget, comes back as it is. So does one that
    cannot be tried, because the calibration or the selection slice alone says too little; together
    they may do for a fit. The facts then say why it was ``not_tuned``.
    """
    if not recipe.space or search.seconds <= 0:
        return recipe, {}
    journal = Journal(search.path, search.key)
    try:
        _run_trials(recipe, work, search, journal)
    except (FitError, JudgingError) as error:
        _log.warning("%s is not tuned: %s", recipe.name, error)
        return recipe, {"not_tuned": str(error)}
    trials = journal.trials
    best = max(trials, key=lambda trial: -math.inf if trial.skill is None else trial.skill)
    asked = noise_of(len({tuple(trial.point.items()) for trial in trials}) - 1)
    taken = bool(best.point) and best.z >= asked
    changes = hyperparams_at(recipe, best.point)
    facts = {
        "trials": len(trials),
        "failed": sum(trial.skill is None for trial in trials),
        "default_skill": trials[0].skill,
        "best_skill": best.skill,
        "best_z": best.z,
        "z_asked": asked,
        "best": changes,
        "taken": taken,
        "seconds": round(sum(trial.seconds for trial in trials), 3),
    }
    found = replace(recipe.with_hyperparams(changes), tuned=True) if taken else recipe
    return found, {"tuning": facts}


def noise_of(candidates: int) -> float:
    """Return the z that the best of so many candidates must exceed to be more than noise."""
    return max(LEAST_Z, math.sqrt(2 * math.log(max(candidates, 1))))


def _run_trials(recipe: Recipe, work: Workplace, search: Search, journal: Journal) -> None:
    """Go on with the trials until the budget is spent; the first is the recipe's own.

    Only the recipe's own trial raises: the others fail and are counted.
    """
    own: Losses | None = None
    while not _spent(search, journal.trials):
        started = search.clock()
        own = work(attempt, recipe) if own is None else own
        if not journal.trials:
            journal.append(Trial({}, own.skill, 0.0, search.clock() - started))
            continue
        point = propose(recipe, journal.trials, search.seed)
        try:
            found = work(attempt, recipe.with_hyperparams(hyperparams_at(recipe, point)))
            skill, z = found.skill, found.z_over(own)
        except (LearningError, JudgingError) as error:
            _log.warning("%s: trial %d failed: %s", recipe.name, len(journal.trials), error)
            journal.append(Trial(point, None, 0.0, search.clock() - started))
        else:
            journal.append(Trial(point, skill, z, search.clock() - started))


def _spent(search: Search, trials: Sequence[Trial]) -> bool:
    """Return whether no further trial fits into the budget."""
    if not trials:
        return False
    seconds = [trial.seconds for trial in trials]
    enough = search.trials is not None and len(trials) >= search.trials
    return enough or sum(seconds) + max(seconds) > search.seconds
