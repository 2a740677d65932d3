"""The price network's Gaussian head: a scale that is there reaches the interval, noise does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_pipeline.export import score
from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES
from tests.learning.planted import PLANTED, planted_panel, split_of

Floats = NDArray[np.float64]
NETWORK = RECIPES["price"][0]


def uneven_panel(strength: float) -> Panel:
    """Return a panel of noise that is wider where `PLANTED` is high, which no baseline can see."""
    panel = planted_panel(0.0)
    x = panel.X[:, panel.names.index(PLANTED)].astype(np.float64)
    price = panel.labels["price"] * np.exp(strength * np.tanh(x))
    return replace(panel, labels={**panel.labels, "price": price})


def judged(fitted: Fitted, panel: Panel) -> tuple[Floats, Floats, Floats]:
    """Return covered or not, interval score and the hidden scale's column, over the holdout."""
    rows = panel.rows(split_of(panel, "price").mask(panel, "holdout"))
    raw, y = score(fitted.onnx, rows), rows.labels["price"]
    half = fitted.head["interval_q"] * raw[:, 1]
    outside = np.maximum(np.abs(y - raw[:, 0]) - half, 0.0)
    known = np.isfinite(y)
    hidden = rows.X[:, rows.names.index(PLANTED)].astype(np.float64)
    return (outside <= 0)[known], (2 * half + 20 * outside)[known], hidden[known]


def test_a_learnt_scale_covers_calm_and_wild_moments_alike() -> None:
    panel = uneven_panel(0.6)
    split = split_of(panel, "price")
    learnt, constant = fit(NETWORK, panel, split, 0), fit_baseline("price", panel, split)
    assert learnt.facts["scale_weight"][0] > 0.5
    assert learnt.facts["scale_z"][0] > 3
    inside, width, hidden = judged(learnt, panel)
    flat, flat_width, _ = judged(constant, panel)
    wild, calm = hidden > 0.7, hidden < -0.7
    assert 0.87 < inside.mean() < 0.93
    for where, gap in ((wild, 0.15), (calm, 0.08)):
        assert abs(flat[where].mean() - 0.9) > gap
        assert abs(inside[where].mean() - 0.9) < 0.8 * abs(flat[where].mean() - 0.9)
    assert width.mean() < 0.98 * flat_width.mean()


def test_a_scale_that_is_not_there_is_not_believed() -> None:
    panel = uneven_panel(0.0)
    split = split_of(panel, "price")
    learnt = fit(NETWORK, panel, split, 0)
    assert learnt.facts["scale_weight"][0] < 0.3
    rows = panel.rows(split.mask(panel, "holdout"))
    naive = score(fit_baseline("price", panel, split).onnx, rows)[:, 1]
    ratio = score(learnt.onnx, rows)[:, 1] / naive
    assert np.abs(np.log(ratio)).max() < 0.1


def test_the_mean_is_still_found() -> None:
    panel = planted_panel(1.0)
    fitted = fit(NETWORK, panel, split_of(panel, "price"), 0)
    rows = panel.rows(split_of(panel, "price").mask(panel, "holdout"))
    y, mean = rows.labels["price"], score(fitted.onnx, rows)[:, 0]
    known = np.isfinite(y)
    assert np.corrcoef(y[known], mean[known])[0, 1] > 0.3


@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(strength: float) -> None:
    panel = uneven_panel(strength)
    split = split_of(panel, "price")
    first, again, other = (fit(NETWORK, panel, split, seed).onnx for seed in (3, 3, 4))
    assert first == again
    assert first != other
