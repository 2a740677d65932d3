"""Feature schemas: what a model may read."""

from __future__ import annotations

import pytest

from models.common.errors import SchemaError
from models.common.schema import SCALE_FREE, FeatureSchema


def schema(**units: str) -> FeatureSchema:
    return FeatureSchema(tuple(units), {name: name * 2 for name in units}, units)


def test_stored_and_restored_is_the_same() -> None:
    made = schema(rsi_14="–", return_1="-", trend="")
    assert FeatureSchema.from_dict(made.as_dict()) == made
    assert len(made) == 3


def test_a_bundle_from_before_twins_were_stored_is_read() -> None:
    stored = schema(rsi_14="–").as_dict()
    del stored["twins"]
    assert FeatureSchema.from_dict(stored).twins == {}


@pytest.mark.parametrize("unit", ["price", "volume", "price·volume", "unit", "USDT"])
def test_a_column_with_a_unit_is_refused_by_name(unit: str) -> None:
    with pytest.raises(SchemaError, match=r"sma_20 \[" + unit):
        schema(rsi_14="–", sma_20=unit)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("unit", sorted(SCALE_FREE))
def test_a_raw_candle_column_is_refused_whatever_its_unit_claims(name: str, unit: str) -> None:
    with pytest.raises(SchemaError, match=name):
        schema(rsi_14="–", **{name: unit})


def test_no_columns_a_column_twice_and_a_missing_hash_or_unit_are_refused() -> None:
    with pytest.raises(SchemaError, match="at least one"):
        FeatureSchema((), {}, {})
    with pytest.raises(SchemaError, match="twice: a"):
        FeatureSchema(("a", "a"), {"a": "h"}, {"a": "–"})
    with pytest.raises(SchemaError, match="no hash: b"):
        FeatureSchema(("a", "b"), {"a": "h"}, {"a": "–", "b": "–"})
    with pytest.raises(SchemaError, match="no unit: b"):
        FeatureSchema(("a", "b"), {"a": "h", "b": "h"}, {"a": "–"})


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "float64"},
        {"features": "rsi_14"},
        {"features": [{"name": "rsi_14"}]},
        {"features": [{"name": 7, "hash": "h", "unit": "–"}]},
        {"twins": ["sma_20"]},
        {"twins": {"sma_20": 7}},
    ],
)
def test_a_stored_schema_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SchemaError):
        FeatureSchema.from_dict({**schema(rsi_14="–").as_dict(), **change})
