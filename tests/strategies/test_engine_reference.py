"""The engine against the same rules written as plainly as they can be, trade by trade."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.backtest_engine import BacktestEngine
from strategies.costs import Costs
from strategies.exits import MaxBars, OppositeSignal, StopLoss, TakeProfit, TrailingStop
from strategies.sizing import FixedFraction
from tests.features.walks import walk
from tests.strategies.played import BTC, Scripted

FEE, SLIP = 7e-4, 3e-4
CASH, FRACTION = 10_000.0, 0.5


def plain(rows, wishes, stop, target, trail, most):  # noqa: C901 - one piece, to be read
    """Return (side, entry bar, entry price, exit bar, exit price, reason) and the equity at closes.

    Resting stop and target, trailing stop at closes, latency of one bar, one position.
    """
    cash, quantity, entry, began, best = CASH, 0.0, 0.0, -1, 0.0
    opens_next, leaves_next, guarded = 0.0, "", False
    trades, equity = [], []

    def leave(i, price, reason):
        nonlocal cash, quantity
        side = 1 if quantity > 0 else -1
        cash += quantity * price - abs(quantity) * price * FEE
        trades.append((side, began, entry, i, price, reason))
        quantity = 0.0

    for i, (o, h, low, c) in enumerate(rows):
        if leaves_next and quantity:
            leave(i, o * (1 - SLIP * np.sign(quantity)), leaves_next)
        if opens_next:
            price = o * (1 + SLIP * np.sign(opens_next))
            quantity, entry, began, best = opens_next, price, i, price
            cash -= quantity * price + abs(quantity) * price * FEE
            guarded = False
        if quantity and guarded:
            side = np.sign(quantity)
            at = entry * (1 - side * stop)
            goal = entry * (1 + side * target)
            if (low <= at) if side > 0 else (h >= at):
                worst = min(o, at) if side > 0 else max(o, at)
                leave(i, worst * (1 - SLIP * side), "stop loss")
            elif (h > goal) if side > 0 else (low < goal):
                level = max(o, goal) if side > 0 else min(o, goal)
                leave(i, level, "take profit")
        equity.append(cash + quantity * c)
        opens_next, leaves_next = 0.0, ""
        wish = {"LONG": 1, "SHORT": -1}.get(wishes.get(i), 0)
        side = int(np.sign(quantity))
        if side:
            best = max(best, h) if side > 0 else min(best, low)
            if side * (c - best * (1 - side * trail)) <= 0:
                leaves_next = "trailing stop"
            elif i - began + 1 >= most:
                leaves_next = "max bars"
            elif wish == -side:
                leaves_next = "opposite signal"
        if wish and (not side or (leaves_next and wish == -side)):
            opens_next = wish * FRACTION * equity[-1] / c
        guarded = not leaves_next
    return trades, equity


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    stop=st.floats(5e-4, 0.01),
    target=st.floats(5e-4, 0.01),
    trail=st.floats(1e-3, 0.02),
    most=st.integers(1, 60),
    often=st.floats(0.02, 0.9),
)
def test_the_engine_does_what_the_plain_rules_say(seed, stop, target, trail, most, often) -> None:
    frame = walk(300, seed)
    rng = np.random.default_rng(seed)
    drawn = np.flatnonzero(rng.random(300) < often)
    wishes = {int(i): "LONG" if rng.random() < 0.5 else "SHORT" for i in drawn}
    expected, equity = plain(
        frame.iloc[:, :4].to_numpy().tolist(), wishes, stop, target, trail, most
    )
    exits = [
        TrailingStop(trail),
        MaxBars(most),
        OppositeSignal(),
        TakeProfit(target, resting=True),
        StopLoss(stop, resting=True),
    ]
    costs = Costs(fee_bps=FEE * 1e4, slippage_bps=SLIP * 1e4, min_notional=0)
    run = BacktestEngine(
        Scripted(wishes), CASH, costs=costs, sizing=FixedFraction(FRACTION), exits=exits
    ).account(frame, BTC)
    np.testing.assert_allclose(run.equity, equity, rtol=1e-12)
    made = [
        (
            1 if t.side == "LONG" else -1,
            frame.index.get_loc(t.entry_time),
            pytest.approx(t.entry_price, rel=1e-12),
            frame.index.get_loc(t.exit_time),
            pytest.approx(t.exit_price, rel=1e-12),
            t.reason,
        )
        for t in run.closed_trades.itertuples()
    ]
    assert made == expected
