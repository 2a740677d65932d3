"""One program for history and for the live bar: the same numbers, bit for bit."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from features.catalogue import FEATURES
from features.engine.compiler import compile_plan
from features.errors import (
    BadBar,
    BadState,
    FeatureError,
    MissingInput,
    NotEnoughHistory,
    UnknownFeature,
)
from features.inputs import c
from features.language import ema, mean
from features.program import FeatureProgram
from market.errors import BadCandles
from tests.features.walks import beside, walk

NAMES = tuple(FEATURES)
SMALL = ("return_1", "rsi_14", "ema_20", "close_to_vwap", "log_rv_12", "psar_dist", "hour")


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return beside(walk(2600, seed=1, outages=[(900, 1300)]))


@pytest.fixture(scope="module")
def whole(candles: pd.DataFrame) -> np.ndarray:
    return FeatureProgram(NAMES).run(candles)


def records(candles: pd.DataFrame) -> list[tuple[float, ...]]:
    """Return bars as numbers, for a program of all features."""
    times = candles.index.asi8.tolist()
    return [(t, *row) for t, row in zip(times, candles.to_numpy().tolist(), strict=True)]


def plain(candles: pd.DataFrame) -> list[tuple[float, ...]]:
    """Return bars as numbers, for a program that needs nothing beside the candles."""
    return [record[:6] for record in records(candles)]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("size", [1, 7, 64, 333, 1024])
def test_chunks_of_any_size_give_the_same_bits(candles, whole, size) -> None:
    program = FeatureProgram(NAMES)
    parts = [program.extend(candles.iloc[i : i + size]) for i in range(0, len(candles), size)]
    assert same_bits(np.concatenate(parts), whole)


def test_pushed_bars_give_the_same_bits_as_history(candles, whole) -> None:
    program = FeatureProgram(NAMES)
    rows = np.stack([program.push(bar) for bar in records(candles)])
    assert same_bits(rows, whole)


def test_history_then_live_bars_is_one_stream(candles, whole) -> None:
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[:2000])
    rows = np.stack([program.push(bar) for bar in records(candles)[2000:]])
    assert same_bits(rows, whole[2000:])


def test_run_starts_afresh_each_time(candles, whole) -> None:
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[500:])
    assert same_bits(program.run(candles), whole)
    assert program.seen == len(candles)


def test_a_column_does_not_depend_on_its_neighbours(candles, whole) -> None:
    for name in SMALL:
        alone = FeatureProgram([name]).run(candles)[:, 0]
        assert same_bits(alone, whole[:, NAMES.index(name)].copy())


def test_float64_is_what_float32_was_rounded_from(candles, whole) -> None:
    exact = FeatureProgram(NAMES).run(candles, dtype=np.float64)
    assert same_bits(exact.astype(np.float32), whole)
    assert np.array_equal(exact[:, NAMES.index("close")], candles["close"])


def pickled(program: FeatureProgram) -> FeatureProgram:
    return pickle.loads(pickle.dumps(program))


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_of_any_kind_is_a_fork(candles, take) -> None:
    program = FeatureProgram(SMALL)
    program.run(candles.iloc[:500])
    before = program.to_bytes()
    other = take(program)
    rows = other.extend(candles.iloc[500:700])
    assert (other.seen, program.seen) == (700, 500)
    assert program.to_bytes() == before
    assert same_bits(program.extend(candles.iloc[500:700]), rows)


def test_a_fork_goes_its_own_way(candles) -> None:
    program = FeatureProgram(SMALL)
    bars = plain(candles)
    program.run(candles.iloc[:400])
    fork = program.fork()
    strange = (bars[400][0], 150.0, 200.0, 90.0, 160.0, 1e6)
    fork.push(strange)
    assert same_bits(program.push(bars[400]), FeatureProgram(SMALL).run(candles.iloc[:401])[-1])
    assert not np.array_equal(fork.push(bars[401]), program.push(bars[401]))


def test_forks_run_in_threads(candles) -> None:
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[:600])
    forks = [program.fork() for _ in range(4)]
    rows: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: rows.update({i: forks[i].extend(candles.iloc[600:])}))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = program.extend(candles.iloc[600:])
    assert all(same_bits(rows[i], expected) for i in range(4))


@pytest.mark.parametrize("seen", [0, 1, 255, 256, 700])
def test_a_program_goes_on_from_its_bytes(candles, whole, seen) -> None:
    program = FeatureProgram(NAMES)
    for bar in records(candles)[:seen]:
        program.push(bar)
    restored = FeatureProgram.from_bytes(program.to_bytes())
    assert restored.names == NAMES
    assert restored.seen == seen
    assert same_bits(restored.extend(candles.iloc[seen : seen + 600]), whole[seen : seen + 600])


def test_bytes_do_not_depend_on_how_the_bars_came(candles) -> None:
    one, other = FeatureProgram(SMALL), FeatureProgram(SMALL)
    one.run(candles.iloc[:1000])
    for bar in plain(candles)[:1000]:
        other.push(bar)
    assert one.to_bytes() == other.to_bytes()


def test_damaged_or_foreign_bytes_are_refused(candles) -> None:
    program = FeatureProgram(SMALL)
    program.run(candles)
    stored = program.to_bytes()
    with pytest.raises(BadState, match="damaged"):
        FeatureProgram.from_bytes(stored[:-1])
    with pytest.raises(BadState, match="head"):
        FeatureProgram.from_bytes(b"\x80\x04nonsense")
    with pytest.raises(BadState, match="format"):
        FeatureProgram.from_bytes(b"{}\n")
    with pytest.raises(BadState, match="format"):
        FeatureProgram.from_bytes(b'{"format": "tidewheel-features-2"}\n')
    renamed = dict(FEATURES) | {"ema_20": FEATURES["ema_50"]}
    with pytest.raises(BadState, match="ema_20"):
        FeatureProgram.from_bytes(stored, features=renamed)


def test_values_begin_exactly_at_the_look_back(whole) -> None:
    program = FeatureProgram(NAMES)
    for j, name in enumerate(NAMES):
        first = program.lookbacks[name]
        assert np.isnan(whole[:first, j]).all(), name
        assert np.isfinite(whole[first:, j]).all(), name
    assert program.lookback == max(program.lookbacks.values()) == 2016


def test_unsettled_values_can_be_left_out(candles) -> None:
    program = FeatureProgram(["rsi_14", "sma_5"])
    values = program.run(candles, settled=True)
    assert program.settle == 574
    assert np.isnan(values[:574, 0]).all()
    assert np.isnan(values[:4, 1]).all()
    assert np.isfinite(values[574:, 0]).all()
    assert np.isfinite(values[4:, 1]).all()


def test_days_become_bars_of_the_timeframe() -> None:
    assert FeatureProgram(["pivot_dist"]).settle == 2880
    assert FeatureProgram(["pivot_dist"], "1h").settle == 48
    assert FeatureProgram(["vwap"], "5min").settle == 288


def test_common_parts_are_computed_once() -> None:
    both = compile_plan([ema(c, 12) - ema(c, 26), (ema(c, 12) - ema(c, 26)) / c])
    assert len(both.table) == 4  # two averages, their difference, its ratio to the close
    assert len(compile_plan([mean(c, 5), mean(c, 5)]).table) == 1


def test_bars_come_as_records_series_or_numbers(candles) -> None:
    expected = FeatureProgram(SMALL).run(candles.iloc[500:501])[0]
    when, row = candles.index[500], candles.iloc[500]
    for bar in (
        row,
        {"timestamp": when, **row.to_dict()},  # what is not needed is ignored
        {"timestamp": int(when.value // 10**6), **row.to_dict()},
        {"timestamp": when.isoformat(), **row.to_dict()},
        plain(candles)[500],
        (when, *row.iloc[:5]),
        (when.isoformat(), *row.iloc[:5].astype(str)),
        next(candles.iloc[500:, :5].itertuples()),
    ):
        assert same_bits(FeatureProgram(SMALL).push(bar), expected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"close": np.nan}, "finite"),
        ({"volume": np.inf}, "finite"),
        ({"timestamp": 1_700_006_400}, "epoch milliseconds"),
        ({"timestamp": 1_700_006_400_000_000}, "epoch milliseconds"),
        ({"timestamp": 1.7e18}, "epoch milliseconds"),
        ({"close": None}, "no number"),
        ({"close": "dear"}, "no number"),
        ({"low": -1.0}, "cannot be"),
        ({"high": 1.0}, "cannot be"),
        ({"volume": -1.0}, "cannot be"),
    ],
)
def test_a_bar_that_cannot_be_is_refused_and_leaves_no_trace(candles, change, reason) -> None:
    program = FeatureProgram(SMALL)
    program.run(candles.iloc[:100])
    before = program.to_bytes()
    when = int(candles.index[100].value // 10**6)
    with pytest.raises(BadBar, match=reason):
        program.push({"timestamp": when, **candles.iloc[100].to_dict()} | change)
    assert program.to_bytes() == before


def test_bars_must_follow_each_other(candles) -> None:
    program = FeatureProgram(SMALL)
    bars = plain(candles)
    program.push(bars[5])
    for late in (bars[5], bars[4]):
        with pytest.raises(BadBar, match="does not follow"):
            program.push(late)
    with pytest.raises(BadBar, match="lacks timestamp, volume"):
        program.push({"open": 1, "high": 1, "low": 1, "close": 1})
    with pytest.raises(BadBar, match="6 numbers"):
        program.push([1.0, 2.0])


def test_candles_that_were_not_repaired_are_refused(candles) -> None:
    program = FeatureProgram(SMALL)
    holed = candles.copy()
    holed.iloc[7, 3] = np.nan
    with pytest.raises(BadCandles, match="1 hold values"):
        program.run(holed)
    with pytest.raises(BadCandles, match="1 rows do not follow"):
        program.run(pd.concat([candles.iloc[:5], candles.iloc[4:9]]))
    with pytest.raises(BadCandles, match="volume"):
        program.run(candles.drop(columns="volume"))


def test_what_is_needed_beside_the_candles_is_asked_for(candles) -> None:
    program = FeatureProgram(["return_1", "btc_beta_60", "sentiment"])
    assert program.inputs == ("benchmark", "sentiment")
    assert FeatureProgram(SMALL).inputs == ()
    with pytest.raises(MissingInput, match="with_benchmark"):
        program.run(candles.drop(columns="benchmark"))
    with pytest.raises(MissingInput, match="with_sentiment"):
        program.push(candles.drop(columns="sentiment").iloc[0])
    with pytest.raises(BadBar, match="8 numbers"):
        program.push(plain(candles)[0])
    for value in (np.nan, 0.0, np.inf):
        bar = {"timestamp": candles.index[0], **candles.iloc[0].to_dict(), "benchmark": value}
        with pytest.raises(MissingInput, match="benchmark is"):
            program.push(bar)
    assert program.seen == 0


def test_a_cold_start_says_how_many_bars_it_needs(candles) -> None:
    program = FeatureProgram(SMALL)
    with pytest.raises(NotEnoughHistory, match="replays 1441 bars, and here are 1440: close"):
        program.replay(candles.iloc[:1440])
    row = program.replay(candles.iloc[-1441:])
    assert same_bits(row, FeatureProgram(SMALL).run(candles.iloc[-1441:])[-1])
    assert program.seen == 1441


@pytest.mark.parametrize(
    "out",
    [
        np.empty((2600, 7), np.int32),
        np.empty((2600, 7), ">f4"),
        np.empty((2600, 7), object),
        np.frombuffer(bytes(2600 * 7 * 4), np.float32).reshape(2600, 7),
        [[0.0] * 7] * 2600,
    ],
    ids=["int32", "byte order", "object", "read-only", "list"],
)
def test_an_array_that_cannot_hold_features_is_refused_and_leaves_no_trace(candles, out) -> None:
    program = FeatureProgram(SMALL)
    program.push(plain(candles)[0])
    with pytest.raises(FeatureError, match=r"out is .*float32"):
        program.run(candles, out=out)
    assert program.seen == 1
    with pytest.raises(FeatureError, match=r"dtype is .*float32 or float64"):
        program.run(candles, dtype=np.int64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_go_into_any_layout(candles, whole, dtype) -> None:
    expected = FeatureProgram(SMALL).run(candles, dtype=dtype)
    shape = expected.shape
    for out in (
        np.empty(shape, dtype, order="F"),
        np.empty((2 * shape[0], 3 * shape[1]), dtype)[::2, ::3],
        np.empty(shape, dtype)[::-1, ::-1],
    ):
        assert FeatureProgram(SMALL).run(candles, out=out) is out
        assert np.array_equal(out, expected, equal_nan=True)


def test_rows_go_into_an_array_in_hand(candles, whole) -> None:
    out = np.empty_like(whole)
    assert FeatureProgram(NAMES).run(candles, out=out) is out
    assert same_bits(out, whole)
    with pytest.raises(FeatureError, match=r"\(2600, 7\)"):
        FeatureProgram(SMALL).run(candles, out=out)


def test_candles_that_are_refused_leave_no_trace(candles, whole) -> None:
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[:700])
    before = program.to_bytes()
    holed = candles.iloc[700:1400].copy()
    holed.iloc[600, 3] = np.nan
    with pytest.raises(BadCandles):
        program.extend(holed)
    with pytest.raises(BadCandles):
        program.run(holed)
    with pytest.raises(FeatureError, match="out is"):
        program.run(candles, out=np.empty((3, 3)))
    assert program.to_bytes() == before
    assert same_bits(program.extend(candles.iloc[700:1400]), whole[700:1400])


def test_no_candles_are_no_rows() -> None:
    assert FeatureProgram(SMALL).run(walk(3).iloc[:0]).shape == (0, len(SMALL))


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownFeature, match=r"no feature 'rsi14'.*rsi_14"):
        FeatureProgram(["rsi14"])
    with pytest.raises(FeatureError, match="list"):
        FeatureProgram("rsi_14")
    with pytest.raises(FeatureError, match="list of feature names, not"):
        FeatureProgram(["rsi_14", 14])
    with pytest.raises(FeatureError, match="list"):
        FeatureProgram([])
