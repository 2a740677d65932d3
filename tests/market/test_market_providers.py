"""Providers: history in one call, repaired, with what it is of noted on it."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from market.candles import as_candles
from market.errors import BadSymbol
from market.exchange import ExchangeSource
from market.providers import BinanceProvider, HistoryProvider
from market.simulated import SimulatedSource
from market.source import open_source

START, END = datetime(2025, 5, 1), datetime(2025, 5, 2)  # noqa: DTZ001 - as a user writes them
SIMULATED = "simulated:seed=5"


def test_naive_times_are_utc_and_the_frame_says_what_it_is_of() -> None:
    got = HistoryProvider(SIMULATED).get_historical_data("btcusdt", "60min", START, END)
    expected = open_source(SIMULATED).fetch(
        "BTC-USDT", "1h", "2025-05-01T00:00Z", "2025-05-02T00:00Z"
    )
    pd.testing.assert_frame_equal(got, expected)
    told = {name: got.attrs[name] for name in ("symbol", "timeframe", "simulated", "source")}
    assert told == {
        "symbol": "BTC-USDT",
        "timeframe": "1h",
        "simulated": True,
        "source": open_source(SIMULATED).name,
    }
    assert got.attrs["repaired"]["clean"]


class Untidy(SimulatedSource):
    """A source with a row twice and a price that cannot be."""

    def fetch(self, *asked):  # type: ignore[no-untyped-def]
        good = super().fetch(*asked)
        bad = good.iloc[[3]].assign(high=-1.0)
        return as_candles(pd.concat([good, good.iloc[[5]], bad]))


def test_what_cannot_be_is_dropped_and_counted_and_a_forming_bar_left_out() -> None:
    noon = datetime.fromisoformat("2025-05-01T12:30:00+00:00").timestamp()
    provider = HistoryProvider(Untidy.parse("seed=5"), clock=lambda: noon)
    got = provider.get_historical_data("BTC-USDT", "1h", START)
    assert len(got) == 12
    assert got.index.is_unique
    assert (got["high"] > 0).all()
    counted = got.attrs["repaired"]
    assert (counted["duplicates"], counted["non_positive"]) == (1, 1)


def test_where_candles_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWHEEL_SOURCE", SIMULATED)
    assert HistoryProvider().source.name == open_source(SIMULATED).name
    binance = BinanceProvider().source
    assert isinstance(binance, ExchangeSource)
    assert not binance.simulated
    with pytest.raises(BadSymbol):
        HistoryProvider().get_historical_data("?", "1h", START, END)
