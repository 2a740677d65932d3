"""The default inputs of models are what the rule gives on real candles, and fit every recipe."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.model_set import (
    NAMES,
    SYMBOLS,
    TIMEFRAMES,
    Derived,
    Measured,
    derive,
    keep,
    module,
    outright,
)
from features import model_set
from features.model_set import BENCHMARK_SET, MODEL_SET
from features.program import FeatureProgram

REAL = Path(os.environ.get("TIDEWHEEL_REAL_CANDLES") or Path(__file__).parents[3] / "shared/data")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real candles in {REAL}")
def test_the_stored_sets_are_what_the_rule_gives() -> None:
    found = derive(REAL)
    assert tuple(found.model) == MODEL_SET
    assert tuple(found.benchmark) == BENCHMARK_SET
    assert {*found.model, *found.benchmark, *found.dropped} == set(NAMES)


def test_every_feature_in_the_sets_may_be_there() -> None:
    assert {name: outright(name) for name in (*MODEL_SET, *BENCHMARK_SET)} == dict.fromkeys(
        (*MODEL_SET, *BENCHMARK_SET)
    )
    program = FeatureProgram(MODEL_SET)
    assert program.inputs == ()
    assert program.settle <= 2880
    assert FeatureProgram([*MODEL_SET, *BENCHMARK_SET]).inputs == ("benchmark",)
    assert len(MODEL_SET) >= 80


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sma_20", "in units of price: models read close_to_sma_20"),
        ("month", "names the day: it does not come round within a week"),
        ("log_rv_60", "there for the baselines"),
        ("close_to_kama_10", "takes 4,979 bars of 1m to settle"),
        ("day_of_week", None),
        ("rsi_14", None),
    ],
)
def test_what_is_out_whatever_the_candles_say(name: str, reason: str | None) -> None:
    assert outright(name) == reason


def measured(columns: np.ndarray) -> dict[tuple[str, str], Measured]:
    one = Measured.of(columns)
    return {(symbol, timeframe): one for symbol in SYMBOLS for timeframe in TIMEFRAMES}


def test_the_earlier_of_two_that_go_together_stays() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 4000))
    rare = np.zeros(4000)
    rare[0] = 1.0
    wild = np.where(np.arange(4000) == 7, np.inf, y)
    columns = np.column_stack([x, 3 - 5 * x, -x + 0.1 * y, y, np.ones(4000), rare, wild])
    names = ["first", "a line", "nearly", "other", "still", "rare", "wild"]
    found = Derived()
    assert keep(names, measured(columns), [], found) == ["first", "other"]
    assert found.dropped == {
        "a line": "goes with first: rho 1m 1.000 5m 1.000",
        "nearly": found.dropped["nearly"],
        "still": "does not vary on BTC-USDT 1m",
        "rare": "met once in 4,000 bars",
        "wild": "not finite on BTC-USDT 1m",
    }
    assert found.dropped["nearly"].startswith("goes with first: rho 1m 0.99")


def test_alike_on_one_timeframe_only_is_not_alike() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 4000))
    every = measured(np.column_stack([x, x + 0.01 * y]))
    apart = Measured.of(np.column_stack([x, y]))
    only = {key: apart if key[1] == "5m" else one for key, one in every.items()}
    assert keep(["a", "b"], every, [], Derived()) == ["a"]
    assert keep(["a", "b"], only, [], Derived()) == ["a", "b"]
    one_symbol = {key: apart if key[0] == SYMBOLS[0] else one for key, one in every.items()}
    assert keep(["a", "b"], one_symbol, [], Derived()) == ["a", "b"]
    assert keep(["b"], every, ["a"], Derived()) == []


def test_the_written_module_is_the_module() -> None:
    found = Derived(list(MODEL_SET), list(BENCHMARK_SET), data=["X 1m"])
    space: dict[str, object] = {}
    exec(module(found, "2025-06-01"), space)
    assert space["MODEL_SET"] == model_set.MODEL_SET
    assert space["BENCHMARK_SET"] == model_set.BENCHMARK_SET
    assert "derived on 2025-06-01" in str(space["__doc__"])
