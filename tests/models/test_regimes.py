"""Regimes: a bar's part of nine, and what a confidence is worth in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.common.errors import EnsembleError, FeatureError
from models.common.predictor import EnsemblePredictor, Model, load_model
from models.common.regimes import (
    COLUMNS,
    NAMES,
    RegimeConfidence,
    Regimes,
    read_regimes,
    regimes_path,
)
from models.common.registry import PredictionModelRegistry
from models.common.slot import KINDS, Slot
from tests.models import tiny

EDGES = Regimes((0.8, 1.2), (-0.5, 0.5))
SLOPES = tuple(np.linspace(0.0, 2.0, 9).tolist())
SHIFTS = tuple(np.linspace(-0.4, 0.4, 9).tolist())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    root = PredictionModelRegistry(home / "models").root
    for kind in KINDS:
        tiny.bundle(root, kind, f"{kind}-a", bias=-0.4)
        tiny.bundle(root, kind, f"{kind}-b", bias=0.7)
    return home


def rows(n: int = 3, level: Any = 1.0, spread: Any = 0.0) -> pd.DataFrame:
    given = pd.DataFrame(tiny.ROWS[np.arange(n) % 3], columns=list(tiny.NAMES))
    return given.assign(
        close=100.0, **dict(zip(COLUMNS, (level, np.multiply(spread, 1e-3), 1e-3), strict=True))
    )


def test_every_part_has_its_name() -> None:
    levels, spreads = (0.5, 1.0, 1.5), (-1.0, 0.0, 1.0)
    table = np.array([[level, spread * 1e-3, 1e-3] for level in levels for spread in spreads])
    assert EDGES.of(table).tolist() == list(range(9))
    assert NAMES[EDGES.of(table[:1]).item()] == "calm/down"
    assert NAMES[EDGES.of(table[5:6]).item()] == "usual/up"


def test_edges_part_the_rows_they_were_learnt_on_in_thirds() -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack(
        [
            rng.lognormal(0, 0.3, 9000),
            0.002 * rng.standard_normal(9000),
            rng.lognormal(-7, 0.3, 9000),
        ]
    )
    found = Regimes.fit(table)
    part = found.of(table)
    assert np.bincount(part // 3, minlength=3) == pytest.approx(3000, abs=1)
    assert (part % 3 == 1).mean() == pytest.approx(1 / 3, abs=1e-3)
    assert found.trend[0] == -found.trend[1]
    assert Regimes.from_dict(found.as_dict()) == found
    with pytest.raises(EnsembleError, match="12 complete rows cannot say"):
        Regimes.fit(table[:12])


def test_a_row_without_a_number_has_no_regime_and_stays_as_it_is(home: Path) -> None:
    held = rows(2, level=[1.0, np.nan])
    assert EDGES.of(held).tolist() == [4, -1]
    answer = {"direction": np.array(["UP", "UP"]), "confidence": np.array([0.6, 0.6]),
              "probability": np.array([0.6, 0.6])}  # fmt: skip
    adjusted = RegimeConfidence(EDGES, (0.5,) * 9).adjust(answer, held)
    assert adjusted["regime"].tolist() == ["usual/flat", None]
    assert adjusted["confidence"][1] == 0.6
    assert adjusted["confidence"][0] == pytest.approx(1 / (1 + (0.4 / 0.6) ** 0.5))
    with pytest.raises(FeatureError, match="har_rv_288"):
        EDGES.of(held.drop(columns="har_rv_288"))


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_adjusted_as_many_and_keeps_its_keys(home: Path, kind: str) -> None:
    model = load_model(f"{kind}-a", home=home)
    held = rows(3, level=[0.5, 1.0, 1.5], spread=[-1.0, 0.0, 1.0])
    confidence = RegimeConfidence(EDGES, SLOPES, SHIFTS)
    many = confidence.adjust(model.predict(held), held)
    plain = model.predict(held)
    assert {*many} == {*plain, "regime"}
    for i in range(3):
        one = confidence.adjust(model.predict(held.iloc[[i]]), held.iloc[[i]])
        one = one if isinstance(one, dict) else one.as_dict()
        assert one["regime"] == many["regime"][i] == NAMES[(0, 4, 8)[i]]
        for name in ("confidence", "probability", "event_probability"):
            if name in one:
                assert isinstance(one[name], float)
                assert one[name] == pytest.approx(many[name][i])
    if "direction" in plain or "state" in plain:
        name = "direction" if "direction" in plain else "state"
        np.testing.assert_array_equal(plain[name], many[name])
        assert many["confidence"][0] == 0.5  # a slope of nought: a coin
        p = many["probability"]
        np.testing.assert_array_equal(many["confidence"], np.maximum(p, 1 - p))
        up = p > 0.5
        np.testing.assert_array_equal(up[1:], plain["probability"][1:] > 0.5)


def test_no_slope_and_no_shift_change_nothing(home: Path) -> None:
    held = rows(3)
    for kind in KINDS:
        plain = load_model(f"{kind}-a", home=home).predict(held)
        same = RegimeConfidence(EDGES, (1.0,) * 9).adjust(plain, held)
        for name in ("confidence", "probability", "event_probability"):
            if name in plain:
                np.testing.assert_array_equal(plain[name], same[name])


def test_an_ensemble_weighs_by_regime(home: Path) -> None:
    table = np.tile([0.5, 0.5], (9, 1))
    table[0], table[8] = [1, 0], [0, 2]
    names = ["direction-a", "direction-b"]
    ensemble = EnsemblePredictor(
        names, regimes={**EDGES.as_dict(), "weights": table.tolist()}, home=home
    )
    held = rows(3, level=[0.5, 1.0, 1.5], spread=[-1.0, 0.0, 1.0])
    one, two = (load_model(name, home=home).predict(held)["probability"] for name in names)
    p = ensemble.predict(held)["probability"]
    assert p[0] == pytest.approx(one[0])
    assert p[2] == pytest.approx(two[2])
    equal = EnsemblePredictor(names, home=home).predict(held)["probability"]
    assert p[1] == pytest.approx(equal[1])
    assert {*COLUMNS} < {*ensemble.features}
    ensemble.save_config("ensemble_003")
    again = load_model("ensemble_003", home=home).predict(held)["probability"]
    np.testing.assert_array_equal(again, p)


def test_an_ensemble_says_the_regime_where_its_confidence_depends_on_it(home: Path) -> None:
    confidence = RegimeConfidence(EDGES, (0.5,) * 9, about={"rows": 900, "z": 2.1})
    ensemble = EnsemblePredictor(["risk-a", "risk-b"], regimes=confidence.as_dict(), home=home)
    plain = EnsemblePredictor(["risk-a", "risk-b"], home=home).predict(rows(1))
    answer = ensemble.predict(rows(1))
    assert answer["regime"] == "usual/flat"
    assert float(answer) == float(plain)
    assert 0.5 < answer["event_probability"] < plain["event_probability"]
    ensemble.save_config("ensemble_004")
    loaded = load_model("ensemble_004", home=home)
    assert loaded.predict(rows(1)).as_dict() == answer.as_dict()
    assert loaded.info["regimes"]["about"] == {"rows": 900, "z": 2.1}


@pytest.mark.parametrize(
    ("regimes", "reason"),
    [
        ({"volatility": [1, 0], "trend": [0, 1]}, "volatility needs two ascending edges"),
        ({"volatility": [0, 1], "trend": [0]}, "trend needs two ascending edges"),
        ({"volatility": [0, 1]}, "no edges of regimes"),
        ({**EDGES.as_dict(), "slopes": [1.0]}, "9 regimes need as many slopes"),
        ({**EDGES.as_dict(), "slopes": [-1.0] * 9}, "slopes must be >= 0"),
        ({**EDGES.as_dict(), "slopes": [1.0] * 9, "names": ["low", "high"]}, "are others than"),
        ({**EDGES.as_dict(), "weights": [[1.0, 1.0]]}, "must be 9 × 2"),
        ({**EDGES.as_dict(), "weights": [[1.0, 1.0]] * 8 + [[0.0, 0.0]]}, "none of them all 0"),
    ],
)
def test_regimes_that_do_not_fit_are_refused(
    home: Path, regimes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EnsembleError, match=reason):
        EnsemblePredictor(["risk-a", "risk-b"], [1, 1], regimes=regimes, home=home)


def test_what_a_slot_knows_of_its_regimes_lies_beside_its_versions(home: Path) -> None:
    registry = PredictionModelRegistry(home / "models")
    slot, before = Slot("majors", "direction", "1m"), registry.list_bundles()
    path = regimes_path(registry.root, slot)
    assert read_regimes(path) is None
    confidence = RegimeConfidence(EDGES, SLOPES, about={"rows": 900})
    path.write_text(json.dumps(confidence.as_dict()))
    assert read_regimes(path) == confidence
    assert [one.key for one in registry.list_bundles()] == [one.key for one in before]
    assert registry.problems() == {}
    path.write_text("[]")
    with pytest.raises(EnsembleError, match=r"regimes-1m.json"):
        read_regimes(path)
    path.unlink()


def test_a_model_knows_what_its_confidence_is_worth_if_it_is_the_line_that_serves(
    home: Path,
) -> None:
    model = load_model("direction-a", home=home)
    assert isinstance(model, Model)
    assert model.regimes is None
    path = regimes_path(home / "models", model.slot)
    for line, known in (("tiny", True), ("another", False)):
        learnt = RegimeConfidence(EDGES, (0.5,) * 9, about={"line": line})
        path.write_text(json.dumps(learnt.as_dict()))
        assert (model.regimes == learnt) is known
    path.unlink()
