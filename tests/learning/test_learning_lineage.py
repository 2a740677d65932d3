"""Lineage: what a fit read, no more and no less, as hashes; and where two of them differ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.lineage import differences, labels_read, lineage, rows_read, trimmed
from ml_pipeline.panel import Panel, build_panel
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from tests.learning.planted import planted_panel, split_of

KINDS = tuple(TASKS)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return planted_panel(1.0)


def changed(panel: Panel, where: np.ndarray, **columns: float) -> Panel:
    labels = {
        name: np.where(where, columns[name], column) if name in columns else column
        for name, column in panel.labels.items()
    }
    return replace(panel, labels=labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("naive", [False, True])
def test_what_is_hashed_is_all_that_the_fit_reads(kind: str, naive: bool, panel: Panel) -> None:
    split = split_of(panel, kind)

    def fitted(rows: Panel) -> Fitted:
        if naive:
            return fit_baseline(kind, rows, split)
        return fit(RECIPES[kind][0], rows, split, 3)

    whole = fitted(panel)
    read = rows_read(panel, split)
    least = replace(
        read,
        names=whole.columns,
        X=read.columns(whole.columns),
        close=np.full(len(read), np.nan),
        labels={name: read.labels[name] for name in labels_read(kind)},
    )
    again = fitted(least)
    assert again.onnx == whole.onnx
    assert again.head == whole.head
    hashes = [lineage(rows, split, kind, whole.columns)["data_hash"] for rows in (panel, least)]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("changes", [{"tuned": True}, {"keep": 3}, {"tuned": True, "keep": 3}])
def test_what_a_spec_says_is_enough_to_fit_again(changes: dict[str, Any], panel: Panel) -> None:
    split = split_of(panel, "volatility")
    recipe = replace(RECIPES["volatility"][0], **changes)
    model = fit(recipe, panel, split, 3)
    again = fit(Recipe.from_spec(json.loads(json.dumps(model.spec))), panel, split, 3)
    assert again.onnx == model.onnx
    assert again.head == model.head
    assert model.onnx != fit(RECIPES["volatility"][0], panel, split, 3).onnx


def test_other_columns_and_the_holdout_change_no_hash(panel: Panel) -> None:
    split = split_of(panel, "direction")
    columns = panel.names[:5]
    before = lineage(panel, split, "direction", columns)
    after = panel.ts >= split.holdout.start_ms
    X = np.where(after[:, None], np.float32(9), panel.X)
    X[:, 7] = 1
    other = lineage(replace(changed(panel, after, direction=1.0), X=X), split, "direction", columns)
    assert other["data_hash"] == before["data_hash"]
    assert differences(before, other) == []


def _touched(panel: Panel, split: TurnSplit) -> dict[str, Panel]:
    row = int(np.argmax(split.mask(panel, "calibration"))) + 1
    X = panel.X.copy()
    X[row, 0] += np.float32(1e-6)
    where = np.arange(len(panel)) == row
    flipped = 1 - panel.labels["direction"][row]
    return {
        "a value": replace(panel, X=X),
        "a label": changed(panel, where, direction=flipped),
        "a row less": panel.rows(~where),
    }


@pytest.mark.parametrize("what", ["a value", "a label", "a row less"])
def test_one_bar_changes_the_hash_and_its_day_is_named(what: str, panel: Panel) -> None:
    split = split_of(panel, "direction")
    columns = panel.names[:5]
    before = lineage(panel, split, "direction", columns)
    after = lineage(_touched(panel, split)[what], split, "direction", columns)
    told = " ".join(differences(before, after))
    day = f"{pd.Timestamp(split.calibration.start_ms, unit='ms'):%Y-%m-%d}"
    assert f"ETH-USDT: the first day that differs is {day}" in told
    assert "BTC-USDT" not in told
    assert ("rows then" in told) is (what == "a row less")


def test_a_panel_knows_where_its_candles_began_and_who_made_its_holes() -> None:
    index = pd.date_range("2025-05-12", periods=50, freq="5min", tz="UTC")
    candles = pd.DataFrame(
        dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0), index=index
    )

    def features(frame: pd.DataFrame) -> np.ndarray:
        X = np.ones((len(frame), 3), dtype=np.float32)
        X[:10, 0] = np.nan  # a look-back
        X[20, 1] = np.nan  # a hole
        return X

    panel = build_panel({"BTC-USDT": candles}, "5m", ("late", "holed", "whole"), features)
    assert panel.holed == ("holed",)
    assert panel.begins == {"BTC-USDT": int(index[0].timestamp() * 1000)}
    assert len(panel) == 39
    later = {"BTC-USDT": {"first": index[15].isoformat()}}
    assert trimmed(panel, later).ts[0] == int(index[15].timestamp() * 1000)
    assert len(trimmed(panel, {})) == 39


def test_a_split_comes_back_from_the_metadata(panel: Panel) -> None:
    split = split_of(panel, "volatility")
    assert TurnSplit.from_dict(split.as_dict()) == split
