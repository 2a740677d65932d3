"""Following a source with a virtual clock: each close once, late bars left out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from features.errors import NotEnoughHistory
from market.candles import open_ms
from market.errors import SourceDown, UnknownSymbol
from market.simulated import SimulatedSource
from market.timeframes import instant_ms
from strategies.base_strategy import BaseStrategy, Signal
from strategies.follow import follow
from strategies.orders import Fill
from strategies.run import fills_table
from strategies.trader import Trader
from tests.features.walks import MINUTE_MS

BEGIN = instant_ms("2025-05-28T00:00:30Z")
SYMBOLS = ["BTC-USDT", "ETH-USDT"]


class Ranges(BaseStrategy):
    """Trades against the ends of a range, and remembers the closes it was asked about."""

    name = "ranges"

    def __init__(self) -> None:
        self.features = {"1m": ["range_pos_20"], "5m": ["return_1"]}
        self.asked: list[tuple[str, int]] = []

    def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
        place = fm.get_features(symbol, "1m", ["range_pos_20"]).iloc[-1, 0]
        fm.get_features(symbol, "5m", ["return_1"])
        self.asked.append((symbol, ts_ms))
        if 0.05 < place < 0.95:
            return None
        return Signal(symbol, "SHORT" if place > 0.5 else "LONG", self.name, 0.5)


class Clock:
    """Time that passes only when somebody sleeps, or works."""

    def __init__(self) -> None:
        self.ms = BEGIN

    def now(self) -> int:
        return self.ms

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.ms += int(seconds * 1000) + 1


class Exchange:
    """A simulated market that shows nothing of the future, and has its hours."""

    name, simulated = "simulated", True

    def __init__(self, clock: Clock, late_s: dict[str, float] | None = None) -> None:
        self.clock, self.late_s = clock, late_s or {}
        self.down = (0, 0)
        self._known: dict[str, pd.DataFrame] = {}

    def fetch(self, symbol: str, timeframe: str, start: Any, end: Any) -> pd.DataFrame:
        if self.down[0] <= self.clock.ms < self.down[1]:
            raise SourceDown("maintenance")
        if symbol not in self._known:
            day = 1440 * MINUTE_MS
            self._known[symbol] = SimulatedSource().fetch(symbol, timeframe, start, BEGIN + day)
        candles = self._known[symbol]
        candles = candles[(open_ms(candles) >= start) & (open_ms(candles) + MINUTE_MS <= end)]
        known = open_ms(candles) + MINUTE_MS + self.late_s.get(symbol, 0.2) * 1000
        return candles[known <= self.clock.ms]


def followed(minutes: int, exchange: Exchange, strategy: BaseStrategy) -> tuple[Trader, list[Any]]:
    clock = exchange.clock
    trader = Trader(strategy, SYMBOLS)
    until = BEGIN // MINUTE_MS * MINUTE_MS + minutes * MINUTE_MS
    outcomes = list(follow(trader, exchange, until=until, now_ms=clock.now, sleep=clock.sleep))
    return trader, outcomes


def asked_about(minutes: range, symbols: list[str] = SYMBOLS) -> list[tuple[str, int]]:
    first = BEGIN // MINUTE_MS * MINUTE_MS
    return [(s, first + (m + 1) * MINUTE_MS) for m in minutes for s in symbols]


def test_every_close_is_acted_on_once_as_by_hand() -> None:
    strategy, by_hand = Ranges(), Ranges()
    trader, outcomes = followed(240, Exchange(Clock()), strategy)
    assert strategy.asked == asked_about(range(240))
    assert [o for o in outcomes if isinstance(o, Fill)] == trader.broker.fills
    market, first = SimulatedSource(), BEGIN // MINUTE_MS * MINUTE_MS
    other = Trader(by_hand, SYMBOLS)
    bars = other.features.history_bars()
    assert bars >= 15
    other.begin({s: market.fetch(s, "1m", first - bars * MINUTE_MS, first) for s in SYMBOLS})
    frames = {s: market.fetch(s, "1m", first, first + 240 * MINUTE_MS) for s in SYMBOLS}
    for row in range(240):
        for symbol, frame in frames.items():
            other.on_bar(symbol, frame.iloc[row])
    assert len(trader.broker.fills) > 10
    ours, theirs = fills_table(trader.broker.fills), fills_table(other.broker.fills)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_a_late_symbol_is_waited_for_and_then_left_out() -> None:
    patient, hasty = Ranges(), Ranges()
    followed(30, Exchange(Clock(), {"ETH-USDT": 12.0}), patient)
    assert patient.asked == asked_about(range(30))
    followed(30, Exchange(Clock(), {"ETH-USDT": 50.0}), hasty)
    assert hasty.asked == asked_about(range(30), ["BTC-USDT"])


def test_what_an_outage_held_back_is_taken_bar_by_bar() -> None:
    clock, strategy = Clock(), Ranges()
    exchange = Exchange(clock)
    first = BEGIN // MINUTE_MS * MINUTE_MS
    exchange.down = (first + 10 * MINUTE_MS, first + 17 * MINUTE_MS)
    followed(30, exchange, strategy)
    assert strategy.asked == asked_about(range(30))


def test_what_will_not_do_is_raised() -> None:
    clock = Clock()
    trader = Trader(Ranges(), ["NOPE-USDT"])
    with pytest.raises(UnknownSymbol):
        next(follow(trader, Exchange(clock), now_ms=clock.now, sleep=clock.sleep))


def test_history_that_is_too_short_only_costs_the_first_bars() -> None:
    clock, strategy = Clock(), Ranges()
    trader = Trader(strategy, SYMBOLS)
    until = BEGIN + 40 * MINUTE_MS
    how = {"now_ms": clock.now, "sleep": clock.sleep}
    list(follow(trader, Exchange(clock), until=until, history_bars=5, **how))
    assert 0 < len(strategy.asked) < 80
    assert trader.desk.unsettled == 80 - len(strategy.asked)
    with pytest.raises(NotEnoughHistory):
        Trader(strategy, SYMBOLS).features.row("BTC-USDT", "1m", ("range_pos_20",))
