"""A bundle answers as what was saved, with the documented keys, and refuses wrong columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.twins import raw_names
from ml_pipeline.errors import RecipeError
from ml_pipeline.export import score
from ml_pipeline.recipes import Recipe
from models.common.errors import FeatureError, PredictionError
from tests.contract.fits import EACH_RECIPE, baseline, fitted, frame, holdout, loaded, version


@EACH_RECIPE
def test_saving_and_loading_change_nothing(recipe: Recipe, home: Path) -> None:
    model = fitted(recipe)
    folder = home / "models" / "majors" / recipe.kind / version(model)
    assert (folder / "model.onnx").read_bytes() == model.onnx
    found = loaded(model, home)
    rows = holdout(recipe.kind).columns(model.columns)
    np.testing.assert_array_equal(found.raw(rows), score(model.onnx, holdout(recipe.kind)))
    assert found.features == list(model.columns)
    assert Recipe.from_spec(found.info["recipe_spec"]) == Recipe.from_spec(model.spec)


@EACH_RECIPE
def test_wrong_columns_are_refused(recipe: Recipe, home: Path) -> None:
    model = fitted(recipe)
    found, rows = loaded(model, home), frame(model)
    with pytest.raises(FeatureError, match=f"1 of the model's .* missing: {rows.columns[2]}"):
        found.predict(rows.drop(columns=rows.columns[2]))
    with pytest.raises(FeatureError, match="another order"):
        found.predict(rows[rows.columns[::-1]])
    with pytest.raises(FeatureError, match=f"{len(model.columns)}"):
        found.predict(rows.to_numpy()[:, 1:])
    for odd in (np.nan, np.inf):
        holed = rows.copy()
        holed.iloc[0, 1] = odd
        with pytest.raises((FeatureError, PredictionError), match=str(rows.columns[1])):
            found.predict(holed, close=100.0)
    raw, twin = next((r, t) for r, t in raw_names(model.columns).items() if t in rows)
    with pytest.raises(FeatureError, match=f"{twin} for {raw}"):
        found.predict(rows.rename(columns={twin: raw}))
    with pytest.raises(RecipeError, match=raw):
        replace(recipe, features=(*recipe.features, raw))


PROBABILITY = {"confidence", "probability"}
ANSWERS: dict[str, set[str]] = {
    "direction": {"direction", *PROBABILITY},
    "risk": {"risk"},
    "price": {"predicted_price", "expected_return", "confidence", "interval", "return_interval"},
    "momentum": {"state", *PROBABILITY},
    "volatility": {
        "predicted_volatility", "predicted_volatility_1h", "predicted_volatility_4h", "confidence",
    },
}  # fmt: skip


@pytest.mark.parametrize("naive", [False, True])
@EACH_RECIPE
def test_answers_have_their_documented_keys(recipe: Recipe, naive: bool, home: Path) -> None:
    kind = recipe.kind
    model = baseline(kind) if naive else fitted(recipe)
    found = loaded(model, home)
    answer: Any = found.predict(frame(model, 1), close=100.0)
    many: Any = found.predict(frame(model, 5), close=np.full(5, 100.0))
    assert ANSWERS[kind] | {"novelty", "out_of_distribution"} <= set(many)
    assert all(len(np.asarray(many[name])) == 5 for name in ANSWERS[kind] - {"interval"})
    if kind == "risk":
        assert 0 <= answer <= 100
        assert 0 < answer.event_probability < 1
        return
    assert set(answer) >= ANSWERS[kind]
    assert 0.5 <= answer["confidence"] <= 1 or kind in ("volatility", "price")
    assert 0 <= answer["confidence"] <= 1
    if kind in ("direction", "momentum"):
        words = {"direction": {"UP", "DOWN"}, "momentum": {"accelerating", "decelerating"}}
        assert answer["direction" if kind == "direction" else "state"] in words[kind]
