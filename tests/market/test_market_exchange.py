"""The exchange source, through ccxt, against a real HTTP server that misbehaves."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from market.candles import repair
from market.errors import (
    BadAnswer,
    BadSpec,
    RateLimited,
    SourceDown,
    SourceTimeout,
    UnknownSymbol,
    UnsupportedTimeframe,
)
from market.exchange import URL_VARIABLE, ExchangeSource
from market.fetch import update
from market.source import open_source
from market.store import CandleStore
from market.timeframes import instant_ms
from tests.market.exchange_emulator import Exchange, expected

NOW = instant_ms("2025-05-02T12:00:30Z")
MINUTE, HOUR = 60_000, 3_600_000
END = NOW // MINUTE * MINUTE


@pytest.fixture
def exchange():
    with Exchange(now=NOW) as running:
        yield running


def client(exchange: Exchange, **changes) -> ExchangeSource:
    options = {
        "base_url": exchange.url,
        "timeout_s": 0.3,
        "first_wait_s": 0.005,
        "longest_wait_s": 1.0,
        "clock": lambda: NOW,
    }
    source = ExchangeSource("binance", **(options | changes))
    source._exchange.rateLimit = (
        1  # the emulator has no limit of its own; ccxt's pace is its business
    )
    return source


def test_pages_join_up_without_loss_or_repeat(exchange):
    start = END - 2500 * MINUTE
    got = client(exchange).fetch("BTC/USDT", "1min", start, END)
    pd.testing.assert_frame_equal(got, expected(start, END), check_freq=False)
    assert [q["limit"] for q in exchange.requests] == ["1000", "1000", "500"]


@pytest.mark.parametrize("timeframe", ["5m", "1h"])
def test_other_timeframes(exchange, timeframe):
    step = {"5m": 5 * MINUTE, "1h": HOUR}[timeframe]
    start, end = NOW // step * step - 30 * step, NOW // step * step
    got = client(exchange).fetch("ETH_USDT", timeframe, start, end)
    pd.testing.assert_frame_equal(got, expected(start, end, step), check_freq=False)


def test_the_unfinished_bar_is_never_taken(exchange):
    """The exchange includes it; the window asks for it; neither clock lets it through."""
    got = client(exchange).fetch("BTC-USDT", "1m", END - HOUR, END + HOUR)
    pd.testing.assert_frame_equal(got, expected(END - HOUR, END), check_freq=False)


def test_a_fast_clock_here_does_not_finish_a_bar(exchange):
    fast = client(exchange, clock=lambda: NOW + 45_000)
    got = fast.fetch("BTC-USDT", "1m", END - HOUR, END + HOUR)
    pd.testing.assert_frame_equal(got, expected(END - HOUR, END), check_freq=False)


FAULTS = [
    "timeout", "reset", "429", "429:1", "418", "500", "502", "503", "504", "html", "cut", "numbers",
    "texts", "timeless", "short", "empty", "object", "duplicates", "early", "shuffled",
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_costs_no_bar(exchange, fault):
    """Whatever one answer was, the repaired candles are complete and true."""
    start = END - 1500 * MINUTE
    exchange.faults = ["", fault]
    raw = client(exchange).fetch("BTC-USDT", "1m", start, END)
    candles, report = repair(raw, "1m", NOW)
    pd.testing.assert_frame_equal(candles, expected(start, END), check_freq=False)
    assert report.missing_bars == 0
    assert report.duplicates == (5 if fault == "duplicates" else 0)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("timeout", SourceTimeout, "did not answer in time"),
        ("429", RateLimited, "asked too often"),
        ("418", RateLimited, "asked too often"),
        ("500", SourceDown, "out of order"),
        ("503", SourceDown, "out of order"),
        ("reset", SourceDown, "cannot be reached"),
        ("html", BadAnswer, "not candles"),
        ("cut", BadAnswer, "not candles"),
        ("object", BadAnswer, "not candles"),
        ("numbers", BadAnswer, "not candles"),
        ("texts", BadAnswer, "not candles"),
        ("timeless", BadAnswer, "not candles"),
    ],
)
def test_a_lasting_fault_ends_in_its_own_error(exchange, fault, error, words):
    exchange.always = fault
    with pytest.raises(error, match=words):
        client(exchange, attempts=3).fetch("BTC-USDT", "1m", END - HOUR, END)
    assert len(exchange.requests) == 3


@pytest.mark.parametrize("fault", ["timeout", "reset", "429", "503", "html", "object", "empty"])
def test_a_fault_of_the_listing_or_the_clock_is_tried_again(exchange, fault):
    """Rubbish instead of a listing must not read as "no such symbol"."""
    exchange.other_faults = [fault, "", fault]
    got = client(exchange).fetch("BTC-USDT", "1m", END - HOUR, END)
    pd.testing.assert_frame_equal(got, expected(END - HOUR, END), check_freq=False)
    assert not exchange.other_faults


def test_a_listing_that_stays_rubbish_is_no_unknown_symbol(exchange):
    exchange.other_faults = ["html"] * 9
    with pytest.raises(BadAnswer, match="not a list of markets"):
        client(exchange, attempts=3).fetch("BTC-USDT", "1m", END - HOUR, END)


def test_it_waits_as_long_as_the_exchange_asks(exchange):
    exchange.faults = ["429:1"]
    began = time.monotonic()
    client(exchange).fetch("BTC-USDT", "1m", END - HOUR, END)
    assert 1.0 <= time.monotonic() - began < 3.0


def test_requests_keep_to_the_pace_of_the_exchange(exchange):
    slow = client(exchange, page_bars=20)
    slow._exchange.rateLimit = 500  # milliseconds, for a request of weight 1; candles weigh 0.4
    began = time.monotonic()
    slow.fetch("BTC-USDT", "1m", END - 100 * MINUTE, END)
    assert len(exchange.requests) == 5
    assert time.monotonic() - began > 4 * 0.2


def test_it_gives_up_at_once_when_asked_to_wait_too_long(exchange):
    exchange.always = "429:3600"
    with pytest.raises(RateLimited) as caught:
        client(exchange).fetch("BTC-USDT", "1m", END - HOUR, END)
    assert caught.value.retry_after_s == 3600
    assert len(exchange.requests) == 1


def test_nothing_listens():
    with Exchange(now=NOW) as gone:
        pass
    with pytest.raises(SourceDown, match=URL_VARIABLE):
        client(gone, attempts=2).fetch("BTC-USDT", "1m", END - HOUR, END)


def test_a_symbol_that_does_not_exist(exchange):
    with pytest.raises(UnknownSymbol, match="does not list LUNA-USDT"):
        client(exchange).fetch("LUNA-USDT", "1m", END - HOUR, END)
    assert not exchange.requests


def test_a_symbol_delisted_between_listing_and_fetch(exchange):
    source = client(exchange)
    source.fetch("ETH-USDT", "1m", END - HOUR, END)
    exchange.symbols = ("BTCUSDT",)
    with pytest.raises(UnknownSymbol):
        source.fetch("ETH-USDT", "1m", END - HOUR, END)


def test_a_timeframe_the_exchange_lacks(exchange):
    with pytest.raises(UnsupportedTimeframe, match="10m"):
        client(exchange).fetch("BTC-USDT", "10m", END - HOUR, END)


def test_a_market_younger_than_the_window(exchange):
    exchange.first_bar = END - HOUR
    got = client(exchange).fetch("BTC-USDT", "1m", END - 5 * HOUR, END)
    pd.testing.assert_frame_equal(got, expected(END - HOUR, END), check_freq=False)
    exchange.first_bar = END + HOUR
    assert client(exchange).fetch("BTC-USDT", "1m", END - 5 * HOUR, END).empty


def test_an_outage_of_the_exchange_stays_a_gap(exchange, tmp_path):
    hole = (END - 100 * MINUTE, END - 70 * MINUTE)
    exchange.holes = (hole,)
    source = client(exchange)
    store = CandleStore(tmp_path, source.name)
    result = update(source, store, "BTC-USDT", "1m", END - 200 * MINUTE, END)
    assert (result.rows, result.report.missing_bars) == (170, 30)
    assert [gap.bars for gap in result.report.gaps] == [30]
    exchange.holes = ()  # the exchange mends its history
    again = update(source, store, "BTC-USDT", "1m", END - 200 * MINUTE, END)
    assert (again.rows_new, again.rows, again.report.missing_bars) == (30, 200, 0)


def test_update_asks_only_for_what_is_missing(exchange, tmp_path):
    source = client(exchange)
    store = CandleStore(tmp_path, source.name)
    update(source, store, "BTC-USDT", "1m", END - 600 * MINUTE, END - 100 * MINUTE)
    exchange.requests.clear()
    result = update(source, store, "BTC-USDT", "1m", END - 600 * MINUTE, END)
    assert (result.rows_new, result.rows) == (100, 600)
    assert [(int(q["startTime"]), q["limit"]) for q in exchange.requests] == [
        (END - 100 * MINUTE, "100")
    ]
    exchange.requests.clear()
    update(source, store, "BTC-USDT", "1m", END - 600 * MINUTE, END)
    assert not exchange.requests


def test_the_url_may_come_from_the_environment(exchange, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, exchange.url)
    source = open_source("exchange:binance")
    assert (source.name, source.simulated) == ("exchange-binance", False)
    assert len(source.fetch("BTC-USDT", "1m", END - HOUR, END)) == 60


def test_an_exchange_that_does_not_exist():
    with pytest.raises(BadSpec, match="mtgox"):
        open_source("exchange:mtgox")
