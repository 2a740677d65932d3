"""The exported graph is the fitted model; several of a kind compose into one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml_pipeline.composed import compose as compose_ensemble
from ml_pipeline.export import TOLERANCE, score
from ml_pipeline.fit import compose
from ml_pipeline.recipes import Recipe
from ml_pipeline.rows import Rows
from ml_pipeline.scoring import metrics, row_losses
from ml_pipeline.tasks import TASKS
from models.common.heads import make_head
from tests.contract.fits import (
    EACH_KIND,
    EACH_RECIPE,
    SEED,
    WEEKLY,
    baseline,
    fitted,
    holdout,
    panel,
)
from tests.learning.planted import split_of


@EACH_RECIPE
def test_the_graph_equals_the_fitted_model_also_far_from_the_training_rows(recipe: Recipe) -> None:
    rows, kind = panel(), recipe.kind
    split = split_of(rows, kind)
    model, *_ = compose(recipe, rows, split, SEED)
    assert fitted(recipe).parity <= TOLERANCE[kind]
    assert len(fitted(recipe).onnx) < 1_000_000
    onnx = model.to_onnx()
    for stretch in (1.0, 20.0, 0.0):
        x = holdout(kind).X * np.float32(stretch)
        clock = rows.names.index("quarter_hour")
        x[:, clock] = holdout(kind).X[:, clock]
        strange = replace(holdout(kind), X=x)
        native = model.raw(Rows(strange, np.zeros((len(strange), 1)), split.horizon_bars))
        assert np.abs(score(onnx, strange) - native).max() <= TOLERANCE[kind]


@EACH_RECIPE
def test_one_row_is_answered_as_in_a_batch(recipe: Recipe) -> None:
    rows, onnx = panel(), fitted(recipe).onnx
    batch = score(onnx, rows.rows(slice(0, 32)))
    alone = np.vstack([score(onnx, rows.rows(slice(i, i + 1))) for i in range(32)])
    np.testing.assert_allclose(alone, batch, rtol=0, atol=1e-6)


@EACH_KIND
def test_all_recipes_of_a_kind_compose_into_one_graph(kind: str) -> None:
    """Every library's operators beside each other; and a blend is no worse than its members are.

    The losses are convex in what is averaged (Brier's nearly), so it loses at most what they lose
    on average.
    """
    members = {r.name: fitted(r) for r in WEEKLY if r.kind == kind} | {"baseline": baseline(kind)}
    whole = compose_ensemble(members, np.ones(len(members)), "weighted_avg", panel())
    assert whole.parity <= 1e-6
    rows, task = holdout(kind), TASKS[kind]
    losses = [
        np.nanmean(row_losses(task, whole.head, score(one.onnx, rows), rows))
        for one in (whole, *members.values())
    ]
    assert losses[0] <= np.mean(losses[1:]) + 1e-9
    # The mean of the members' heads fits the mean of their outputs.
    if kind == "price":
        assert metrics(task, whole.head, score(whole.onnx, rows), rows)["coverage"] == (
            pytest.approx(0.9, abs=0.03)
        )
    if kind == "risk":
        train = panel().rows(split_of(panel(), kind).mask(panel(), "train"))
        told = make_head(kind, whole.head).decode(score(whole.onnx, train), None)
        assert np.mean(told["risk"] < 60) == pytest.approx(0.6, abs=0.02)
