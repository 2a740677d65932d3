"""Losses and figures by kind, pictures, and the graph's own column names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ml_pipeline import losses
from ml_pipeline.panel import Panel
from ml_pipeline.pictures import importance_picture, validation_picture
from ml_pipeline.scoring import metrics, row_losses
from ml_pipeline.tasks import TASKS
from tests.learning.planted import planted_panel

HEADS = {
    "direction": {},
    "risk": {
        "event_threshold": 0.02,
        "probability_quantiles": list(np.linspace(0.0, 1.0, 101)),
    },
    "price": {"interval_q": 1.6, "sign_slope": 0.0},
    "momentum": {},
    "volatility": {"median_log_variance": -9.0},
}
HITS = {"accuracy", "precision", "recall", "f1"}
FIGURES = {
    "direction": HITS | {"auc", "ece", "brier", "log_loss", "base_rate"},
    "risk": HITS | {"auc", "ece", "brier", "log_loss", "base_rate"},
    "momentum": HITS | {"auc", "ece", "brier", "log_loss", "base_rate"},
    "price": HITS | {"rmse", "mae", "r2", "coverage", "event_rate"},
    "volatility": HITS
    | {"rmse", "mae", "r2", "qlike_1h", "qlike_4h", "r2_log_1h", "r2_log_4h"}
    | {"event_rate"},
}


def raw(kind: str, panel: Panel) -> np.ndarray:
    n = len(panel)
    if kind == "price":
        return np.column_stack([np.zeros(n), np.full(n, 0.01)])
    if kind == "volatility":
        return np.column_stack([np.full(n, -9.0), np.full(n, -7.6)])
    return np.full((n, 1), 0.3)


@pytest.fixture(scope="module")
def panel() -> Panel:
    made = planted_panel(0.0, 2, days=2)
    holes = {name: column.copy() for name, column in made.labels.items()}
    for column in holes.values():
        column[:10] = np.nan
    return replace(made, labels=holes)


@pytest.mark.parametrize("kind", TASKS)
def test_figures_have_their_documented_names(kind: str, panel: Panel) -> None:
    figures = metrics(TASKS[kind], HEADS[kind], raw(kind, panel), panel)
    assert set(figures) == FIGURES[kind] | {"n", "loss"}
    assert figures["n"] == len(panel) - 10
    assert np.isfinite(list(figures.values())).all()


@pytest.mark.parametrize("kind", TASKS)
def test_unknown_outcomes_have_no_loss(kind: str, panel: Panel) -> None:
    per_row = row_losses(TASKS[kind], HEADS[kind], raw(kind, panel), panel)
    assert np.isnan(per_row[:10]).all()
    assert np.isfinite(per_row[10:]).all()
    figures = metrics(TASKS[kind], HEADS[kind], raw(kind, panel), panel)
    assert figures["loss"] == pytest.approx(per_row[10:].mean())


@pytest.mark.parametrize("kind", TASKS)
def test_no_known_row_gives_no_figures(kind: str, panel: Panel) -> None:
    none = panel.rows(slice(0, 5))
    figures = metrics(TASKS[kind], HEADS[kind], raw(kind, none), none)
    assert figures["n"] == 0
    assert np.isnan(figures["loss"])


def test_volatility_loss_is_the_mean_of_its_horizons(panel: Panel) -> None:
    output = raw("volatility", panel)
    each = [
        losses.qlike(panel.labels[name], np.exp(output[:, k]))
        for k, name in enumerate(("rv_1h", "rv_4h"))
    ]
    per_row = row_losses(TASKS["volatility"], {}, output, panel)
    np.testing.assert_allclose(per_row, np.mean(each, axis=0))


def test_a_risk_event_is_what_the_version_calls_one(panel: Panel) -> None:
    calm, wild = ({"event_threshold": threshold} for threshold in (1e-6, 10.0))
    certain = np.ones((len(panel), 1))
    assert np.nanmean(row_losses(TASKS["risk"], calm, certain, panel)) == 0
    assert np.nanmean(row_losses(TASKS["risk"], wild, certain, panel)) == 1


@pytest.mark.parametrize("kind", TASKS)
def test_pictures_are_drawn(kind: str, panel: Panel) -> None:
    output = raw(kind, panel)
    picture = validation_picture(TASKS[kind], HEADS[kind], output, output, panel, kind)
    assert picture.startswith(b"\x89PNG")
    assert 5_000 < len(picture) < 60_000


@pytest.mark.parametrize("importance", [{}, {"a": 0.0}, {f"f{i}": i / 100 for i in range(50)}])
def test_importance_is_drawn_even_if_nothing_was_learnt(importance: dict[str, float]) -> None:
    picture = importance_picture(importance, "what it looks at")
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60_000


def test_a_picture_does_not_depend_on_those_before_it_or_beside_it(panel: Panel) -> None:
    def draw(kind: str) -> bytes:
        output = raw(kind, panel)
        return validation_picture(TASKS[kind], HEADS[kind], output, 0.9 * output, panel, kind)

    def bars(share: float) -> bytes:
        return importance_picture({"a": share, "b": 2 * share} if share else {}, "bars")

    alone = {kind: draw(kind) for kind in TASKS}
    alone_bars = {share: bars(share) for share in (0.0, 0.3, 0.001)}
    assert len({*alone.values(), *alone_bars.values()}) == len(TASKS) + 3
    for kind in reversed(TASKS):
        assert draw(kind) == alone[kind]
    for share in (0.001, 0.0, 0.3, 0.0):
        assert bars(share) == alone_bars[share]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(draw, [*TASKS] * 2))
    assert beside == [*alone.values()] * 2
