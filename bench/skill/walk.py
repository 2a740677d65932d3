"""Fit on what was known, predict what came: the forecasts of one recipe over all folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.skill.folds import split_of
from ml_pipeline.errors import FitError
from ml_pipeline.export import score
from ml_pipeline.fit import Fitted
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import Recipe
from ml_pipeline.rows import all_finite
from ml_pipeline.scoring import row_losses
from ml_pipeline.tasks import TASKS
from ml_pipeline.walk_forward import Fold, fit_fold
from models.common.heads import make_head

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Walk:
    """Forecasts and what came, over all folds: rows whose every outcome is known.

    Attributes
    ----------
    ts, symbol
        Opening times (epoch ms) and symbols.
    y, raw
        Targets [n, K] in the unit of the task's margin, and outputs [n, K'].
    loss
        The task's loss [n].
    confidence
        As served [n]; NaN for risk, whose probability says it all.
    inside
        For price, 1 where the 90 % interval held the outcome, else 0; NaN for other kinds.
    width
        For price, the width of that interval as a log return; NaN for other kinds.
    weight
        How much of the learner was taken, mean over the folds, first output; 0 for baselines.
    """

    ts: NDArray[np.int64]
    symbol: NDArray[np.int16]
    y: Floats
    raw: Floats
    loss: Floats
    confidence: Floats
    inside: Floats
    width: Floats
    weight: Floats

    @classmethod
    def joined(cls, parts: Iterable[Walk]) -> Walk:
        """Return the rows of all folds."""
        found = list(parts)
        return cls(*(np.concatenate([getattr(p, name) for p in found]) for name in _COLUMNS))


_COLUMNS = tuple(Walk.__dataclass_fields__)
Tell = Callable[[str], None]


def walk(
    recipe: Recipe | str,
    panel: Panel,
    through: Iterable[Fold],
    cache: Path,
    tell: Tell,
    days: float,
) -> Walk:
    """Return the forecasts of a recipe, or of the baseline of the kind of that name.

    Parameters
    ----------
    recipe
        A recipe, or a kind whose baseline is meant.
    panel
        All rows.
    through
        The folds.
    cache
        Where finished folds lie; one that is there is not computed again. Use another folder
        after a change of the code that fits.
    tell
        Called with a word after each fold.
    days
        Length of the training slice.
    """
    parts = []
    name = f"{recipe}-baseline-{days:g}" if isinstance(recipe, str) else _name(recipe)
    for fold in through:
        file = cache / panel.timeframe / name / f"{fold.start_ms}-{fold.end_ms}.npz"
        if not file.exists():
            _keep(file, _predicted(recipe, panel, fold, days))
        with np.load(file, allow_pickle=False) as stored:
            parts.append(Walk(**{column: stored[column] for column in _COLUMNS}))
        tell(name)
    return Walk.joined(parts)


def _name(recipe: Recipe) -> str:
    return f"{recipe.kind}-{recipe.name}-{recipe.hash()}"


def _keep(file: Path, found: Walk) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part.npz")
    np.savez(draft, **{column: getattr(found, column) for column in _COLUMNS})
    draft.replace(file)


def _predicted(recipe: Recipe | str, panel: Panel, fold: Fold, days: float) -> Walk:
    kind = recipe if isinstance(recipe, str) else recipe.kind
    task = TASKS[kind]
    split = split_of(fold, panel, task.horizon_bars(panel.timeframe), days)
    try:
        fitted = fit_fold(recipe, panel, fold, split, seed=0)
    except FitError as error:
        raise SystemExit(f"{kind}, fold at {fold.start_ms}: {error}") from error
    return scored(fitted, fold.rows(panel))


def scored(fitted: Fitted, panel: Panel) -> Walk:
    """Return what a fitted model says of the rows of `panel`, and what came."""
    task = TASKS[fitted.kind]
    y = task.y(panel, fitted.head)
    known = all_finite(y)
    rows, y = panel.rows(known), y[known]
    raw = score(fitted.onnx, rows)
    nothing = np.full(len(y), np.nan)
    inside, width = nothing, nothing
    if fitted.kind == "price":
        half = float(fitted.head["interval_q"]) * raw[:, 1]
        inside, width = (np.abs(y[:, 0] - raw[:, 0]) <= half).astype(np.float64), 2 * half
    return Walk(
        ts=np.asarray(rows.ts),
        symbol=np.asarray(rows.symbol),
        y=y,
        raw=raw,
        loss=row_losses(task, fitted.head, raw, rows),
        confidence=_confidence(fitted, raw, nothing),
        inside=inside,
        width=width,
        weight=np.asarray(fitted.facts.get("weight", [0.0]), dtype=np.float64)[:1],
    )


def _confidence(fitted: Fitted, raw: Floats, nothing: Floats) -> Floats:
    answer: Any = make_head(fitted.kind, fitted.head).decode(raw, None)
    return np.asarray(answer.get("confidence", nothing), dtype=np.float64)
