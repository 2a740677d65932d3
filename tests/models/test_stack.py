"""Stacks: learnt coefficients as numbers in JSON, other kinds' outputs among their inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.common.errors import EnsembleError
from models.common.predictor import EnsemblePredictor, load_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import KINDS
from models.common.stack import Stack
from tests.models import tiny

BIAS = {"a": -1.0, "b": 0.5}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    root = PredictionModelRegistry(home / "models").root
    for kind in KINDS:
        for letter, bias in BIAS.items():
            tiny.bundle(root, kind, f"{kind}-{letter}", bias=bias)
    return home


def frame(rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame(tiny.ROWS[:rows], columns=list(tiny.NAMES)).assign(close=100.0)


def raw(home: Path, name: str) -> np.ndarray:
    return np.asarray(load_model(name, home=home).raw(frame()), dtype=float)  # type: ignore[attr-defined]


def odds(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def stacked(home: Path, **stack: Any) -> EnsemblePredictor:
    return EnsemblePredictor(method="stacking", stack=stack, home=home)


def test_a_stack_adds_what_its_coefficients_say_and_an_intercept(home: Path) -> None:
    inputs = ["direction-a", "direction-b"]
    one, two = (raw(home, name) for name in inputs)
    plain = stacked(home, inputs=inputs, coefficients=[0.3, 0.6], intercept=0.01)
    expected = 0.51 + 0.3 * (one - 0.5) + 0.6 * (two - 0.5)
    np.testing.assert_allclose(plain.raw(frame()), expected, rtol=1e-12)
    logistic = stacked(home, inputs=inputs, coefficients=[0.3, 0.6], intercept=0.1, logistic=True)
    expected = 1 / (1 + np.exp(-(0.1 + 0.3 * odds(one) + 0.6 * odds(two))))
    np.testing.assert_allclose(logistic.predict(frame())["probability"], expected[:, 0], rtol=1e-12)


def test_volatilities_are_stacked_by_horizon(home: Path) -> None:
    inputs = ["volatility-a", "volatility-b"]
    one, two = (raw(home, name) for name in inputs)
    table = [[1.0, 0.2], [0.1, 0.7]]
    stack = stacked(home, inputs=inputs, coefficients=table, intercept=[0.5, -0.5])
    expected = one * table[0] + two * table[1] + [0.5, -0.5]
    np.testing.assert_allclose(stack.raw(frame()), expected, rtol=1e-12)
    answer = stack.predict(frame())
    np.testing.assert_allclose(answer["predicted_volatility_4h"], np.exp(expected[:, 1] / 2))


def test_a_price_is_stacked_by_its_return_and_its_deviation_is_a_mean(home: Path) -> None:
    inputs = ["price-a", "price-b"]
    one, two = (raw(home, name) for name in inputs)
    stack = stacked(home, inputs=inputs, coefficients=[0.1, 0.3], intercept=0.001)
    found = stack.raw(frame())
    np.testing.assert_allclose(found[:, 0], 0.001 + 0.1 * one[:, 0] + 0.3 * two[:, 0])
    sigma = np.exp(0.25 * np.log(one[:, 1]) + 0.75 * np.log(two[:, 1]))
    np.testing.assert_allclose(found[:, 1], sigma)


def crossed(**more: Any) -> dict[str, Any]:
    return {
        "inputs": ["direction-a", "volatility-a", "price-b", "risk-a", "direction-b"],
        "coefficients": [0.4, -0.02, 0.05, 0.1, 0.2],
        "kind": "direction",
        "centres": {"volatility-a": -10.5, "price-b": 0.0, "risk-a": -0.2},
        **more,
    }


def test_other_kinds_are_inputs_by_what_they_add_to_their_usual_value(home: Path) -> None:
    one, volatility, price, risk, two = (raw(home, name) for name in crossed()["inputs"])
    extra = -0.02 * (volatility[:, :1] + 10.5) + 0.05 * price[:, :1] / price[:, 1:]
    expected = 0.5 + 0.4 * (one - 0.5) + 0.2 * (two - 0.5) + extra + 0.1 * (risk - 0.5 + 0.2)
    ensemble = stacked(home, **crossed())
    np.testing.assert_allclose(ensemble.raw(frame()), expected, rtol=1e-12)
    assert ensemble.kind == "direction"
    assert {*ensemble.predict(frame(1))} == {
        "direction", "confidence", "probability", "novelty", "out_of_distribution", "missing",
    }  # fmt: skip


def test_one_of_another_kind_that_is_gone_changes_nothing_but_its_own_part(home: Path) -> None:
    """And one of its own kind that is gone hands its weight to the others."""
    stack = crossed()
    stack["inputs"] = ["direction-a", "gone", "price-b", "risk-a", "also-gone"]
    stack["centres"] = {"gone": -10.5, "price-b": 0.0, "risk-a": -0.2}
    ensemble = stacked(home, **stack)
    one, _, price, risk, _ = (raw(home, name) for name in crossed()["inputs"])
    expected = 0.5 + 0.6 * (one - 0.5) + 0.05 * price[:, :1] / price[:, 1:] + 0.1 * (risk - 0.3)
    np.testing.assert_allclose(ensemble.raw(frame()), expected, rtol=1e-12)
    assert ensemble.predict(frame(1))["missing"] == ["gone", "also-gone"]


def test_a_stack_is_kept_as_json_and_loaded(home: Path) -> None:
    ensemble = stacked(home, **crossed(intercept=0.003))
    path = ensemble.save_config("ensemble_007")
    kept = json.loads(path.read_bytes())
    assert kept["stack"]["coefficients"] == crossed()["coefficients"]
    assert kept["stack"]["intercept"] == [0.003]
    loaded = load_model("ensemble_007", home=home)
    assert isinstance(loaded, EnsemblePredictor)
    np.testing.assert_array_equal(loaded.raw(frame()), ensemble.raw(frame()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"coefficients": [0.4]}, "5 inputs need as many coefficients"),
        ({"coefficients": [0.4, 0.0, 0.0, 0.0, np.nan]}, "must be finite"),
        ({"coefficients": [-0.4, 0.0, 0.0, 0.0, 1.0]}, "direction-a is of the stack's own kind"),
        ({"centres": {}}, "volatility-a is of kind volatility .* under centres"),
        ({"centres": {"nobody": 1.0}}, "centres of nobody"),
        ({"kind": ""}, "name the one that is answered"),
        ({"weights": [1.0]}, "a stack has no weights"),
        ({"coefficients": "many"}, "this is no stack"),
    ],
)
def test_a_stack_that_does_not_fit_is_refused(
    home: Path, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EnsembleError, match=reason):
        stacked(home, **crossed(**change))


def test_a_stack_needs_its_method_and_its_inputs(home: Path) -> None:
    stack = Stack(("direction-a", "direction-b"), np.array([0.5, 0.5]))
    with pytest.raises(EnsembleError, match="a stack is for method 'stacking'"):
        EnsemblePredictor(stack=stack, home=home)
    with pytest.raises(EnsembleError, match="the stack's inputs are"):
        EnsemblePredictor(["direction-a"], method="stacking", stack=stack, home=home)
