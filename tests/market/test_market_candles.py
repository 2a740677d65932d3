"""Bad candles are dropped and counted, one reason a row; good ones are never touched."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.candles import as_candles, check_candles, empty_candles, open_ms, repair
from market.errors import BadCandles

START = 1_748_390_400_000  # 2025-05-28T00:00Z
MINUTE = 60_000
FAR = START + 10**9


def good(n: int = 30, step: int = MINUTE) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    opens = np.append(100, close[:-1])
    return pd.DataFrame(
        {
            "timestamp": pd.to_datetime(START + step * np.arange(n), unit="ms", utc=True),
            "open": opens,
            "high": np.maximum(opens, close) + 0.1,
            "low": np.minimum(opens, close) - 0.1,
            "close": close,
            "volume": rng.uniform(1, 9, n),
        }
    )


def test_good_candles_pass_unchanged():
    candles, report = repair(good(), "1m", FAR)
    assert report.clean
    assert report.summary() == "30 of 30 rows kept; clean"
    check_candles(candles)
    np.testing.assert_array_equal(candles.to_numpy(), good().iloc[:, 1:].to_numpy())
    assert str(candles.index.dtype) == "datetime64[ms, UTC]"
    assert candles.index.name == "timestamp"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("close", np.nan, "nan_rows"),
        ("high", np.inf, "nan_rows"),
        ("volume", np.nan, "nan_rows"),
        ("timestamp", pd.NaT, "nan_rows"),
        ("low", 0.0, "non_positive"),
        ("open", -5.0, "non_positive"),
        ("volume", -1.0, "non_positive"),
        ("high", 50.0, "impossible"),
        ("low", 150.0, "impossible"),
        ("timestamp", pd.Timestamp(START + 12 * MINUTE + 7_000, unit="ms", tz="UTC"), "off_grid"),
    ],
)
def test_one_bad_value_costs_one_row_and_is_counted(column, value, reason):
    table = good()
    table.loc[12, column] = value
    candles, report = repair(table, "1m", FAR)
    assert (report.rows_in, report.rows_out, getattr(report, reason)) == (30, 29, 1)
    assert (report.missing_bars, report.gaps[0].bars) == (1, 1)
    assert report.gaps[0].start == pd.Timestamp(START + 12 * MINUTE, unit="ms", tz="UTC")
    assert not report.clean
    assert reason.replace("_", " ") in report.summary()
    check_candles(candles)


def test_future_and_unfinished_bars():
    candles, report = repair(good(), "1m", START + 20 * MINUTE + 30_000)
    assert (report.unfinished, report.future, report.rows_out) == (1, 9, 20)
    assert open_ms(candles)[-1] == START + 19 * MINUTE
    # Exactly at its close a bar is finished.
    assert repair(good(), "1m", START + 21 * MINUTE)[1].rows_out == 21


def test_order_and_duplicates():
    table = good()
    other = table.iloc[[5]].assign(volume=1e6)
    mixed = pd.concat([table.iloc[10:], table.iloc[:10], table.iloc[[3, 4]], other])
    candles, report = repair(mixed, "1m", FAR)
    assert (report.duplicates, report.conflicting_duplicates) == (2, 1)
    assert report.unsorted == 13
    np.testing.assert_array_equal(candles.to_numpy(), table.iloc[:, 1:].to_numpy())


def test_of_conflicting_rows_the_first_given_stays():
    table = good(2000)
    other = table.assign(volume=table.volume + 1.0)
    first, report = repair(pd.concat([table, other]), "1m", FAR)
    second, _ = repair(pd.concat([other, table]), "1m", FAR)
    assert report.conflicting_duplicates == 2000
    np.testing.assert_array_equal(first.volume, table.volume)
    np.testing.assert_array_equal(second.volume, other.volume)


def test_a_flat_outage_is_kept_and_counted():
    table = good()
    table.loc[10:16, ["open", "high", "low", "close"]] = 100.0
    table.loc[20, ["open", "high", "low", "close"]] = 100.0
    candles, report = repair(table, "1m", FAR)
    assert (report.flat_bars, report.longest_flat, report.rows_out) == (8, 7, 30)
    assert report.clean
    assert "longest flat 7" in report.summary()
    assert len(candles) == 30


def test_gaps_say_where():
    table = good().drop(index=[4, 5, 6, 20])
    _, report = repair(table, "1m", FAR)
    assert [(gap.bars, gap.start.minute, gap.end.minute) for gap in report.gaps] == [
        (3, 4, 7),
        (1, 20, 21),
    ]
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["missing_bars"] == 4
    assert plain["gaps"][0] == {
        "start": "2025-05-28T00:04:00+00:00",
        "end": "2025-05-28T00:07:00+00:00",
        "bars": 3,
    }


def test_nothing_left_is_an_answer_too():
    candles, report = repair(good().assign(close=np.nan), "1m", FAR)
    assert candles.empty
    assert (report.nan_rows, report.rows_out, report.gaps) == (30, 0, ())
    assert repair(empty_candles(), "1m", FAR)[1].clean


FAULTS = st.lists(
    st.tuples(
        st.integers(0, 29),
        st.sampled_from(["nan", "zero", "swap", "shift", "copy", "changed", "move"]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(FAULTS)
def test_any_mixture_of_faults_leaves_true_candles_and_full_accounts(faults):
    """Canonical result; rows in = rows out + drops; each row kept is one that was given."""
    table = good()
    for row, fault in faults:
        if fault == "nan":
            table.iloc[row, 4] = np.nan
        elif fault == "zero":
            table.iloc[row, 1] = 0.0
        elif fault == "swap":
            table.iloc[row, [2, 3]] = table.iloc[row, [3, 2]].to_numpy()
        elif fault == "shift":
            table.iloc[row, 0] = table.iloc[row, 0] + pd.Timedelta(seconds=1)
        elif fault == "copy":
            table = pd.concat([table, table.iloc[[row]]])
        elif fault == "changed":
            table = pd.concat([table, table.iloc[[row]].assign(volume=0.5)])
        else:
            table = pd.concat([table.drop(index=table.index[row]), table.iloc[[row]]])
    candles, report = repair(table, "1m", START + 25 * MINUTE)
    check_candles(candles)
    dropped = (
        report.nan_rows, report.non_positive, report.impossible, report.off_grid, report.future,
        report.unfinished, report.duplicates, report.conflicting_duplicates,
    )  # fmt: skip
    assert report.rows_in == len(table) == report.rows_out + sum(dropped)
    given_rows = set(as_candles(table).reset_index().itertuples(index=False, name=None))
    assert set(candles.reset_index().itertuples(index=False, name=None)) <= given_rows
    assert repair(candles, "1m", FAR)[0].equals(candles)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t,
        lambda t: t.assign(timestamp=t.timestamp.astype("datetime64[ns, UTC]")),
        lambda t: t.assign(timestamp=START + MINUTE * np.arange(len(t))),
        lambda t: t.assign(timestamp=t.timestamp.dt.strftime("%Y-%m-%dT%H:%M:%SZ")),
        lambda t: t.assign(timestamp=t.timestamp.dt.tz_localize(None)),
        lambda t: t.assign(timestamp=t.timestamp.dt.tz_convert("Asia/Tokyo")),
        lambda t: t.set_index("timestamp"),
        lambda t: t.rename(columns=str.upper),
        lambda t: t.assign(trades=1)[
            ["volume", "trades", "low", "high", "close", "open", "timestamp"]
        ],
        lambda t: t.astype({"open": str, "volume": "float32"}),
    ],
)
def test_tables_of_many_shapes_become_the_same_candles(change):
    got = as_candles(change(good()))
    reference = as_candles(good())
    pd.testing.assert_frame_equal(got, reference, rtol=1e-6)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (good().drop(columns=["close", "volume"]), "lack the columns close, volume"),
        (good().assign(timestamp=START // 1000), "are not epoch milliseconds"),
        (good().assign(timestamp=START * 1000), "are not epoch milliseconds"),
        (good().reset_index(drop=True).drop(columns="timestamp"), "are not epoch milliseconds"),
    ],
)
def test_what_is_not_a_table_of_candles(table, words):
    with pytest.raises(BadCandles, match=words):
        as_candles(table)


def test_check_refuses_what_was_not_repaired():
    candles = as_candles(good())
    check_candles(candles)
    for broken, words in (
        (good(), "datetime64"),
        (candles[["close", "open", "high", "low", "volume"]], "columns"),
        (candles.iloc[::-1], "29 rows do not follow"),
        (candles.iloc[[0, 1, 1, 2]], "1 rows do not follow"),
        (candles.assign(close=np.nan), "30 hold values"),
    ):
        with pytest.raises(BadCandles, match=words):
            check_candles(broken)
