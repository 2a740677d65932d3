"""Novelty at run time: each answer says how strange its row is, where the bundle can tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.common.bundle import read_bundle
from models.common.ensemble import EnsemblePredictor
from models.common.errors import BundleError
from models.common.predictor import load_model
from models.common.slot import KINDS
from tests.models import tiny
from tests.models.tampering import forge_json

ROWS = np.array([[0.5, 55.0, 0.4], [-2.0, 30.0, 0.9]], dtype=np.float32)


def frame(rows: int = 2) -> pd.DataFrame:
    return pd.DataFrame(ROWS[:rows], columns=list(tiny.NAMES))


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_says_how_strange_its_row_is(tmp_path: Path, kind: str) -> None:
    tiny.bundle(tmp_path / "models", kind, novelty=1.0)
    model = load_model("v1", home=tmp_path)
    many = model.predict(frame())
    np.testing.assert_array_equal(many["novelty"], [0.5, 2.0])
    np.testing.assert_array_equal(many["out_of_distribution"], [False, True])
    for i in range(2):
        one = model.predict(ROWS[i])
        assert (one["novelty"], one["out_of_distribution"]) == (np.abs(ROWS[i, 0]), i == 1)
        assert isinstance(one["novelty"], float)
        assert isinstance(one["out_of_distribution"], bool)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_without_it_answers_none(tmp_path: Path, kind: str) -> None:
    tiny.bundle(tmp_path / "models", kind)
    model = load_model("v1", home=tmp_path)
    for rows in (ROWS[:1], ROWS):
        answer = model.predict(rows)
        assert answer["novelty"] is answer["out_of_distribution"] is None
    assert read_bundle(tmp_path / "models/majors" / kind / "v1").runner.novelty(ROWS) is None


@pytest.mark.parametrize("kind", ["direction", "risk", "price"])
def test_an_ensemble_is_as_worried_as_its_most_worried_member(tmp_path: Path, kind: str) -> None:
    for version, novelty in (("calm", 0.1), ("wary", 1.0), ("old", None)):
        tiny.bundle(tmp_path / "models", kind, version, novelty=novelty)
    ensemble = EnsemblePredictor(["calm", "old", "wary"], home=tmp_path)
    many = ensemble.predict(frame())
    np.testing.assert_array_equal(many["novelty"], [0.5, 2.0])
    assert many["out_of_distribution"].tolist() == [False, True]
    assert ensemble.predict(frame(1))["novelty"] == 0.5
    assert EnsemblePredictor(["old"], home=tmp_path).predict(frame())["novelty"] is None


def test_the_probe_watches_over_the_novelty_too(tmp_path: Path) -> None:
    folder = tiny.bundle(tmp_path, novelty=1.0)
    assert len(json.loads((folder / "probe.json").read_bytes())["novelty"]) == len(tiny.ROWS)
    forge_json(folder, "probe.json", lambda probe: probe["novelty"][0].__setitem__(0, 0.9))
    with pytest.raises(BundleError, match=r"difference of novelty 0\.899"):
        read_bundle(folder)
    forge_json(folder, "probe.json", lambda probe: probe.pop("novelty"))
    with pytest.raises(BundleError, match=r"probe\.json: novelty must be rows"):
        read_bundle(folder)


def test_a_novelty_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="novelty is negative or no number"):
        tiny.bundle(tmp_path / "models", novelty=-1.0)
