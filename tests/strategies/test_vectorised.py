"""Columns of signals lead to the account that events lead to, and are refused where they cannot."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd
import pytest

from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import Signal
from strategies.columns import Entries, Quantities, Targets
from strategies.costs import Costs
from strategies.errors import BadTerms
from strategies.exits import OppositeSignal
from strategies.sizing import FixedFraction
from strategies.vectorised import run_signals
from strategies.window import Seen
from tests.strategies.paths import Column, Told, assert_same_tables, by_events, walks

SYMBOLS = ("ETH-USDT", "BTC-USDT", "XRP-USDT")  # not in alphabetical order: turns are
TERMS = [
    Costs(),
    Costs.none(),
    Costs(fee_bps=10, slippage_bps=3, min_notional=400),
    Costs(latency_bars=3, allow_short=False),
    Costs(fee_bps=2.5, max_leverage=2.5, latency_bars=2),
]


def some(candles: dict[str, pd.DataFrame], share: float, seed: int) -> pd.DataFrame:
    """Return random numbers at a share of the bars, NaN elsewhere."""
    index = candles[SYMBOLS[0]].index
    for frame in candles.values():
        index = index.union(frame.index)
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(-1, 1, (len(index), len(candles)))
    drawn[rng.random(drawn.shape) >= share] = np.nan
    table = pd.DataFrame(drawn, index, list(candles))
    return table.apply(lambda column: column.where(column.index.isin(candles[column.name].index)))


@pytest.mark.parametrize("costs", TERMS, ids=range(len(TERMS)))
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_orders_as_columns_and_as_events_are_one_account(costs: Costs, gaps: float) -> None:
    candles = walks(SYMBOLS, seed=1, gaps=gaps)
    wish = some(candles, 0.15, seed=2)
    scale = {s: 4_000 / candles[s]["close"].iloc[0] for s in candles}
    quantity = wish * pd.Series(scale)
    run = run_signals(candles, Quantities(quantity), 10_000, costs)
    equity, fills, trades, refused = by_events(candles, quantity, 10_000, costs)
    pd.testing.assert_series_equal(run.equity, equity, rtol=1e-12, atol=0, check_names=False)
    assert len(fills) > 40
    assert_same_tables(run.fills, fills)
    assert_same_tables(run.trades, trades, rel=1e-10)
    paid = trades["quantity"] * (trades["exit_price"] - trades["entry_price"])
    signed = paid.where(trades["side"] == "LONG", -paid) - trades["fees"]
    np.testing.assert_allclose(trades["pnl"], signed, rtol=1e-9, atol=1e-6)
    assert refused or costs.max_leverage > 1
    same = [(r.order.symbol, r.order.at_ms, r.ts_ms, r.whole) for r in refused]
    assert [(r.order.symbol, r.order.at_ms, r.ts_ms, r.whole) for r in run.refused] == same
    asked = [(r.quantity, r.order.quantity) for r in refused]
    found = [(r.quantity, r.order.quantity) for r in run.refused]
    np.testing.assert_allclose(np.reshape(found, (-1, 2)), np.reshape(asked, (-1, 2)), rtol=1e-9)


@pytest.mark.parametrize("costs", TERMS, ids=range(len(TERMS)))
@pytest.mark.parametrize(("gaps", "fraction"), [(0.0, 0.3), (0.2, 0.3), (0.0, 0.9)])
def test_entries_and_exits_are_what_the_engine_makes_of_them(
    costs: Costs, gaps: float, fraction: float
) -> None:
    candles = walks(SYMBOLS, seed=3, gaps=gaps)
    sides = np.sign(some(candles, 0.1, seed=4))
    leave = pd.DataFrame(
        np.tile(np.random.default_rng(5).random((len(sides), 1)) < 0.1, 3), sides.index, SYMBOLS
    )
    entries = Entries(sides > 0, sides < 0, leave, fraction)
    run = run_signals(candles, entries, 10_000, costs)
    engine = BacktestEngine(
        Told(sides), 10_000, costs=costs, sizing=FixedFraction(fraction),
        exits=(OppositeSignal(), Column(leave)),
    ).account(candles)  # fmt: skip
    pd.testing.assert_series_equal(run.equity, engine.equity, rtol=1e-12, atol=0)
    pd.testing.assert_frame_equal(run.exposure, engine.exposure, rtol=1e-9, atol=1e-12)
    pd.testing.assert_frame_equal(run.close, engine.close)
    assert len(run.fills) > 50
    assert_same_tables(run.fills, engine.fills)
    assert_same_tables(
        run.trades.drop(columns="confidence"), engine.trades.drop(columns="confidence"), rel=1e-9
    )
    assert (run.symbols, run.timeframe, run.simulated) == (SYMBOLS, "5m", True)
    assert run.bars == engine.bars


@pytest.mark.parametrize("seed", [5, 11, 34])
def test_late_entries_that_were_cut_are_left_as_the_engine_leaves_them(seed: int) -> None:
    """Late, with gaps and little money: what is left is more than what was got."""
    candles = walks(SYMBOLS, bars=300, seed=seed, gaps=0.5)
    sides, costs = np.sign(some(candles, 0.4, seed)), Costs(latency_bars=2, max_leverage=0.5)
    run = run_signals(candles, Entries(sides > 0, sides < 0, None, 0.3), 10_000, costs)
    engine = BacktestEngine(Told(sides), 10_000, costs=costs, sizing=FixedFraction(0.3))
    told = engine.account(candles)
    pd.testing.assert_series_equal(run.equity, told.equity, rtol=1e-12, atol=0)
    assert_same_tables(run.fills, told.fills)
    same = [(r.order.symbol, r.order.at_ms, r.ts_ms, r.whole) for r in told.refused]
    assert [(r.order.symbol, r.order.at_ms, r.ts_ms, r.whole) for r in run.refused] == same
    assert any(not whole for *_, whole in same)


class Shares:
    """A sizing: the share that the signal tells, corrected whenever it is repeated."""

    rebalance = 1e-15

    def notional(self, signal: Signal, equity: float, price: float, seen: Seen) -> float:
        return float(abs(signal.details["value"]) * equity)


@pytest.mark.parametrize("costs", TERMS, ids=range(len(TERMS)))
def test_targets_are_what_the_engine_makes_of_wishes_and_shares(costs: Costs) -> None:
    costs = replace(costs, latency_bars=1)  # a later target overtakes an order, an exit does not
    candles = walks(SYMBOLS, seed=11)
    wish = some(candles, 0.15, seed=12) / 2
    wish[np.random.default_rng(13).random(len(wish)) < 0.03] = 0.0
    run = run_signals(candles, wish, 10_000, costs)
    engine = BacktestEngine(
        Told(wish.where(wish != 0)), 10_000, costs=costs, sizing=Shares(),
        exits=(OppositeSignal(), Column(wish == 0)),
    ).account(candles)  # fmt: skip
    pd.testing.assert_series_equal(run.equity, engine.equity, rtol=1e-12, atol=0)
    assert len(run.fills) > 100
    assert_same_tables(run.fills.drop(columns="reason"), engine.fills.drop(columns="reason"), 1e-9)


def test_targets_hold_the_share_that_is_wished_for() -> None:
    candles = walks(SYMBOLS, seed=6)
    index = candles["BTC-USDT"].index
    wish = pd.DataFrame(np.nan, index, SYMBOLS)
    wish.iloc[10] = [0.5, -0.25, 0.1]
    wish.iloc[200] = [0.0, 0.25, np.nan]
    run = run_signals(candles, wish, 10_000, Costs.none())
    assert (run.exposure.iloc[:11] == 0).all(axis=None)
    assert run.exposure.iloc[11].to_numpy() == pytest.approx([0.5, -0.25, 0.1], rel=0.02)
    assert run.exposure.iloc[201].to_numpy()[:2] == pytest.approx([0.0, 0.25], rel=0.02)
    assert (run.exposure.iloc[201:, 0] == 0).all()
    assert list(run.fills["symbol"]) == [
        "BTC-USDT", "ETH-USDT", "XRP-USDT", "BTC-USDT", "ETH-USDT", "BTC-USDT",
    ]  # fmt: skip


def test_a_repeated_target_trades_only_beyond_its_tolerance() -> None:
    candles = walks(seed=6, bars=400)
    half = pd.Series(0.5, candles["BTC-USDT"].index)
    always = run_signals(candles, half, costs=Costs.none())
    seldom = run_signals(candles, Targets(half, tolerance=0.01), costs=Costs.none())
    assert len(always.fills) > 300
    assert 2 < len(seldom.fills) < 40
    assert seldom.exposure.iloc[2:, 0].between(0.47, 0.53).all()


def test_a_wish_is_filled_at_a_later_open_and_not_in_its_own_bar() -> None:
    """Wishing for the colour of the bar itself earns nothing if it is filled after that bar."""
    candles = walks(bars=5000, seed=7)
    frame = candles["BTC-USDT"]
    colour = np.sign(frame["close"] - frame["open"])
    run = run_signals(candles, colour, costs=Costs.none())
    gained = np.log(run.equity.iloc[-1] / run.initial_cash)
    cheat = float((colour * np.log(frame["close"] / frame["open"])).sum())
    assert cheat > 6
    assert abs(gained) < 4 * 2e-3 * np.sqrt(5000)


@pytest.mark.parametrize("latency", [1, 2, 5])
def test_latency_is_counted_in_bars(latency: int) -> None:
    candles = walks(bars=50)
    frame = candles["BTC-USDT"]
    wish = pd.Series(np.nan, frame.index)
    wish.iloc[10] = 0.5
    run = run_signals(candles, wish, costs=Costs(latency_bars=latency))
    assert run.fills["time"].tolist() == [frame.index[10 + latency]]
    assert run.fills["price"][0] == frame["open"].iloc[10 + latency] * (1 + 1e-4)


def test_a_target_after_a_refused_one_is_no_larger_than_it_says() -> None:
    """Late: an order that will be refused, one that was to undo it, and then a good one."""
    candles = walks(bars=50)
    wish = pd.Series(np.nan, candles["BTC-USDT"].index)
    wish.iloc[[10, 11, 14]] = [0.09, 0.0, 0.5]
    run = run_signals(candles, wish, costs=Costs(latency_bars=4, min_notional=1_000))
    assert [r.order.quantity > 0 for r in run.refused] == [True, False]
    assert run.exposure["BTC-USDT"].iloc[18] == pytest.approx(0.5, rel=0.02)


def test_the_pnl_of_all_trades_is_the_change_of_equity() -> None:
    candles = walks(SYMBOLS, seed=8, gaps=0.1)
    run = run_signals(candles, some(candles, 0.2, seed=9) / 3)
    change = run.equity.iloc[-1] - run.initial_cash
    assert run.trades["pnl"].sum() == pytest.approx(change, rel=1e-9)
    closed = run.closed_trades
    assert closed["fees"].sum() <= run.fills["fee"].sum()
    assert run.trades["fees"].sum() == pytest.approx(run.fills["fee"].sum())
    assert run.trades["slippage"].sum() == pytest.approx(run.fills["slippage"].sum())


def test_an_account_that_loses_all_leaves_and_trades_no_more() -> None:
    candles = walks(bars=300, seed=3)
    frame = candles["BTC-USDT"]
    falls = pd.Series(np.nan, frame.index)
    falls.iloc[0] = -9.0
    rises = candles["BTC-USDT"] * np.linspace(1, 3, 300)[:, None]
    run = run_signals({"BTC-USDT": rises}, falls, costs=Costs(max_leverage=10))
    assert run.bankrupt
    ruin = int((run.equity <= 0).to_numpy().argmax())
    assert (run.exposure.iloc[ruin + 1 :] == 0).all(axis=None)
    assert run.fills["reason"].iloc[-1] == "bankrupt"
    assert run.equity.iloc[ruin + 1 :].nunique() == 1


INDEX = walks(bars=20)["BTC-USDT"].index
GOOD = pd.Series(0.1, INDEX)


@pytest.mark.parametrize(
    ("signals", "says"),
    [
        (GOOD.set_axis(INDEX + pd.Timedelta("1min")), "20 of 20 rows have no candle"),
        (pd.concat([GOOD, GOOD]), "20 are double"),
        (GOOD.reset_index(drop=True), "index signals like their candles"),
        (GOOD.replace(0.1, np.inf), "20 values are infinite"),
        (GOOD.to_frame("DOGE-USDT"), "DOGE-USDT"),
        (Entries(GOOD > 0, GOOD > 0), "20 bars begin long and short at once"),
        (Entries(GOOD), "20 values are neither true nor false"),
    ],
)
def test_signals_that_do_not_fit_are_refused(signals: object, says: str) -> None:
    with pytest.raises(BadTerms, match=says):
        run_signals(walks(bars=20), signals)  # type: ignore[arg-type]


def test_one_column_is_not_enough_for_several_symbols() -> None:
    with pytest.raises(BadTerms, match="a column a symbol"):
        run_signals(walks(SYMBOLS, bars=20), GOOD)


@pytest.mark.parametrize("cash", [0, -1, float("nan")])
def test_an_account_begins_with_some_cash(cash: float) -> None:
    with pytest.raises(BadTerms, match="begins with some"):
        run_signals(walks(bars=20), GOOD, cash)


def test_no_wish_no_trade() -> None:
    run = run_signals(walks(bars=20), GOOD * np.nan)
    assert (run.equity == 10_000).all()
    assert len(run.fills) == len(run.trades) == 0
    assert run.trades["return"].dtype == np.float64


def test_a_hundred_thousand_bars_take_a_moment() -> None:
    """The aim is a million bars a second; this fails if the pass over them is not compiled."""
    candles = walks(bars=100_000, deviation=1e-4)
    wish = some(candles | {SYMBOLS[0]: candles["BTC-USDT"]}, 0.01, seed=1)["BTC-USDT"]
    run_signals(candles, wish)
    began = perf_counter()
    run = run_signals(candles, wish)
    assert perf_counter() - began < 2.0
    assert len(run.fills) > 500
