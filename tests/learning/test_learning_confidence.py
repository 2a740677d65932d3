"""Volatility's confidence is the share of forecasts that come close; few hours do not bend it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml_pipeline.export import score
from ml_pipeline.fit import fit_baseline
from ml_pipeline.panel import Panel
from ml_pipeline.rows import all_finite
from ml_pipeline.tasks import TASKS
from models.common.heads import make_head
from tests.learning.planted import planted_panel, split_of

TASK = TASKS["volatility"]
CLOSE = np.log(1.25)


def served(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each holdout row, and whether its forecast came close."""
    split = split_of(panel, "volatility")
    fitted = fit_baseline("volatility", panel, split)
    rows = panel.rows(split.mask(panel, "holdout"))
    y = TASK.y(rows, fitted.head)
    known = all_finite(y)
    raw = score(fitted.onnx, rows.rows(known))
    told = make_head("volatility", fitted.head).decode(raw, None)["confidence"]
    return told, np.abs(y[known][:, 0] - raw[:, 0]) / 2 < CLOSE


def test_it_is_the_share_of_forecasts_that_came_close() -> None:
    told, close = served(planted_panel(0.0))
    assert told.mean() == pytest.approx(close.mean(), abs=0.03)
    assert np.ptp(told) < 0.1


def test_a_wild_spell_in_the_calibration_days_does_not_empty_it() -> None:
    """Three days of which nothing could be foretold are outvoted by those of training."""
    panel = planted_panel(0.0)
    split = split_of(panel, "volatility")
    wild = split.mask(panel, "selection")
    noise = np.where(wild, np.random.default_rng(0).choice([-1.0, 1.0], len(panel)), 0.0)
    labels = {**panel.labels, "rv_1h": panel.labels["rv_1h"] * np.exp(noise)}
    quiet, _ = served(panel)
    spoilt, _ = served(replace(panel, labels=labels))
    assert 0.6 * quiet.mean() < spoilt.mean() < quiet.mean()
