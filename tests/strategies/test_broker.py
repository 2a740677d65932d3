"""The simulated broker: any orders on any bars, and the money is still all there."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.broker import SimulatedBroker
from strategies.costs import Costs
from strategies.orders import Bar, Fill, Order, Refusal
from tests.strategies.played import BTC, ETH, FREE, MINUTE_MS, START_MS


def bar(i: int, *prices: float) -> Bar:
    opened = START_MS + i * MINUTE_MS
    o, c = prices[0], prices[-1]
    return Bar(opened, o, max(prices), min(prices), c, 1.0, opened + MINUTE_MS)


def order(quantity: float, i: int = 0, symbol: str = BTC, **more) -> Order:
    """Return an order decided on at the close of bar i."""
    return Order(symbol, quantity, "test", START_MS + (i + 1) * MINUTE_MS, **more)


PRICES = st.floats(1.0, 1000.0)
BARS = st.lists(st.tuples(PRICES, PRICES, PRICES), min_size=4, max_size=12)
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.floats(-50, 50).filter(lambda q: abs(q) > 1e-3),
        st.sampled_from(["market", "stop", "limit", "reduce"]),
        PRICES,
        st.sampled_from([BTC, ETH]),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(
    bars=BARS, orders=ORDERS, latency=st.integers(1, 3), leverage=st.sampled_from([0.5, 1.0, 3.0])
)
def test_cash_positions_and_fees_account_for_every_fill(bars, orders, latency, leverage) -> None:
    costs = Costs(fee_bps=20, slippage_bps=30, latency_bars=latency, max_leverage=leverage)
    broker = SimulatedBroker(10_000.0, costs, MINUTE_MS)
    held, cash = dict.fromkeys([BTC, ETH], 0.0), 10_000.0
    for i, prices in enumerate(bars):
        before = dict(held)
        outcomes = broker.on_bars({BTC: bar(i, *prices), ETH: bar(i, *reversed(prices))})
        for fill in outcomes:
            if isinstance(fill, Refusal):
                assert fill.reason
                continue
            assert fill.ts_ms >= fill.order.at_ms + (latency - 1) * MINUTE_MS
            assert fill.fee == pytest.approx(abs(fill.quantity) * fill.price * 0.002)
            assert min(prices) * 0.997 <= fill.price <= max(prices) * 1.003
            now = held[fill.symbol] + fill.quantity
            if fill.order.reduce_only or fill.order.stop or fill.order.limit:
                assert abs(now) <= abs(held[fill.symbol])
                assert now * held[fill.symbol] >= -1e-9
            held[fill.symbol], cash = now, cash - fill.quantity * fill.price - fill.fee
        assert broker.cash == pytest.approx(cash, rel=1e-12, abs=1e-6)
        for symbol, quantity in held.items():
            position = broker.positions.get(symbol)
            assert (position.quantity if position else 0.0) == pytest.approx(quantity, abs=1e-9)
        worth = cash + held[BTC] * prices[-1] + held[ETH] * prices[0]
        assert broker.equity == pytest.approx(worth, rel=1e-12, abs=1e-6)
        earned = sum(t.pnl for t in [*broker.trades, *broker.still_open(0)])
        assert earned == pytest.approx(worth - 10_000.0, rel=1e-9, abs=1e-6)
        assert before.keys() == held.keys()
        for at, quantity, kind, price, symbol in orders:
            if at == i:
                resting = {kind: price} if kind in ("stop", "limit") else {}
                broker.submit([order(quantity, i, symbol, **resting, reduce_only=kind == "reduce")])


@given(
    quantity=st.floats(0.1, 50),
    leverage=st.sampled_from([0.5, 1.0, 2.0]),
    side=st.sampled_from([1, -1]),
)
def test_exposure_stays_within_the_leverage(quantity, leverage, side) -> None:
    broker = SimulatedBroker(1000.0, Costs(max_leverage=leverage, min_notional=0), MINUTE_MS)
    broker.submit([order(side * quantity)])
    broker.on_bars({BTC: bar(1, 100.0, 100.0)})
    gross = abs(broker.positions[BTC].quantity) * broker.positions[BTC].price
    worth = 1000.0 - broker.fills[0].fee
    assert gross <= leverage * worth * (1 + 1e-12)
    assert sum(f.quantity for f in broker.fills) + sum(
        r.quantity for r in broker.refused
    ) == pytest.approx(side * quantity)


def test_one_order_may_turn_a_position_round_in_two_fills() -> None:
    broker = SimulatedBroker(1000.0, FREE, MINUTE_MS)
    broker.submit([order(3.0)])
    broker.on_bars({BTC: bar(1, 100.0, 100.0)})
    broker.submit([order(-5.0, 1)])
    outcomes = broker.on_bars({BTC: bar(2, 110.0, 110.0)})
    assert [f.quantity for f in outcomes] == [-3.0, -2.0]
    assert [t.pnl for t in broker.trades] == [30.0]
    assert broker.positions[BTC].quantity == -2.0


def test_a_remainder_of_rounding_goes_with_the_order() -> None:
    broker = SimulatedBroker(1000.0, FREE, MINUTE_MS)
    broker.submit([order(0.1 + 0.2)])
    broker.on_bars({BTC: bar(1, 100.0, 100.0)})
    broker.submit([order(-0.3, 1, reduce_only=True)])
    broker.on_bars({BTC: bar(2, 100.0, 100.0)})
    assert not broker.positions
    assert not broker.refused


def test_where_money_is_short_the_alphabet_decides() -> None:
    broker = SimulatedBroker(1000.0, FREE, MINUTE_MS)
    broker.submit([order(8.0, symbol=ETH), order(8.0, symbol=BTC)])
    broker.on_bars({ETH: bar(1, 100.0, 100.0), BTC: bar(1, 100.0, 100.0)})
    assert {s: p.quantity for s, p in broker.positions.items()} == {
        BTC: 8.0,
        ETH: pytest.approx(2.0),
    }
    assert [(r.order.symbol, r.whole) for r in broker.refused] == [(ETH, False)]


def test_a_resting_order_ends_with_its_bar() -> None:
    broker = SimulatedBroker(1000.0, FREE, MINUTE_MS)
    broker.submit([order(1.0)])
    broker.on_bars({BTC: bar(1, 100.0, 100.0)})
    broker.submit([order(-1.0, 1, stop=90.0)])
    assert not broker.on_bars({BTC: bar(2, 100.0, 95.0)})
    assert not broker.on_bars({BTC: bar(3, 95.0, 80.0)})
    assert broker.positions


@pytest.mark.parametrize(
    ("quantity", "resting", "prices", "filled"),
    [
        (-1.0, {"stop": 95.0}, (100, 94, 99), 95.0),
        (-1.0, {"stop": 95.0}, (90, 89, 99), 90.0),
        (-1.0, {"stop": 95.0}, (96, 95, 99), 95.0),
        (-1.0, {"limit": 105.0}, (100, 106, 99), 105.0),
        (-1.0, {"limit": 105.0}, (108, 109, 99), 108.0),
        (-1.0, {"limit": 105.0}, (100, 105, 99), None),
        (1.0, {"stop": 105.0}, (100, 106, 99), 105.0),
        (1.0, {"stop": 105.0}, (107, 106, 99), 107.0),
        (1.0, {"limit": 95.0}, (100, 94, 99), 95.0),
        (1.0, {"limit": 95.0}, (93, 94, 99), 93.0),
        (1.0, {"limit": 95.0}, (100, 95, 99), None),
    ],
)
def test_resting_orders_are_filled_at_their_price_or_at_a_gap(
    quantity, resting, prices, filled
) -> None:
    broker = SimulatedBroker(1000.0, FREE, MINUTE_MS)
    broker.submit([order(-quantity)])
    broker.on_bars({BTC: bar(1, 100.0, 100.0)})
    broker.submit([order(quantity, 1, **resting)])
    outcomes = broker.on_bars({BTC: bar(2, *prices)})
    assert [f.price for f in outcomes if isinstance(f, Fill)] == ([filled] if filled else [])


def test_adding_averages_the_entry_and_parts_carry_their_share_of_fees() -> None:
    broker = SimulatedBroker(1000.0, Costs(fee_bps=100, slippage_bps=0), MINUTE_MS)
    for i, (quantity, price) in enumerate([(1.0, 100.0), (3.0, 120.0), (-1.0, 130.0)]):
        broker.submit([order(quantity, i)])
        broker.on_bars({BTC: bar(i + 1, price, price)})
    position, trade = broker.positions[BTC], broker.trades[0]
    assert position.price == trade.entry_price == pytest.approx(115.0)
    assert position.quantity == pytest.approx(3.0)
    assert trade.fees == pytest.approx((1.0 + 3.6) / 4 + 1.3)
    assert trade.pnl == pytest.approx(15.0 - trade.fees)
    assert trade.bars == 2
    assert math.isclose(trade.gain, trade.pnl / 115.0)


def test_late_orders_that_meet_after_a_gap_are_filled_in_the_order_of_their_decisions() -> None:
    """The position is opened, ended and turned at one open; nothing is opened on both sides."""
    broker = SimulatedBroker(1000.0, Costs.none(latency_bars=2), MINUTE_MS)
    for i in (0, 1):
        broker.on_bars({BTC: bar(i, 100.0)})
        broker.submit(
            [order(2.0, 0)] if i == 0 else [order(-2.0, 1, reduce_only=True), order(-3.0, 1)]
        )
    outcomes = broker.on_bars({BTC: bar(9, 10.0)})
    assert [one.quantity for one in outcomes if isinstance(one, Fill)] == [2.0, -2.0, -3.0]
    assert broker.positions[BTC].quantity == -3.0
    assert [(t.side, t.quantity, t.pnl) for t in broker.trades] == [("LONG", 2.0, 0.0)]
    assert not broker.refused
