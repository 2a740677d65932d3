"""Twins: which columns models may not read, and what stands for them."""

from __future__ import annotations

import pytest

from features.catalogue.feature import Feature
from features.errors import UnknownFeature
from features.inputs import c
from features.twins import exchange, raw_names, refusal, with_units


def test_only_columns_with_a_unit_are_found() -> None:
    assert list(with_units(["rsi_14", "sma_37", "returns", "volume"])) == ["sma_37", "volume"]
    assert list(with_units(["return_1"])) == []
    with pytest.raises(UnknownFeature, match="rsi_14x"):
        with_units(["rsi_14x"])


def test_an_exchange_keeps_order_and_the_names_that_were_asked_for() -> None:
    made = exchange(["close", "returns", "sma_20", "bb_middle_20", "rsi_14", "close_to_sma_20"])
    assert made.columns == ("returns", "close_to_sma_20", "rsi_14")
    assert made.exchanged == {
        "close": "returns",
        "sma_20": "close_to_sma_20",
        "bb_middle_20": "close_to_sma_20",
    }
    assert exchange(["rsi_14", "return_1", "returns"]).columns == ("rsi_14", "return_1")
    assert exchange(["rsi_14"]).exchanged == {}


def test_a_column_without_a_twin_is_left_to_be_refused() -> None:
    own = {"level": Feature(c, "Level"), "move": Feature(c / c, "Move")}
    made = exchange(["level", "move"], own)
    assert made.columns == ("level", "move")
    assert made.exchanged == {}
    said = refusal(with_units(made.columns, own))
    assert "1 are: level [price], which names no twin: divide it" in said


def test_raw_names_of_families_and_of_listed_features() -> None:
    assert raw_names(["natr_14", "momentum_7_atr", "rsi_14"]) == {
        "atr_14": "natr_14",
        "momentum_7": "momentum_7_atr",
    }
    assert raw_names(["close_to_sma_x", "close_to_sma_05"]) == {}
