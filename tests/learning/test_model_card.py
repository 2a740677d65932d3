"""A card never shows an accuracy without the figures that give it a meaning."""

from __future__ import annotations

from typing import Any

import pytest

from ml_pipeline.model_card import model_card

ABOUT: dict[str, Any] = {
    "version_name": "2025-05-28T0000Z_1m_xgboost",
    "description": "Predicts UP or DOWN over the next 5 bars.",
    "kind": "direction",
    "scope": "majors",
    "timeframe": "1m",
    "recipe": "xgboost",
    "baseline": False,
    "simulated": True,
    "source": "simulated-seed7",
    "training": {"data_points": 29370, "symbols": ["BTC-USDT"]},
    "window": {
        "train": {"start": "a", "end": "b"},
        "calibration": {"start": "c", "end": "d"},
        "selection": {"start": "e", "end": "f"},
    },
    "trained_through": "g",
    "fit": {"baseline_is": "coin"},
    "parity_max_abs": 6e-8,
}
METRICS = {
    "skill": 0.005,
    "lower": 0.001,
    "upper": 0.009,
    "z": 2.35,
    "n": 8414,
    "times": 2900,
    "effective_n": 1415.0,
    "loss": 0.682,
    "base_loss": 0.686,
    "accuracy": 0.56,
    "base_rate": 0.48,
}


def test_an_accuracy_stands_beside_baseline_interval_and_sample() -> None:
    card = model_card(ABOUT, METRICS)
    assert "Better than its baseline" in card
    assert "+0.10% to +0.90%" in card
    assert "8,414 rows" in card
    assert "| accuracy of always giving the commoner answer | 0.52 |" in card
    assert "simulated" in card


def test_an_accuracy_of_a_forecast_size_stands_beside_the_commoner_answer_too() -> None:
    figures = {name: value for name, value in METRICS.items() if name != "base_rate"}
    card = model_card(ABOUT | {"kind": "volatility"}, figures | {"event_rate": 0.4})
    assert "| accuracy of always giving the commoner answer | 0.6 |" in card


def test_an_interval_that_reaches_nought_proves_nothing() -> None:
    assert "Not proven better" in model_card(ABOUT, METRICS | {"lower": -0.001})


def test_how_much_was_unlike_what_it_knows_is_said() -> None:
    card = model_card(ABOUT, METRICS | {"novel_share": 0.1234})
    assert "12.3 % of 8,414 unseen rows lay outside of what it knows, 1 % is usual." in card
    assert "| novel_share |" not in card
    assert "outside of what it knows" not in model_card(ABOUT, METRICS)


def test_a_baseline_says_what_it_is() -> None:
    card = model_card(ABOUT | {"baseline": True}, METRICS)
    assert "the baseline that others must beat" in card
    assert "skill" not in card


@pytest.mark.parametrize("missing", ["skill", "n", "base_loss"])
def test_without_a_verdict_there_is_no_verdict_section(missing: str) -> None:
    assert "## Verdict" not in model_card(ABOUT, METRICS | {missing: None})


@pytest.mark.parametrize(("taken", "word"), [(True, "were replaced"), (False, "were kept")])
def test_what_was_chosen_is_told(taken: bool, word: str) -> None:
    columns = {"kept": 30, "of": 118, "folds": 4, "best": []}
    search = {"trials": 24, "seconds": 61.2, "taken": taken, "best_z": 2.61, "z_asked": 2.51}
    fit = ABOUT["fit"] | {"column_choice": columns, "tuning": search}
    card = model_card(ABOUT | {"fit": fit}, METRICS)
    assert "the 30 best of 118" in card
    assert f"24 tried on the selection slice in 61 s; the recipe's own {word}" in card
    assert "(z 2.61, 2.51 is asked)" in card
    assert "tried" not in model_card(ABOUT, METRICS)
