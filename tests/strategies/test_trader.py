"""A trader does with live bars, one by one, what a backtest does with a history: bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import pandas as pd
import pytest

from features.errors import BadBar
from features.joined import with_benchmark
from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy, Signal
from strategies.costs import Costs
from strategies.errors import BadTerms
from strategies.exits import MaxBars, OppositeSignal, StopLoss, TakeProfit
from strategies.orders import Fill, Order, Refusal
from strategies.run import fills_table, trades_table
from strategies.sizing import FixedFraction, VolatilityTarget
from strategies.trader import PaperBroker, Trader
from tests.features.walks import MINUTE_MS, START_MS, records, walk

BARS = 2400


class Swing(BaseStrategy):
    """Trades against the ends of a range of five-minute bars, and tells what it was shown."""

    name = "swing"
    sizing = FixedFraction(0.4)
    exits = (
        StopLoss(0.003, resting=True), TakeProfit(0.003, resting=True), MaxBars(40),
        OppositeSignal(),
    )  # fmt: skip

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
        place = fm.get_features(symbol, "5m", ["range_pos_20"])["range_pos_20"].iloc[-1]
        self.seen.append((symbol, price, volume, ts_ms, place, len(df), df["close"].iloc[-1]))
        if 0.1 < place < 0.9:
            return None
        return Signal(symbol, "SHORT" if place > 0.5 else "LONG", self.name, 0.5)


class Orders(PaperBroker):
    """Remembers what it was sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sent: list[Order] = []

    def submit(self, orders) -> None:
        orders = list(orders)
        self.sent += orders
        super().submit(orders)


@pytest.fixture(scope="module")
def candles() -> dict[str, pd.DataFrame]:
    """Of two symbols; each lacks bars that the other has."""
    btc, eth = walk(BARS, seed=61), walk(BARS, seed=62)
    return {"BTC-USDT": btc.drop(btc.index[1000:1010]), "ETH-USDT": eth.drop(eth.index[2000:2003])}


def interleaved(candles: dict[str, pd.DataFrame]) -> Iterator[tuple[str, tuple[float, ...]]]:
    rows = [(bar, s) for s, frame in candles.items() for bar in records(frame)]
    for bar, symbol in sorted(rows, key=lambda row: (row[0][0], row[1] == "BTC-USDT")):
        yield symbol, bar


def traded(strategy: BaseStrategy, candles: dict[str, pd.DataFrame], broker: PaperBroker, **how):
    trader = Trader(strategy, candles, "1m", broker, **how)
    outcomes = [o for symbol, bar in interleaved(candles) for o in trader.on_bar(symbol, bar)]
    return trader, outcomes + trader.act()


@pytest.mark.parametrize("symbols", [["BTC-USDT"], ["BTC-USDT", "ETH-USDT"]])
@pytest.mark.parametrize("costs", [Costs(), Costs(latency_bars=3, min_notional=3900.0)])
def test_bar_by_bar_it_does_what_a_backtest_does(candles, symbols, costs) -> None:
    mine = {s: candles[s] for s in symbols}
    live, past = Swing(), Swing()
    broker = Orders(10_000.0, costs)
    trader, outcomes = traded(live, mine, broker)
    run = BacktestEngine(past, 10_000.0, costs=costs).account(mine)
    assert live.seen == past.seen
    assert len(run.fills) > 20
    pd.testing.assert_frame_equal(fills_table(broker.fills), run.fills, check_exact=True)
    last = max(int(frame.index.asi8[-1]) for frame in mine.values()) + MINUTE_MS
    trades = trades_table([*broker.trades, *broker.still_open(last)])
    pd.testing.assert_frame_equal(trades, run.trades, check_exact=True)
    assert broker.refused == run.refused
    assert broker.equity == run.equity.iloc[-1]
    assert [o for o in outcomes if isinstance(o, Fill)] == broker.fills
    assert [o for o in outcomes if isinstance(o, Refusal)] == broker.refused
    assert (trader.desk.asked, trader.desk.unsettled) == (run.bars, run.unsettled)
    # Every order was made at the close of a bar, before the bar that filled it opened.
    assert {order.at_ms % MINUTE_MS for order in broker.sent} == {0}
    assert all(f.ts_ms >= f.order.at_ms for f in broker.fills)


def test_what_bars_bring_besides_is_seen_live_too(candles) -> None:
    class Led(BaseStrategy):
        name = "led"
        sizing = VolatilityTarget(0.5, lookback=60)

        def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
            lead = fm.get_features(symbol, "1m", ["btc_return_1"]).iloc[-1, 0]
            if abs(lead) < 1e-3:
                return None
            assert df["benchmark"].iloc[-1] > 0
            return Signal(symbol, "LONG" if lead > 0 else "SHORT", self.name, 0.5)

    eth = candles["ETH-USDT"]
    whole = walk(BARS, seed=61)
    joined = with_benchmark(eth, whole)
    broker = PaperBroker()
    trader = Trader(Led(), ["ETH-USDT"], broker=broker, extra=["benchmark"])
    for when, bar in joined.iloc[:800].iterrows():
        trader.on_bar("ETH/USDT", bar.to_dict() | {"timestamp": when})
    run = BacktestEngine(Led()).account(joined.iloc[:800], "ETH-USDT")
    assert len(run.fills) > 20
    pd.testing.assert_frame_equal(fills_table(broker.fills), run.fills, check_exact=True)


def test_features_settle_on_the_history_before(candles) -> None:
    """A trader that begins somewhere does what an account that begins there does."""
    whole, past, begun = Swing(), Swing(), Swing()
    BacktestEngine(whole).account(candles)
    cut = candles["BTC-USDT"].index[1900]
    run = BacktestEngine(past).account(candles, start=cut + pd.Timedelta("1min"))
    trader = Trader(begun, candles)
    trader.begin({s: frame[frame.index < cut] for s, frame in candles.items()})
    for symbol, bar in interleaved({s: f[f.index >= cut] for s, f in candles.items()}):
        trader.on_bar(symbol, bar)
    trader.act()
    assert len(run.fills) > 5
    pd.testing.assert_frame_equal(fills_table(trader.broker.fills), run.fills, check_exact=True)
    assert begun.seen == past.seen
    assert len(begun.seen) > 100
    assert begun.seen == whole.seen[-len(begun.seen) :]
    with pytest.raises(BadBar, match="history comes before"):
        trader.begin(candles)


class Exchange:
    """An account elsewhere: fills half of what opens, at its own price, and refuses the rest."""

    equity = 5_000.0

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.since: list[Fill | Refusal] = []
        self.held = 0.0

    def submit(self, orders) -> None:
        for order in orders:
            self.orders.append(order)
            part = order.quantity if order.reduce_only else order.quantity / 2
            at = order.at_ms + 1_234
            self.since.append(Fill(order, 101.5, part, 0.05, 0.0, at))
            if part != order.quantity:
                self.since.append(Refusal(order, order.quantity - part, "thin", at))
            self.held += part

    def on_bars(self, bars):
        told, self.since = self.since, []
        return told


def test_the_desk_goes_by_what_the_broker_tells(candles) -> None:
    """Sized by its equity; what was filled by half is left whole, and no order is made twice."""
    broker = Exchange()
    trader = Trader(Swing(), ["BTC-USDT"], broker=broker, exits=(MaxBars(10),))
    for bar in records(candles["BTC-USDT"]):
        trader.on_bar("BTC-USDT", bar)
    opened = [order for order in broker.orders if not order.reduce_only]
    left = [order for order in broker.orders if order.reduce_only]
    assert len(opened) > 20
    closes = candles["BTC-USDT"]["close"]
    for order in opened:
        close = closes[pd.Timestamp(order.at_ms - MINUTE_MS, unit="ms", tz="UTC")]
        assert abs(order.quantity) * close == pytest.approx(0.4 * broker.equity)
    for first, then in zip(opened, left, strict=False):
        assert then.quantity == pytest.approx(-first.quantity / 2)
        assert then.at_ms > first.at_ms
    assert all(a.at_ms < b.at_ms for a, b in pairwise(broker.orders))
    assert broker.held == pytest.approx(
        0.0 if len(left) == len(opened) else opened[-1].quantity / 2
    )


def test_it_waits_for_all_symbols_of_a_moment_but_not_for_ever() -> None:
    class Asked(BaseStrategy):
        name = "asked"
        at: ClassVar[list[tuple[str, int]]] = []

        def detect(self, symbol, price, volume, ts_ms, df, fm) -> None:
            self.at.append((symbol, (ts_ms - START_MS) // MINUTE_MS))

    def bar(minute: int) -> tuple[float, ...]:
        return (START_MS + minute * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, 1.0)

    trader = Trader(Asked(), ["ETH-USDT", "BTC-USDT"])
    trader.on_bar("ETH-USDT", bar(0))
    assert Asked.at == []
    trader.on_bar("BTC-USDT", bar(0))
    assert Asked.at == [("BTC-USDT", 1), ("ETH-USDT", 1)]
    trader.on_bar("ETH-USDT", bar(1))
    trader.on_bar("ETH-USDT", bar(2))  # a minute without BTC
    assert Asked.at[2:] == [("ETH-USDT", 2)]
    with pytest.raises(BadBar, match="is late"):
        trader.on_bar("BTC-USDT", bar(1))
    trader.act()
    assert Asked.at[3:] == [("ETH-USDT", 3)]
    with pytest.raises(BadBar, match="is late"):
        trader.on_bar("BTC-USDT", bar(2))
    with pytest.raises(BadBar, match="traded are BTC-USDT, ETH-USDT"):
        trader.on_bar("XRP-USDT", bar(3))
    with pytest.raises(BadTerms, match="a symbol"):
        Trader(Asked(), [])
