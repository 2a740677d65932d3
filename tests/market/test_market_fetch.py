"""Updating the store: only what is missing, nothing twice, every oddity in the report."""

from __future__ import annotations

import pandas as pd
import pytest

from market.errors import NoCandles, SourceDown, UnknownSymbol
from market.fetch import update
from market.simulated import SimulatedSource
from market.store import CandleStore
from market.timeframes import instant_ms

START, NOON, END = "2025-05-28T00:00Z", "2025-05-28T12:00Z", "2025-05-29T00:00Z"
MINUTE = 60_000


class Recorder:
    """A source that remembers what it was asked and can be told to misbehave."""

    simulated = True

    def __init__(self, change=None) -> None:
        self.name = "simulated-recorded"
        self.asked: list[tuple[int, int]] = []
        self.change = change
        self._source = SimulatedSource()

    def fetch(self, symbol, timeframe, start, end):
        self.asked.append((instant_ms(start), instant_ms(end)))
        rows = self._source.fetch(symbol, timeframe, start, end)
        return self.change(rows) if self.change else rows


@pytest.fixture
def store(tmp_path) -> CandleStore:
    return CandleStore(tmp_path, "simulated-recorded")


def test_first_and_second_call(store):
    source = Recorder()
    first = update(source, store, "btcusdt", "1min", START, NOON)
    assert (first.symbol, first.timeframe, first.rows_new, first.rows) == (
        "BTC-USDT",
        "1m",
        720,
        720,
    )
    assert (first.first, first.last) == (pd.Timestamp(START), pd.Timestamp("2025-05-28T11:59Z"))
    assert (first.report.rows_in, first.conflicts) == (720, 0)
    second = update(source, store, "BTC-USDT", "1m", START, END)
    assert (second.rows_new, second.rows) == (720, 1440)
    update(source, store, "BTC-USDT", "1m", START, END)
    assert source.asked == [
        (instant_ms(START), instant_ms(NOON)),
        (instant_ms(NOON), instant_ms(END)),
    ]


def test_it_equals_one_fetch_whatever_the_steps(store):
    source = Recorder()
    for start, end in ((NOON, END), (START, "2025-05-28T03:00Z"), (START, END)):
        update(source, store, "BTC-USDT", "1m", start, end)
    whole = SimulatedSource().fetch("BTC-USDT", "1m", START, END)
    pd.testing.assert_frame_equal(store.read("BTC-USDT", "1m"), whole, check_exact=True)


def test_near_holes_are_asked_for_together_and_far_ones_apart(store):
    whole = SimulatedSource().fetch("BTC-USDT", "1m", START, END)
    store.append("BTC-USDT", "1m", whole.drop(whole.index[[100, 200, 300, 1200]]))
    source = Recorder()
    result = update(source, store, "BTC-USDT", "1m", START, END)
    base = instant_ms(START)
    assert source.asked == [
        (base + 100 * MINUTE, base + 301 * MINUTE),
        (base + 1200 * MINUTE, base + 1201 * MINUTE),
    ]
    assert (result.rows_new, result.rows, result.conflicts) == (4, 1440, 0)


def test_a_changed_history_is_a_conflict_not_a_rewrite(store):
    whole = SimulatedSource().fetch("BTC-USDT", "1m", START, END)
    store.append("BTC-USDT", "1m", whole.drop(whole.index[[100, 300]]))
    source = Recorder(lambda rows: rows.assign(volume=rows.volume + 1))
    result = update(source, store, "BTC-USDT", "1m", START, END)
    assert (result.rows_new, result.conflicts) == (2, 199)
    assert store.read("BTC-USDT", "1m").volume.iloc[150] == whole.volume.iloc[150]


def test_gaps_at_both_ends_and_inside_are_reported(store):
    source = Recorder(lambda rows: rows.iloc[5:-3].drop(rows.index[[50, 51]]))
    result = update(source, store, "BTC-USDT", "1m", START, END)
    assert [gap.bars for gap in result.report.gaps] == [5, 2, 3]
    assert (result.report.missing_bars, result.rows) == (10, 1430)


def test_a_ragged_window_is_cut_to_whole_bars(store):
    source = Recorder()
    result = update(source, store, "BTC-USDT", "5m", "2025-05-28T00:01Z", "2025-05-28T01:03:59Z")
    assert (result.first, result.last) == (
        pd.Timestamp("2025-05-28T00:05Z"),
        pd.Timestamp("2025-05-28T00:55Z"),
    )
    assert result.report.missing_bars == 0


def test_bars_a_source_should_not_have_sent_are_dropped_and_counted(store):
    """An unfinished last bar and one from the future."""
    later = SimulatedSource().fetch("BTC-USDT", "1m", END, "2025-05-29T00:02Z")
    later.index = (
        later.index[:1].append(later.index[1:] + pd.Timedelta(days=3650)).rename("timestamp")
    )
    source = Recorder(lambda rows: pd.concat([rows, later]))
    result = update(source, store, "BTC-USDT", "1m", START, "2025-05-29T00:00:20Z")
    assert (result.report.future, result.report.unfinished, result.rows) == (1, 1, 1440)


def test_a_failing_source_leaves_the_store_as_it_was(store):
    update(Recorder(), store, "BTC-USDT", "1m", START, NOON)

    def down(rows):
        raise SourceDown("no route")

    with pytest.raises(SourceDown, match="no route"):
        update(Recorder(down), store, "BTC-USDT", "1m", START, END)
    assert len(store.read("BTC-USDT", "1m")) == 720


def test_no_candle_at_all_is_an_error_with_a_remedy(store):
    with pytest.raises(NoCandles, match="opens at 2015-01-05"):
        update(Recorder(), store, "BTC-USDT", "1m", "2014-01-01T00:00Z", "2014-01-02T00:00Z")
    silent = Recorder(lambda rows: rows.iloc[:0])
    with pytest.raises(NoCandles, match="choose another window"):
        update(silent, store, "BTC-USDT", "1m", START, END)
    with pytest.raises(UnknownSymbol):
        update(Recorder(), store, "LUNA-USDT", "1m", START, END)
