"""Symbols, timeframes and instants: every spelling in, one out; anything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.errors import BadInstant, BadSymbol, BadTimeframe
from market.symbols import parse_symbol, parse_symbols, scope_of
from market.timeframes import (
    DAY_MS,
    bars_in,
    bars_per_day,
    instant_ms,
    parse_timeframe,
    timeframe_ms,
    utc,
)

WORD = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=8)


@pytest.mark.parametrize(
    "text", ["BTC-USDT", "BTC/USDT", "BTC_USDT", "BTCUSDT", "btc-usdt", "btcusdt", " BTC/USDT "]
)
def test_all_spellings_of_a_symbol(text):
    assert parse_symbol(text) == "BTC-USDT"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ETHBTC", "ETH-BTC"),
        ("BTCFDUSD", "BTC-FDUSD"),
        ("BTCUSD", "BTC-USD"),
        ("1000PEPEUSDT", "1000PEPE-USDT"),
        ("USDTUSD", "USDT-USD"),
        ("BNBUSD", "BNB-USD"),
    ],
)
def test_pairs_without_a_separator(text, canonical):
    assert parse_symbol(text) == canonical


@given(base=WORD, quote=st.sampled_from(["USDT", "USDC", "BTC", "EUR"]), sep=st.sampled_from("-/_"))
def test_a_symbol_survives_its_own_spelling(base, quote, sep):
    if base == quote:
        return
    canonical = parse_symbol(f"{base}{sep}{quote}")
    assert canonical == f"{base}-{quote}"
    assert parse_symbol(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BTC",
        "USDT",
        "BTC-",
        "-USDT",
        "BTC-USDT-X",
        "BTC USDT",
        "../etc-USDT",
        "BTC-BTC",
        "BTC/USDT:USDT",
    ],
)
def test_what_is_not_a_symbol(text):
    with pytest.raises(BadSymbol, match="write it as BTC-USDT"):
        parse_symbol(text)


def test_lists_of_symbols():
    assert parse_symbols("majors") == ("BTC-USDT", "ETH-USDT", "XRP-USDT")
    assert parse_symbols("ETHUSDT, btc/usdt,ETH-USDT") == ("ETH-USDT", "BTC-USDT")
    assert parse_symbols(["majors", "SOLUSDT"])[-1] == "SOL-USDT"
    with pytest.raises(BadSymbol):
        parse_symbols([])
    with pytest.raises(BadSymbol):
        parse_symbols("")


def test_scopes():
    assert scope_of(["XRP-USDT", "BTCUSDT", "ETH_USDT"]) == "majors"
    assert scope_of(["BTC/USDT"]) == "BTC-USDT"
    assert scope_of(["SOL-USDT", "BTC-USDT"]) == "BTC-USDT+SOL-USDT"


@pytest.mark.parametrize(
    ("text", "canonical", "minutes"),
    [
        ("1m", "1m", 1), ("1min", "1m", 1), ("60s", "1m", 1), ("60 sec", "1m", 1), ("m", "1m", 1),
        ("5 minutes", "5m", 5), ("15T", "15m", 15), ("60m", "1h", 60), ("1H", "1h", 60),
        ("4hours", "4h", 240), ("24h", "1d", 1440), ("1D", "1d", 1440), ("90m", "90m", 90),
    ],
)  # fmt: skip
def test_all_spellings_of_a_timeframe(text, canonical, minutes):
    assert parse_timeframe(text) == canonical
    assert timeframe_ms(text) == minutes * 60_000
    assert bars_per_day(text) * timeframe_ms(text) == DAY_MS


@pytest.mark.parametrize(
    "text", ["", "1M", "0m", "7m", "1w", "2d", "-1m", "1.5h", "1x", "m1", "1000000m"]
)
def test_what_is_not_a_timeframe(text):
    with pytest.raises(BadTimeframe):
        parse_timeframe(text)


def test_bars_in_covers_the_span():
    assert [bars_in("1m", 60), bars_in("5m", 60), bars_in("5m", 5), bars_in("1h", 5)] == [
        60,
        12,
        1,
        1,
    ]
    assert bars_in("5m", 61) == 13


def test_instants():
    noon = 1_748_433_600_000
    for value in (
        "2025-05-28T12:00:00Z",
        "2025-05-28 14:00+02:00",
        datetime(2025, 5, 28, 12, tzinfo=UTC),
        datetime(2025, 5, 28, 14, tzinfo=timezone(timedelta(hours=2))),
        pd.Timestamp("2025-05-28 12:00", tz="UTC"),
        noon,
    ):
        assert instant_ms(value) == noon
    assert utc(noon) == pd.Timestamp("2025-05-28 12:00", tz="UTC")
    assert utc(noon).unit == "ms"


@pytest.mark.parametrize("value", ["2025-05-28", "2025-05-28T00:00:00"])
def test_a_time_without_a_zone_is_refused(value):
    with pytest.raises(BadInstant, match="has no time zone; write 2025-05-28T00:00:00Z"):
        instant_ms(value)


@pytest.mark.parametrize("value", ["yesterdayish", "", None, "NaT", [1]])
def test_what_is_not_a_time(value):
    with pytest.raises(BadInstant, match="not a time"):
        instant_ms(value)
