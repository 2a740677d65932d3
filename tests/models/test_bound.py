"""Bound models: the same answers as `predict`, from rows that always hold the same columns."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import models.common.model as model_module
from features.program import FeatureProgram
from models.common.bound import BoundModel
from models.common.bundle_writing import write_bundle
from models.common.errors import FeatureError
from models.common.model import Model, open_model
from models.common.registry import PredictionModelRegistry
from models.common.schema import FeatureSchema
from models.common.slot import KINDS, Slot
from tests.models import tiny

SLOT = Slot("majors", "direction", "1m")
WIDE = ("extra", "close_location", "return_1", "other", "rsi_14")


@pytest.fixture
def registry(tmp_path: Path) -> PredictionModelRegistry:
    registry = PredictionModelRegistry(tmp_path / "models")
    for kind in KINDS:
        tiny.bundle(registry.root, kind, novelty=1.0)
        registry.promote(Slot("majors", kind, "1m"), "v1")
    return registry


@pytest.fixture
def model(registry: PredictionModelRegistry, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Return a direction model that looks at its link before every prediction."""
    monkeypatch.setattr(model_module, "LOOK_S", 0.0)
    monkeypatch.setattr(model_module, "RETRY_S", 0.0)
    return open_model("direction", home=registry.root.parent)


def wide(rows: np.ndarray) -> np.ndarray:
    """Return tiny rows as rows of the columns `WIDE`."""
    table = np.full((len(rows), len(WIDE)), 1e6, dtype=np.float32)
    for name, column in zip(tiny.NAMES, rows.T, strict=True):
        table[:, WIDE.index(name)] = column
    return table


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [tiny.NAMES, WIDE])
def test_it_answers_as_the_model_does(
    registry: PredictionModelRegistry, kind: str, names: tuple[str, ...]
) -> None:
    model = open_model(kind, home=registry.root.parent)
    bound = model.bind(names)
    rows = tiny.ROWS if names == tiny.NAMES else wide(tiny.ROWS)
    for i in range(3):
        expected = model.predict(tiny.ROWS[i], close=100.0)
        assert bound.predict(rows[i], 100.0) == expected
        assert bound.predict(rows[i].astype(np.float64), 100.0) == expected
        assert bound.predict(rows[i].tolist(), 100.0) == expected
    many, expected = bound.predict(rows, np.full(3, 9.0)), model.predict(tiny.ROWS, close=[9.0] * 3)
    for name, value in expected.items():
        np.testing.assert_array_equal(many[name], value)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (np.zeros(3), r"5 columns here, this has shape \(3,\)"),
        (np.zeros((1, 2, 5)), "shape"),
        (["a"] * 5, "not all numbers"),
        ([0, np.nan, 0, 0, 0], "NaN or infinity in 1 of 3 columns: close_location"),
        ([0, 0, 1e300, 0, 0], "NaN or infinity in 1 of 3 columns: return_1"),
    ],
)
def test_rows_that_do_not_fit_are_refused(model: Model, row: object, reason: str) -> None:
    with pytest.raises(FeatureError, match=reason):
        model.bind(WIDE).predict(row)  # type: ignore[arg-type]


def test_a_hole_in_a_column_that_the_model_does_not_read_is_no_matter(model: Model) -> None:
    row = wide(tiny.ROWS[:1])[0]
    row[WIDE.index("extra")] = np.nan
    assert model.bind(WIDE).predict(row)["direction"] == "UP"


def program(**changes: object) -> SimpleNamespace:
    known = {"names": tiny.NAMES, "hashes": dict(tiny.SCHEMA.hashes), "timeframe": "1m"}
    return SimpleNamespace(**{**known, **changes})


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (tiny.NAMES[:2], "1 of the model's 3 columns are missing: close_location"),
        ((*tiny.NAMES, "rsi_14"), "more than once: rsi_14"),
        (program(timeframe="5m"), "features are of 5m bars"),
        (program(hashes={"rsi_14": "of another kind"}), "defined otherwise .* rsi_14"),
    ],
)
def test_columns_that_do_not_fit_are_refused_at_once(
    model: Model, columns: object, reason: str
) -> None:
    with pytest.raises(FeatureError, match=reason):
        model.bind(columns)  # type: ignore[arg-type]


def test_a_feature_program_is_bound_as_it_is(tmp_path: Path) -> None:
    columns = FeatureProgram(["return_1", "rsi_14"])
    schema = FeatureSchema(columns.names, columns.hashes, columns.units)
    folder = write_bundle(
        tmp_path / "models/majors/direction/v1",
        onnx=tiny.graph(width=2),
        metadata=tiny.metadata(SLOT, "v1"),
        schema=schema,
        metrics={},
        readme="#",
        probe=tiny.ROWS[:, :2],
    )
    model = open_model(folder.name, home=tmp_path)
    wider = FeatureProgram(["rsi_14", "natr_14", "return_1"])
    row = np.array([55.0, 9.0, 0.001], dtype=np.float32)
    assert model.bind(wider).predict(row) == model.predict(row[[2, 0]])
    with pytest.raises(FeatureError, match="5m bars"):
        model.bind(FeatureProgram(columns.names, "5m"))


def test_it_follows_the_champion(registry: PredictionModelRegistry, model: Model) -> None:
    tiny.bundle(registry.root, version="v2", bias=1.0)
    bound = model.bind(WIDE)
    for version, bias in (("v2", 1.0), ("v1", 0.0)):
        registry.promote(SLOT, version)
        found = bound.predict(wide(tiny.ROWS[:1])[0])["probability"]
        assert found == pytest.approx(tiny.probability(bias), abs=1e-6)
        assert (bound.version_id, bound.behind) == (version, None)


def other_columns(registry: PredictionModelRegistry, version: str, names: tuple[str, ...]) -> None:
    write_bundle(
        registry.folder(SLOT, version),
        onnx=tiny.graph(bias=2.0),
        metadata=tiny.metadata(SLOT, version),
        schema=FeatureSchema(names, dict.fromkeys(names, "h"), dict.fromkeys(names, "–")),
        metrics={},
        readme="#",
        probe=tiny.ROWS,
    )
    registry.promote(SLOT, version)


def test_a_champion_of_other_columns_is_told_once_and_the_last_that_fits_goes_on(
    registry: PredictionModelRegistry, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    bound, row = model.bind(WIDE), wide(tiny.ROWS[:1])[0]
    before = bound.predict(row)
    other_columns(registry, "v2", ("return_1", "rsi_14", "adx_14"))
    with caplog.at_level(logging.WARNING):
        assert [bound.predict(row) for _ in range(3)] == [before] * 3
    assert model.version_id == "v2"
    assert bound.version_id == "v1"
    assert "columns are missing: adx_14" in str(bound.behind)
    assert len(caplog.records) == 1
    assert "majors/direction/1m/v1 stays in service" in caplog.text
    again = model.bind(model.features)
    assert (again.version_id, again.behind) == ("v2", None)
    other_columns(registry, "v3", ("other", "extra", "rsi_14"))
    assert bound.predict(row) != before
    assert (bound.version_id, bound.behind) == ("v3", None)
    registry.promote(SLOT, "v2")
    assert "adx_14" in str(bound.behind)
    registry.promote(SLOT, "v3")
    assert bound.behind is None


def test_it_says_what_it_is(model: Model) -> None:
    bound = model.bind(WIDE)
    assert isinstance(bound, BoundModel)
    assert repr(bound) == "<BoundModel majors/direction/1m/v1, 5 columns>"
    assert bound.names == WIDE
