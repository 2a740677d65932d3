"""Fit one model: baseline, learner, blend and head on their slices; out come bytes and facts.

The training slice fits the learner, and chooses its columns where the recipe asks for that. The
calibration and selection slices together weigh the learner against the baseline and calibrate the
answers; a recipe that was tuned on the selection slice is weighed on the calibration slice only.
The holdout is not read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ml_pipeline.calibration import fit_blend, fit_scale
from ml_pipeline.column_choice import ColumnChoice, choose_columns
from ml_pipeline.errors import FitError
from ml_pipeline.export import Composed, verified_parity
from ml_pipeline.heads_fit import fit_head
from ml_pipeline.learner import fit_learner
from ml_pipeline.lesson import Scaled
from ml_pipeline.novelty import FLAGGED, fit_novelty
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import BASELINE, Recipe
from ml_pipeline.rows import Rows, all_finite
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS, Task

Floats = NDArray[np.float64]

_PARITY_ROWS = 2048


@dataclass(frozen=True)
class Fitted:
    """A fitted model as data.

    Attributes
    ----------
    kind, recipe, baseline
        What it is; `baseline` is true for the naive model, whose recipe is called so.
    onnx
        The whole model, calibration included.
    head
        Parameters that turn its output into answers.
    columns
        Columns of its input, in order.
    parity
        Largest difference between the graph and the fitted objects.
    importance
        Share of each learnt column, summing to one; empty for baselines.
    facts
        Figures of the fit, JSON-able: rows, weights and their significance, which baseline.
    spec
        `Recipe.spec` of the recipe as it was really fitted; empty for baselines.
    """

    kind: str
    recipe: str
    baseline: bool
    onnx: bytes
    head: dict[str, Any]
    columns: tuple[str, ...]
    parity: float
    importance: dict[str, float]
    facts: dict[str, Any]
    spec: dict[str, Any] = field(default_factory=dict)


def slice_rows(task: Task, panel: Panel, head: dict[str, Any]) -> Rows:
    """Return the rows of `panel` whose every target is known."""
    y = task.y(panel, head)
    known = all_finite(y)
    return Rows(panel.rows(known), y[known], task.horizon_bars(panel.timeframe))


def compose(
    recipe: Recipe,
    panel: Panel,
    split: TurnSplit,
    seed: int,
    after: tuple[str, ...] = ("calibration", "selection"),
) -> tuple[Composed, Rows, Rows, dict[str, Any]]:
    """Return the fitted objects, training and calibration rows, and what made targets of labels.

    `after` names the slices that count as calibration.
    """
    task = TASKS[recipe.kind]
    _on_one_thread()
    train, calibration, head = _slices(task, panel, split, after)
    baseline = task.baseline(train, calibration)
    learner = fit_learner(recipe, baseline, train, seed)
    columns = recipe.columns(panel.timeframe)
    model = Composed(task, columns, baseline, learner, None, recipe.features)
    weighing = calibration
    if recipe.tuned:
        weighing = calibration.take(split.mask(calibration.panel, "calibration"))
    margin, base = model.learner_margin(weighing), baseline.margin(weighing)
    blend = fit_blend(task.curve, weighing, base, margin, task.prior_weight)
    return _with_scale(replace(model, blend=blend), weighing), train, calibration, head


def _with_scale(model: Composed, calibration: Rows) -> Composed:
    """Return the model with as much of a learnt scale as the calibration rows support."""
    variance = model.baseline.log_variance
    if variance is None or not isinstance(model.learner, Scaled):
        return model
    learnt = model.learner.log_scale(calibration.matrix(model.learnt))
    blend = fit_scale(calibration, model.margin(calibration), variance(calibration), learnt)
    return replace(model, scale_blend=blend)


def fit(
    recipe: Recipe, panel: Panel, split: TurnSplit, seed: int, *, novelty: bool = True
) -> Fitted:
    """Fit `recipe` and blend it into its baseline.

    Parameters
    ----------
    recipe
        How the model is made.
    panel
        Rows of all slices; those of the holdout are not read.
    split
        Bounds of the slices.
    seed
        Of everything the learner draws. The same arguments give the same bytes.
    novelty
        Whether the graph also says how far a row lies from the training rows; what else it says is
        the same without.

    Raises
    ------
    FitError
        If a slice holds too few known labels, or only one class.
    ParityError
        If the exported graph does not equal the fitted model.
    """
    choice = chosen(recipe, panel, split, seed)
    recipe = recipe if choice is None else choice.recipe
    model, train, calibration, head = compose(recipe, panel, split, seed)
    fitted = _fitted(model, recipe.name, train, calibration, head, recipe.spec(), novelty)
    return fitted if choice is None else replace(fitted, facts=fitted.facts | choice.facts())


def chosen(recipe: Recipe, panel: Panel, split: TurnSplit, seed: int) -> ColumnChoice | None:
    """Return the recipe with the columns that its training slice chose; None if it takes all."""
    if not recipe.chooses:
        return None
    _on_one_thread()
    train, _, head = _slices(TASKS[recipe.kind], panel, split)
    return choose_columns(recipe, train, head, seed)


def fit_baseline(kind: str, panel: Panel, split: TurnSplit, *, novelty: bool = True) -> Fitted:
    """Fit the naive model of `kind` on the same slices; otherwise as `fit`."""
    task = TASKS[kind]
    _on_one_thread()
    train, calibration, head = _slices(task, panel, split)
    model = Composed(task, task.columns(panel.timeframe), task.baseline(train, calibration))
    return _fitted(model, BASELINE, train, calibration, head, {}, novelty)


def _on_one_thread() -> None:
    """Keep matrix products on one thread, for good: fits run beside each other.

    A sum that is split over threads comes out different in its last digits, and so would the model.
    """
    threadpool_limits(limits=1, user_api="blas")


def _slices(
    task: Task,
    panel: Panel,
    split: TurnSplit,
    after: tuple[str, ...] = ("calibration", "selection"),
) -> tuple[Rows, Rows, dict[str, Any]]:
    training = panel.rows(split.mask(panel, "train"))
    head = task.head_of(training) if len(training) else {}
    train = slice_rows(task, training, head)
    later = np.any([split.mask(panel, name) for name in after], axis=0)
    calibration = slice_rows(task, panel.rows(later), head)
    for name, rows in (("training", train), ("calibration", calibration)):
        if len(rows) < 3 * rows.horizon_bars:
            raise FitError(
                f"{task.kind}: {len(rows)} known labels in the {name} slice, "
                f"{3 * rows.horizon_bars} needed (three horizons); give it more days"
            )
        if task.curve == "logit" and not 0 < rows.y.mean() < 1:
            raise FitError(
                f"{task.kind}: all {len(rows)} labels of the {name} slice are alike; "
                "the market did not move, or the window is too short"
            )
    return train, calibration, head


def _fitted(
    model: Composed,
    recipe: str,
    train: Rows,
    calibration: Rows,
    head: dict[str, Any],
    spec: dict[str, Any],
    novelty: bool,
) -> Fitted:
    if novelty:
        known, later = train.matrix(model.columns), calibration.matrix(model.columns)
        model = replace(model, novelty=fit_novelty(known, later))
    onnx_bytes = model.to_onnx()
    step = max(len(calibration) // _PARITY_ROWS, 1)
    probe = calibration.take(np.arange(len(calibration)) % step == 0)
    facts: dict[str, Any] = {
        "baseline_is": model.baseline.name,
        "training_rows": len(train),
        "calibration_rows": len(calibration),
    }
    if novelty:
        facts["novel_share"] = FLAGGED
    if model.blend is not None:
        facts |= {"weight": model.blend.weight.tolist(), "weight_z": model.blend.z.tolist()}
    if model.scale_blend is not None:
        scale = model.scale_blend
        facts |= {"scale_weight": scale.weight.tolist(), "scale_z": scale.z.tolist()}
    return Fitted(
        kind=model.task.kind,
        recipe=recipe,
        baseline=model.learner is None,
        onnx=onnx_bytes,
        head=head | fit_head(model, train, calibration),
        columns=model.columns,
        parity=verified_parity(model, onnx_bytes, probe),
        importance=_importance(model),
        facts=facts,
        spec=spec,
    )


def _importance(model: Composed) -> dict[str, float]:
    if model.learner is None:
        return {}
    shares = model.learner.importance / max(float(model.learner.importance.sum()), 1e-300)
    return dict(zip(model.learnt, shares.tolist(), strict=True))
