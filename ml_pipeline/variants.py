"""Variants: what else a recipe could be when it has lost its skill, and which of them to believe.

A recipe that drifted is fitted again as it is, and beside that on a shorter and on a longer
window, with its columns chosen anew, and tuned. All are fitted on their training rows, weighed
against the baseline on the calibration slice and compared on the selection slice, as in
`ml_pipeline.tuning`; the holdout is not read. The plain refit stays unless another loses less there
by more than the best of so many equals would by chance. What won on the selection slice is marked
as tuned, so that its final fit is not weighed on that slice as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ml_pipeline.errors import JudgingError, LearningError
from ml_pipeline.fit import Fitted, chosen, fit
from ml_pipeline.recipe import Recipe
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tuning import Losses, Search, attempt, noise_of, tune
from ml_pipeline.workplace import Workplace

PLAIN, SHORTER, LONGER, COLUMNS, TUNED = (
    "plain refit", "shorter window", "longer window", "columns chosen again", "tuned",
)  # fmt: skip
_KEPT = 0.5
"""Share of a recipe's columns that is kept when they are chosen again."""
_LONGER = 1.25
"""A longer window is one that has at least so many times the days."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """A recipe under another aspect, and the days that it trains on."""

    name: str
    recipe: Recipe


@dataclass(frozen=True)
class Tried:
    """How a variant did on the selection slice: skill over the baseline, z over the plain refit.

    None where it could not be tried; ``why`` says it then.
    """

    variant: str
    skill: float | None = None
    z: float | None = None
    why: str = ""


Bench = Callable[[Recipe], Workplace]
"""Gives the workplace of a recipe: the slices depend on its training days."""


def variants_of(recipe: Recipe, own: TurnSplit, whole: TurnSplit, *, tuned: bool) -> list[Variant]:
    """Return what a recipe could be besides itself.

    Parameters
    ----------
    own, whole
        Its slices, and those with all the history there is.
    tuned
        Whether there is time to search hyper-parameters.
    """
    days = own.train.days / own.shrunk
    most = whole.train.days / whole.shrunk
    found = [Variant(SHORTER, replace(recipe, train_days=days / 2))]
    if most >= _LONGER * days:
        found.append(Variant(LONGER, replace(recipe, train_days=min(2 * days, most))))
    offered = recipe.keep or len(recipe.features)
    if offered > 1:
        keep = max(round(_KEPT * offered), 1)
        found.append(Variant(COLUMNS, replace(recipe, keep=keep)))
    if tuned and recipe.space:
        found.append(Variant(TUNED, recipe))
    return found


def refit_best(
    recipe: Recipe,
    others: Sequence[Variant],
    bench: Bench,
    search: Search | None = None,
) -> tuple[Fitted | None, dict[str, Any]]:
    """Return the fit of the variant that is believed, and the figures for its facts.

    Parameters
    ----------
    recipe
        As it is.
    others
        What else it could be; one that cannot be fitted is only told of.
    bench
        Where each is fitted.
    search
        How the variant `TUNED` is searched.

    Returns
    -------
    Fitted or None, dict
        No fit where the plain one stays: its caller has it already.

    Raises
    ------
    LearningError, JudgingError
        The plain refit itself cannot be tried, or the winner not be fitted.
    """
    plain = _settled(recipe, bench)
    own = bench(plain)(attempt, plain)
    told = [Tried(PLAIN, own.skill, 0.0)]
    best: tuple[Losses, float, Variant] = (own, 0.0, Variant(PLAIN, recipe))
    for variant in others:
        try:
            found = _searched(variant, bench, search)
            losses = bench(found)(attempt, found)
        except (LearningError, JudgingError) as error:
            _log.warning("%s, %s: %s", recipe.name, variant.name, error)
            told.append(Tried(variant.name, why=str(error)))
            continue
        z = losses.z_over(own)
        told.append(Tried(variant.name, losses.skill, z))
        if losses.model.mean() < best[0].model.mean():
            best = (losses, z, Variant(variant.name, found))
    asked = noise_of(sum(one.skill is not None for one in told) - 1)
    taken = best[2].name != PLAIN and best[1] >= asked
    winner = best[2] if taken else Variant(PLAIN, recipe)
    table = {"variant": winner.name, "z_asked": asked, "tried": [asdict(one) for one in told]}
    facts = {"retrained": table}
    if not taken:
        return None, facts
    believed = replace(winner.recipe, tuned=True)
    fitted = bench(believed)(fit, believed)
    return replace(fitted, facts=fitted.facts | facts), facts


def _searched(variant: Variant, bench: Bench, search: Search | None) -> Recipe:
    """Return a variant's recipe with columns and hyper-parameters settled."""
    recipe = _settled(variant.recipe, bench)
    if variant.name == TUNED and search is not None:
        recipe, _ = tune(recipe, bench(recipe), search)
    return recipe


def _settled(recipe: Recipe, bench: Bench) -> Recipe:
    choice = bench(recipe)(chosen, recipe)
    return recipe if choice is None else choice.recipe
