"""Features of one's own: by name, checked, and found by other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import hashes, own
from features.catalogue import FEATURES
from features.compute_once import FeatureCache
from features.description import describe, listing
from features.errors import (
    FeatureError,
    LooksAhead,
    NeverSettles,
    RefusedFeature,
    UnitError,
    UnknownFeature,
)
from features.feature_manager import FeatureManager
from features.inputs import c, v
from features.language import ema, mean, ratio
from features.own import add
from features.program import FeatureProgram
from market.candles import open_ms
from tests.features.walks import walk

ROOT = Path(__file__).parents[2]
LATER = -1


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    for name in own.names():
        own.remove(name)


def slow_change(candles: pd.DataFrame) -> pd.Series:
    return candles["close"].pct_change(7).rolling(13).mean()


def pressure(candles: pd.DataFrame) -> pd.Series:
    signed = np.sign(candles["close"].diff()) * candles["volume"]
    return signed.ewm(span=20).mean() / (candles["volume"].ewm(span=20).mean() + 1e-300)


def peeking(candles: pd.DataFrame) -> pd.Series:
    return candles["close"].shift(LATER) / candles["close"] - 1


def since_start(candles: pd.DataFrame) -> pd.Series:
    return candles["close"] / candles["close"].iloc[0] - 1


def test_an_expression_has_all_that_a_listed_feature_has() -> None:
    add("ema_gap", ema(c, 9) / ema(c, 21) - 1, "Fast average relative to the slow one")
    program = FeatureProgram(["rsi_14", "ema_gap"])
    assert program.units["ema_gap"] == "–"
    assert program.lookbacks["ema_gap"] == 20
    assert program.settles["ema_gap"] == ema(c, 21).settle_bars
    assert program.hashes["ema_gap"] == (ema(c, 9) / ema(c, 21) - 1).digest
    assert FEATURES["ema_gap"].group == "own"
    assert own.names() == ["ema_gap"]
    values = program.run(walk(500), dtype=np.float64)[-1, 1]
    close = walk(500)["close"]
    fast, slow = (close.ewm(span=n, adjust=False).mean().iloc[-1] for n in (9, 21))
    assert values == pytest.approx(fast / slow - 1, abs=1e-9)


def test_an_expression_is_typed_and_its_name_is_free() -> None:
    with pytest.raises(UnitError):
        add("nonsense", c + v, "A price plus a volume")
    for taken in ("rsi_14", "sma_37", "returns"):
        with pytest.raises(FeatureError, match="is a feature already"):
            add(taken, ema(c, 9) / c, "x")
    for bad in ("two words", "ta:mine", "1st", ""):
        with pytest.raises(FeatureError, match="no name for a feature"):
            add(bad, ema(c, 9) / c, "x")
    with pytest.raises(FeatureError, match="scale-free twin"):
        add("level", ema(c, 9), "x", twin="ema_10")


def test_a_definition_is_replaced_only_when_told() -> None:
    add("mine", mean(v, 5) / mean(v, 50), "x")
    add("mine", mean(v, 5) / mean(v, 50), "the same again is no error")
    with pytest.raises(FeatureError, match="replace=True"):
        add("mine", mean(v, 6) / mean(v, 50), "x")
    add("mine", mean(v, 6) / mean(v, 50), "x", replace=True)
    assert FeatureProgram(["mine"]).hashes["mine"] == (mean(v, 6) / mean(v, 50)).digest
    with pytest.raises(FeatureError, match="is a feature already"):
        add("mine", slow_change, "x", window=20)


def test_a_function_is_live_as_in_history_bit_for_bit() -> None:
    add("slow_change", slow_change, "Mean change over 7 bars", window=20)
    add("pressure", pressure, "Signed volume", window=400)
    candles = walk(2500, seed=61, outages=[(900, 960)])
    names = ["pressure", "return_5", "slow_change", "ta:rsi"]
    program = FeatureProgram(names)
    assert program.units == dict.fromkeys(names, "–")
    assert program.lookbacks["slow_change"] == 19
    history = program.run(candles, dtype=np.float64)
    assert np.isfinite(history[program.lookback :]).all()
    plain = np.column_stack([pressure(candles), slow_change(candles)])
    late = slice(program.settle, None)
    np.testing.assert_allclose(history[late][:, [0, 2]], plain[late], rtol=1e-7, atol=1e-12)
    bars = np.column_stack([open_ms(candles), candles.to_numpy()]).tolist()
    for start in (0, 700, 1999):
        live = program.fork()
        live.reset()
        if start:
            live.run(candles.iloc[:start])
        rows = np.array([live.push(bar) for bar in bars[start : start + 40]])
        expected = history[start : start + 40].astype(np.float32)
        assert np.array_equal(rows, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("function", "window", "error", "words"),
    [
        (peeking, 5, LooksAhead, r"mine: the value at bar \d+ changed from .* looks ahead"),
        (since_start, 50, NeverSettles, "never forgets where history starts"),
        (slow_change, 19, RefusedFeature, "declares a window of 19.*declare window=20 or more"),
        (pressure, 30, RefusedFeature, r"declares a window of 30.*declare window=\d\d\d"),
        (lambda k: k[["open", "close"]].pct_change(), 2, RefusedFeature, "gives 2 columns"),
        (lambda k: k["vwap"], 2, RefusedFeature, "KeyError"),
    ],
)
def test_a_function_that_may_not_feed_a_model_is_refused(function, window, error, words) -> None:
    add("mine", function, "x", window=window)
    with pytest.raises(error, match=words):
        FeatureProgram(["rsi_14", "mine"])
    # The others are not touched by it.
    assert FeatureProgram(["rsi_14"]).lookback == 14


def test_a_function_in_a_unit_is_told_by_the_probe() -> None:
    add("level", lambda k: k["close"].rolling(5).mean(), "x", window=5)
    assert FeatureProgram(["level"]).units["level"] == "price"


def test_a_function_that_fails_leaves_the_program_as_it_was() -> None:
    failing: list[int] = []

    def mine(candles: pd.DataFrame) -> pd.Series:
        if failing:
            raise ValueError("boom")
        return candles["close"].pct_change(3)

    add("mine", mine, "x", window=5)
    candles = walk(400, seed=3)
    program = FeatureProgram(["mine", "rsi_14", "ema_9"])
    expected = program.run(candles)
    program.run(candles.iloc[:300])
    before = program.to_bytes()
    failing.append(1)
    for take in (program.extend, program.run):
        with pytest.raises(RefusedFeature, match="ValueError: boom"):
            take(candles.iloc[300:])
        assert program.to_bytes() == before
    failing.clear()
    assert np.array_equal(program.extend(candles.iloc[300:]), expected[300:])


def test_a_cache_tells_no_old_values_by_a_new_definition() -> None:
    add("mine", slow_change, "x", window=20)
    cache = FeatureCache(walk(900, seed=3), "ETH-USDT", "1m")
    old = cache.get_features("ETH-USDT", "1m", ["mine"], 5)
    add("mine", pressure, "x", window=400, replace=True)
    new = cache.get_features("ETH-USDT", "1m", ["return_1", "mine"], 5)
    assert new.attrs["definitions"] != old.attrs["definitions"]
    assert (new["mine"] != old["mine"]).all()


def test_what_a_function_must_declare() -> None:
    for arguments, words in [
        ({}, "say window="),
        ({"window": 0}, "window of 0"),
        ({"window": 10**6}, "1 to 20000"),
        ({"window": 2.5}, "window of 2.5"),
        ({"window": "5"}, "window of '5'"),
        ({"window": 5, "twin": "rsi_14"}, "no twin"),
    ]:
        with pytest.raises(FeatureError, match=words):
            add("mine", slow_change, "x", **arguments)
    with pytest.raises(FeatureError, match="leave window"):
        add("mine", mean(v, 5) / mean(v, 9), "x", window=5)
    with pytest.raises(FeatureError, match="add an expression or a function"):
        add("mine", "close / open", "x")  # type: ignore[arg-type]
    made = eval("lambda k: k['close'].pct_change()")
    with pytest.raises(FeatureError, match="no source text"):
        add("mine", made, "x", window=2)
    add("mine", made, "x", window=2, source="version 1")
    assert FeatureProgram(["mine"]).units["mine"] == "–"


def test_the_hash_is_the_source_text_and_the_window() -> None:
    def hash_of(function, **arguments) -> str:
        add("mine", function, "x", **arguments, replace=True)
        return FeatureProgram(["mine"]).hashes["mine"]

    assert hash_of(slow_change, window=20) == hash_of(slow_change, window=20)
    assert hash_of(slow_change, window=20) != hash_of(slow_change, window=21)
    assert hash_of(slow_change, window=20) != hash_of(pressure, window=500)
    assert hash_of(slow_change, window=20, source="1") != hash_of(slow_change, window=20)


def shifted(n: int):
    def change(candles: pd.DataFrame) -> pd.Series:
        return candles["close"].shift(n) / candles["close"]

    return change


def test_what_a_function_closes_over_is_part_of_its_definition() -> None:
    add("mine", shifted(5), "x", window=10)
    known = FeatureProgram(["mine"]).hashes["mine"]
    with pytest.raises(FeatureError, match="another function already"):
        add("mine", shifted(4), "x", window=10)
    add("mine", shifted(4), "x", window=10, replace=True)
    assert FeatureProgram(["mine"]).hashes["mine"] != known
    found = set()
    for n in (1, 2):
        add("mine", lambda k, n=n: k["close"].pct_change(n), "x", window=10, replace=True)
        found.add(FeatureProgram(["mine"]).hashes["mine"])
    assert len(found) == 2


def test_the_same_text_is_no_excuse_for_looking_ahead() -> None:
    """Each function is probed itself, whatever text stands for it."""
    add("mine", shifted(5), "x", window=10, source="1")
    assert FeatureProgram(["mine"]).lookback == 5
    add("mine", shifted(LATER), "x", window=10, source="1")
    with pytest.raises(LooksAhead):
        FeatureProgram(["mine"])


def test_a_refused_name_cannot_be_had() -> None:
    add("mine", peeking, "x", window=5)
    assert "mine" not in FEATURES
    assert "ta:obv" not in FEATURES
    assert "ta:rsi" in FEATURES


def test_changes_and_absences_are_told_by_name() -> None:
    add("mine", ratio(mean(v, 5), mean(v, 50)), "x")
    known = FeatureProgram(["mine", "rsi_14"]).hashes
    assert hashes.changed(known) == []
    add("mine", ratio(mean(v, 5), mean(v, 51)), "x", replace=True)
    assert hashes.changed(known) == ["mine"]
    own.remove("mine")
    (told,) = hashes.changed(known)
    assert "mine (unknown or refused in this process" in told
    assert "TIDEWHEEL_FEATURES" in told
    assert hashes.missing(known) == ["mine"]
    other = {"rsi_14": "0" * 16}
    assert hashes.changed(other) == ["rsi_14"]
    assert hashes.changed(other, listed=False) == []


MODULE = """
from features.inputs import c
from features.language import mean
from features.own import add

add("my_gap", c / mean(c, 33) - 1, "Close relative to its mean")


def my_swing(candles):
    return (candles["high"] - candles["low"]).rolling(9).mean() / candles["close"]


add("my_swing", my_swing, "Mean range", window=9)
"""


def python(code: str, folder: Path, named: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder), "TIDEWHEEL_FEATURES": named},
        capture_output=True,
        text=True,
        check=False,
    )


def test_another_process_finds_them_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "my_features.py").write_text(MODULE)
    code = (
        "from features.program import FeatureProgram\n"
        "from features.own import names\n"
        "p = FeatureProgram(['my_gap', 'my_swing', 'rsi_14'])\n"
        "print(sorted(names()), p.units['my_swing'], p.hashes['my_swing'])\n"
        "FeatureProgram(['my_other'])"
    )
    done = python(code, tmp_path, "my_features")
    assert done.stdout.startswith("['my_gap', 'my_swing'] – ")
    assert "there is no feature 'my_other'" in done.stderr
    assert "features of your own come from TIDEWHEEL_FEATURES=my_features" in done.stderr
    assert done.stdout == python(code, tmp_path, "my_features").stdout
    listed = python(
        "from features.description import listing\n"
        "print([one.name for one in listing(group='own')])",
        tmp_path, "my_features",
    )  # fmt: skip
    assert listed.stdout == "['my_gap', 'my_swing']\n"
    absent = python(code, tmp_path, "")
    assert "TIDEWHEEL_FEATURES names no module with features of your own" in absent.stderr
    broken = python(code, tmp_path, "my_features, not_there")
    assert "TIDEWHEEL_FEATURES names not_there, which cannot be imported" in broken.stderr


@pytest.mark.parametrize("line", ["1 / 0", "raise ImportError('gone')", "def x(", "import nope"])
def test_a_module_that_fails_is_told_each_time(tmp_path: Path, line: str) -> None:
    (tmp_path / "my_broken.py").write_text(MODULE + line)
    code = (
        "from features.errors import FeatureError\n"
        "from features.program import FeatureProgram\n"
        "for name in ('my_swing', 'my_gap_2', 'my_gap_2'):\n"
        "    try:\n"
        "        print(FeatureProgram([name]).names)\n"
        "    except FeatureError as error:\n"
        "        print(error)\n"
    )
    code += "from features.hashes import changed, missing\nprint(missing({'my_old': 'x'}))\n"
    code += "print(changed({'my_old': 'x'}))"
    *told, absent, reason = python(code, tmp_path, "my_broken").stdout.splitlines()
    assert absent == "['my_old']"
    assert "my_old (unknown or refused in this process; TIDEWHEEL_FEATURES names my_b" in reason
    wanted = "TIDEWHEEL_FEATURES names my_broken, which cannot be imported"
    assert [wanted in line for line in told[-2:]] == [True, True]


def test_descriptions_say_where_a_definition_stands() -> None:
    add("slow_change", slow_change, "Mean change over 7 bars", window=20)
    add("gap", c / mean(c, 33) - 1, "Close relative to its mean")
    assert describe("gap").source == describe("slow_change").source == "a module of your own"
    assert describe("gap").inputs == ("close",)
    assert [one.name for one in listing(group="own")] == ["gap", "slow_change"]
    with pytest.raises(UnknownFeature, match=r"functions of your own here: slow_change"):
        describe("slow_chance")
    indicator = describe("ta:rsi")
    assert indicator.source == "pandas-ta-classic"
    assert indicator.inputs == ("open", "high", "low", "close", "volume")
    assert indicator.settle > indicator.lookback == 14


def test_one_that_is_refused_is_listed_with_its_reason(tmp_path: Path) -> None:
    add("slow_change", slow_change, "Mean change over 7 bars", window=20)
    add("mine", peeking, "x", window=5)
    good, bad = sorted(listing(group="own"), key=lambda one: one.unit == "refused")
    assert (good.name, good.lookback) == ("slow_change", 19)
    assert (bad.name, bad.unit, bad.lookback, bad.settle) == ("mine", "refused", None, None)
    assert bad.text.startswith("refused: mine: the value at bar")
    with pytest.raises(LooksAhead):
        describe("mine")

    manager = FeatureManager("simulated", home=tmp_path)
    table = manager.describe_features()
    assert list(table.index) == manager.list_features()
    assert table.loc["mine", "text"] == bad.text
    assert table.loc["mine", ["lookback", "settle"]].isna().all()
    assert table.loc["slow_change", ["unit", "lookback"]].tolist() == ["–", 19]
    with pytest.raises(LooksAhead):
        manager.describe_features(["rsi_14", "mine"])


def test_definitions_are_written_with_the_names_of_now() -> None:
    gap = c / mean(c, 33) - 1
    add("gap", gap, "Close relative to its mean")
    add("wide", gap * 2, "x")
    assert "gap" in describe("wide").definition
    own.remove("gap")
    assert "gap" not in describe("wide").definition


def test_an_unknown_name_says_where_ones_own_come_from() -> None:
    with pytest.raises(UnknownFeature, match="TIDEWHEEL_FEATURES"):
        FeatureProgram(["not_a_feature"])
