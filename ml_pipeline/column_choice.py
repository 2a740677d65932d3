"""Which columns a learner should see: permutation importance over time folds of the training slice.

The slice is cut into four blocks of time. For each, a learner is fitted on the other three, purged
by the horizon on both sides, and scored on the block as it is and with columns shuffled: what the
loss gains by that is what the columns were worth. Columns that say the same share their worth, and
shuffling one of them shows nothing, so they are shuffled together (correlation above 0.8) and one
of them speaks for all. Nothing after the training slice is looked at. Breiman (2001), Machine
Learning 45:5; groups after Strobl et al. (2008), BMC Bioinformatics 9:307.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from market.timeframes import timeframe_ms
from ml_pipeline.baselines import Baseline
from ml_pipeline.calibration import nested, sigmoid
from ml_pipeline.errors import FitError
from ml_pipeline.learner import fit_learner
from ml_pipeline.lesson import Margin
from ml_pipeline.recipe import Recipe
from ml_pipeline.rows import Rows
from ml_pipeline.scaling import Scaler
from ml_pipeline.scoring import row_losses
from ml_pipeline.tasks import TASKS

Floats = NDArray[np.float64]
Names = tuple[str, ...]

FOLDS = 4
ALIKE = 0.8
"""Columns whose correlation is above this, in size, say the same."""

SHOWN = 20
"""Rows of the table of importances that go into a model's facts."""

# Overlapping labels repeat themselves: more rows than these cost time and tell little.
_MOST_ROWS = 12_000
_MOST_SCORED = 2_000


@dataclass(frozen=True)
class Worth:
    """What a group of columns was worth: loss gained by shuffling it, over the folds.

    Attributes
    ----------
    columns
        Columns that are shuffled together; the first is nearest to all the others.
    mean, spread
        Mean of the folds and its standard error, in the unit of the kind's loss.
    """

    columns: Names
    mean: float
    spread: float


@dataclass(frozen=True)
class ColumnChoice:
    """The recipe with the columns that were kept, and why.

    Attributes
    ----------
    recipe
        Its features are those kept, in their old order.
    worths
        All groups of columns, best first.
    """

    recipe: Recipe
    worths: tuple[Worth, ...]

    def facts(self) -> dict[str, Any]:
        """Return the table for a model's facts, JSON-able."""
        best = [
            {"columns": list(worth.columns), "mean": worth.mean, "spread": worth.spread}
            for worth in self.worths[:SHOWN]
        ]
        offered = sum(len(worth.columns) for worth in self.worths)
        kept = len(self.recipe.features)
        return {"column_choice": {"kept": kept, "of": offered, "folds": FOLDS, "best": best}}


def choose_columns(recipe: Recipe, train: Rows, head: Mapping[str, Any], seed: int) -> ColumnChoice:
    """Return `recipe` with the ``recipe.keep`` best of its features.

    Parameters
    ----------
    recipe
        Any kind, any estimator.
    train
        Rows of the training slice; nothing else is read.
    head
        What makes targets of labels, learnt on the training slice.
    seed
        Of the fits and of the shuffling. The same arguments give the same columns.

    Raises
    ------
    FitError
        The slice is too short for four folds.
    """
    train = _thinned(train, _MOST_ROWS)
    groups = alike(train.matrix(recipe.features), recipe.features)
    rng = np.random.default_rng(seed)
    baseline = _baseline(recipe, train)
    gains = np.array(
        [
            _gains(recipe, baseline, rest, _thinned(block, _MOST_SCORED), head, groups, seed, rng)
            for rest, block in _folds(train)
        ]
    )
    mean, spread = gains.mean(axis=0), gains.std(axis=0, ddof=1) / np.sqrt(FOLDS)
    order = np.argsort(-mean, kind="stable")
    worths = tuple(Worth(groups[i], float(mean[i]), float(spread[i])) for i in order)
    kept = set(best_of(worths, recipe.keep or len(recipe.features)))
    features = tuple(name for name in recipe.features if name in kept)
    return ColumnChoice(replace(recipe, features=features), worths)


def best_of(worths: tuple[Worth, ...], keep: int) -> Names:
    """Return the `keep` best columns: one of each group that is worth something, then its likes.

    What is worth nothing comes last, in case `keep` asks for more.
    """
    ranked: list[str] = []
    for useful in (True, False):
        groups = [worth.columns for worth in worths if (worth.mean > 0) is useful]
        for place in range(max(map(len, groups), default=0)):
            ranked += [columns[place] for columns in groups if place < len(columns)]
    return tuple(ranked[:keep])


def alike(X: NDArray[np.float32], names: Names) -> tuple[Names, ...]:
    """Return the columns of `X` in groups whose members correlate, nearest to all others first."""
    if len(names) < 2:
        return (names,)
    scaled = Scaler.fit(X)(X).astype(np.float64)
    deviation = scaled.std(axis=0)
    centred = (scaled - scaled.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    nearness = np.minimum(np.abs(centred.T @ centred) / len(X), 1.0)
    distance = 1.0 - nearness
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    label = fcluster(tree, 1.0 - ALIKE, "distance")
    groups = []
    for one in dict.fromkeys(label.tolist()):
        members = np.flatnonzero(label == one)
        central = nearness[np.ix_(members, members)].sum(axis=1)
        ordered = members[np.argsort(-central, kind="stable")]
        groups.append(tuple(names[i] for i in ordered))
    return tuple(groups)


def _thinned(rows: Rows, most: int) -> Rows:
    """Return the rows of every so many bars, about `most` of them."""
    step = -(-len(rows) // most)
    bar = rows.panel.ts // timeframe_ms(rows.panel.timeframe)
    return rows if step < 2 else rows.take(bar % step == 0)


def _baseline(recipe: Recipe, train: Rows) -> Baseline:
    """Fit the baseline once: it is the same for every shuffled column, and has few parameters."""
    ts = train.panel.ts
    cut = int(np.quantile(ts, 0.75))
    purge = (train.horizon_bars + 1) * timeframe_ms(train.panel.timeframe)
    return TASKS[recipe.kind].baseline(train.take(ts + purge < cut), train.take(ts >= cut))


def _folds(train: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield the rest and the block of each fold, the rest purged by the horizon on both sides."""
    ts = train.panel.ts
    purge = (train.horizon_bars + 1) * timeframe_ms(train.panel.timeframe)
    edges = np.linspace(int(ts[0]), int(ts[-1]) + 1, FOLDS + 1).astype(np.int64)
    for start, end in pairwise(edges.tolist()):
        rest = train.take((ts + purge < start) | (ts >= end + purge))
        block = train.take((ts >= start) & (ts < end))
        if min(len(rest), len(block)) < 2 * FOLDS:
            raise FitError(
                f"{len(train)} training rows leave {len(rest)} and {len(block)} for a fold of "
                "column choice; give it more days, or keep all columns"
            )
        yield rest, block


def _gains(
    recipe: Recipe,
    baseline: Baseline,
    rest: Rows,
    block: Rows,
    head: Mapping[str, Any],
    groups: tuple[Names, ...],
    seed: int,
    rng: np.random.Generator,
) -> list[float]:
    """Return what shuffling each group adds to the mean loss on `block` of a fit on `rest`."""
    score = _scorer(recipe, baseline, fit_learner(recipe, baseline, rest, seed), block, head)
    X = block.matrix(recipe.features)
    untouched, gains = score(X), []
    for group in groups:
        places = [recipe.features.index(name) for name in group]
        shuffled = X.copy()
        shuffled[:, places] = X[rng.permutation(len(X))][:, places]
        gains.append(score(shuffled) - untouched)
    return gains


def _scorer(
    recipe: Recipe, baseline: Baseline, learner: Margin, block: Rows, head: Mapping[str, Any]
) -> Callable[[NDArray[np.float32]], float]:
    """Return the function that gives the mean loss on `block` of the learner fed with a matrix.

    The learner is blended in with the weight it usually earns: its full margin would be so bold
    that the noise of its boldness hides what a column is worth.
    """
    task = TASKS[recipe.kind]
    base, sigma = baseline.margin(block), baseline.sigma(block)
    blend = nested(base, learner(block.matrix(recipe.features)) * sigma, task.prior_weight)

    def score(X: NDArray[np.float32]) -> float:
        margin = blend(base, learner(X) * sigma)
        raw = sigmoid(margin) if task.curve == "logit" else margin
        return float(np.nanmean(row_losses(task, head, raw, block.panel)))

    return score
