"""The backtest engine: when orders are filled, at what price, and where the money goes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.errors import NotEnoughHistory
from market.errors import BadCandles
from strategies.backtest_engine import BacktestEngine
from strategies.costs import Costs
from strategies.errors import BadSignal, BadTerms, NotAnswered, StrategyFailed
from strategies.exits import MaxBars, OppositeSignal, StopLoss, TakeProfit, TrailingStop
from strategies.sizing import FixedFraction
from tests.features.walks import walk
from tests.strategies.played import (
    BTC,
    ETH,
    FREE,
    MINUTE_MS,
    START_MS,
    XRP,
    Noise,
    Scripted,
    candles,
    conserved,
    level,
)

ALL = FixedFraction(1.0)


def account(strategy, frame, symbol=BTC, **terms):
    terms = {"costs": FREE, "sizing": ALL} | terms
    return BacktestEngine(strategy, 1000.0, **terms).account(frame, symbol)


def test_a_result_has_the_keys_of_the_documents_and_the_run() -> None:
    engine = BacktestEngine(Noise(0.1), initial_cash=1000, seed=3)
    results = engine.run(walk(500), symbol="BTC/USDT")
    run = results.run
    grown = run.equity.iloc[-1] / 1000 - 1
    assert results["performance"]["total_return"] == pytest.approx(grown)
    assert np.isfinite(results["performance"]["sharpe_ratio"])
    assert results["trading"]["total_trades"] > 10
    assert BTC in str(results)


# ---------------------------------------------------------------- when and at what price


def test_a_decision_at_a_close_is_filled_at_the_next_open() -> None:
    run = account(Scripted({1: "LONG"}), candles([(10, 11), (11, 12), (20, 25), (25, 30)]))
    fill = run.fills.iloc[0]
    assert fill["price"] == 20.0
    assert fill["time"] == pd.Timestamp(START_MS + 2 * MINUTE_MS, unit="ms", tz="UTC")
    assert run.equity.tolist()[:2] == [1000.0, 1000.0]
    # Sized at the close of 12 and filled at 20: only as much as the money buys.
    assert fill["quantity"] == pytest.approx(50.0)
    assert run.equity.iloc[-1] == pytest.approx(50.0 * 30.0)


def test_a_rule_that_would_live_on_same_bar_fills_earns_nothing() -> None:
    """Long in rising bars, seen at their close: worth a fortune at their open, nothing after."""
    n, rng = 4000, np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.standard_normal(n) * 2e-3))
    open_ = np.concatenate([[100.0], close[:-1]])
    frame = candles(list(zip(open_, close, strict=True)))
    up = {i: "LONG" for i in range(n) if close[i] > open_[i]}
    held = account(Scripted(up), frame, exits=[MaxBars(1)], costs=FREE)
    impossible = float(np.prod([close[i] / open_[i] for i in up]))
    assert impossible > 10.0
    assert abs(np.log(held.equity.iloc[-1] / 1000.0)) < 4 * 2e-3 * np.sqrt(n)
    bought = held.fills[held.fills["side"] == "BUY"]
    decided = [START_MS + MINUTE_MS * (i + 1) for i in up]
    assert set(bought["time"].astype("int64")) <= set(decided)


@pytest.mark.parametrize(("latency", "price"), [(1, 20.0), (2, 30.0), (3, 40.0)])
def test_latency_counts_whole_bars(latency, price) -> None:
    frame = candles([(10, 10), (20, 20), (30, 30), (40, 40), (50, 50)])
    run = account(Scripted({0: "LONG"}), frame, costs=Costs.none(latency_bars=latency))
    assert run.fills["price"].tolist() == [price]


def test_an_order_waits_over_a_gap_for_the_next_bar() -> None:
    frame = pd.concat([candles([(10, 10), (11, 11)]), candles([(30, 31), (32, 33)], first=9)])
    run = account(Scripted({1: "LONG"}), frame)
    assert run.fills["price"].tolist() == [30.0]


def test_slippage_and_fees_are_paid_on_both_sides() -> None:
    costs = Costs(fee_bps=10, slippage_bps=20, min_notional=0)
    run = account(
        Scripted({0: "LONG"}), level(5), costs=costs, sizing=FixedFraction(0.5), exits=[MaxBars(2)]
    )
    buy, sell = run.fills.to_dict("records")
    assert (buy["price"], sell["price"]) == (100.0 * 1.002, 100.0 * 0.998)
    assert buy["fee"] == pytest.approx(5.0 * 100.2 * 0.001)
    assert sell["slippage"] == pytest.approx(5.0 * 0.2)
    assert run.equity.iloc[-1] == pytest.approx(1000 - 5 * 0.4 - 5 * 0.001 * (100.2 + 99.8))
    trade = run.trades.iloc[0]
    assert trade["pnl"] == pytest.approx(run.equity.iloc[-1] - 1000)
    assert (trade["bars"], trade["reason"]) == (2, "max bars")


# ---------------------------------------------------------------- wishes and exits


def test_none_is_no_new_wish_and_the_opposite_turns_the_position_round() -> None:
    run = account(Scripted({0: "LONG", 3: "SHORT"}), level(8), sizing=FixedFraction(0.5))
    assert run.exposure[BTC].round(9).tolist() == [0, 0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5]
    assert run.fills["reason"].tolist() == ["signal", "opposite signal", "signal"]
    assert run.trades["side"].tolist() == ["LONG", "SHORT"]
    assert run.trades["reason"].tolist() == ["opposite signal", "open"]


@pytest.mark.parametrize(
    ("exits", "exposure"),
    [([OppositeSignal(turn=False)], [1, 1, 0, 0, 0]), ([], [1, 1, 1, 1, 1])],
    ids=["only ends", "not heard"],
)
def test_what_an_opposite_wish_does_is_a_choice(exits, exposure) -> None:
    run = account(Scripted({0: "LONG", 2: "SHORT"}), level(6), exits=exits)
    assert run.exposure[BTC].tolist() == [0, *exposure]


def test_without_shorts_an_opposite_wish_only_ends() -> None:
    costs = Costs.none(allow_short=False)
    run = account(Scripted({0: "SHORT", 1: "LONG", 3: "SHORT"}), level(7), costs=costs)
    assert run.exposure[BTC].tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert not run.refused


@pytest.mark.parametrize("latency", [1, 2, 3])
def test_a_repeated_wish_orders_once(latency) -> None:
    always = dict.fromkeys(range(10), "LONG")
    costs = Costs.none(latency_bars=latency)
    assert len(account(Scripted(always), level(10), costs=costs).fills) == 1


def test_a_stop_decided_at_the_close_is_filled_at_the_next_open() -> None:
    frame = candles([(100, 100), (100, 100), (100, 98.9), (97, 97), (97, 97)])
    run = account(Scripted({0: "LONG"}), frame, exits=[StopLoss(0.01)])
    assert run.trades[["exit_price", "reason"]].values.tolist() == [[97.0, "stop loss"]]


def test_a_resting_stop_is_filled_at_its_price_or_at_the_open_beyond() -> None:
    inside = candles([(100, 100), (100, 100), (100, 101, 98, 100.5), (100, 100)])
    gapped = candles([(100, 100), (100, 100), (95, 96, 94, 96), (100, 100)])
    for frame, price in ((inside, 99.0), (gapped, 95.0)):
        run = account(Scripted({0: "LONG"}), frame, exits=[StopLoss(0.01, resting=True)])
        assert run.trades["exit_price"].tolist() == [price]
        assert run.trades["exit_time"].iloc[0] == frame.index[2]


def test_a_resting_stop_slips_and_a_resting_target_does_not() -> None:
    frame = candles([(100, 100), (100, 100), (100, 103, 97, 100), (100, 100)])
    costs = Costs(fee_bps=10, slippage_bps=100, min_notional=0, maker_fee_bps=0)
    stop = account(
        Scripted({0: "SHORT"}), frame, costs=costs, exits=[StopLoss(0.02, resting=True)]
    ).fills.iloc[1]
    assert stop["price"] == pytest.approx(99.0 * 1.02 * 1.01)
    assert stop["fee"] == pytest.approx(stop["price"] * stop["quantity"] * 0.001)
    target = account(
        Scripted({0: "SHORT"}), frame, costs=costs, exits=[TakeProfit(0.01, resting=True)]
    ).fills.iloc[1]
    assert target["price"] == pytest.approx(99.0 * 0.99)
    assert (target["fee"], target["slippage"]) == (0.0, 0.0)


def test_where_a_bar_touches_stop_and_target_the_stop_counts() -> None:
    frame = candles([(100, 100), (100, 100), (100, 110, 90, 100), (100, 100)])
    exits = [TakeProfit(0.02, resting=True), StopLoss(0.02, resting=True)]
    run = account(Scripted({0: "LONG"}), frame, exits=exits)
    assert run.trades[["exit_price", "reason"]].values.tolist() == [[98.0, "stop loss"]]


def test_of_two_stops_the_nearer_one_counts() -> None:
    frame = candles([(100, 100), (100, 100), (100, 100, 90, 100), (100, 100)])
    exits = [StopLoss(0.05, resting=True), TrailingStop(0.02, resting=True)]
    run = account(Scripted({0: "LONG"}), frame, exits=exits)
    assert run.trades[["exit_price", "reason"]].values.tolist() == [[98.0, "trailing stop"]]


def test_a_resting_target_needs_a_price_beyond_it() -> None:
    touched = candles([(100, 100), (100, 100), (100, 102, 100, 100), (100, 100)])
    run = account(Scripted({0: "LONG"}), touched, exits=[TakeProfit(0.02, resting=True)])
    assert run.trades["reason"].tolist() == ["open"]


def test_no_resting_order_is_filled_in_the_bar_of_the_entry() -> None:
    frame = candles([(100, 100), (100, 130, 70, 100), (100, 100), (100, 100)])
    exits = [StopLoss(0.1, resting=True), TakeProfit(0.1, resting=True)]
    run = account(Scripted({0: "LONG"}), frame, exits=exits)
    assert run.trades["reason"].tolist() == ["open"]


def test_a_trailing_stop_follows_the_best_price() -> None:
    frame = candles(
        [(100, 100), (100, 110, 100, 110), (110, 120, 109, 120), (119, 119, 107, 110), (110, 110)]
    )
    run = account(Scripted({0: "LONG"}), frame, exits=[TrailingStop(0.1, resting=True)])
    assert run.trades["exit_price"].tolist() == [pytest.approx(108.0)]


# ---------------------------------------------------------------- money


@pytest.mark.parametrize("latency", [1, 2, 5])
@pytest.mark.parametrize("fraction", [0.2, 1.0])
def test_money_is_conserved_at_every_bar(latency, fraction) -> None:
    frames = {
        s: walk(600, seed=i).drop(walk(600, seed=i).index[40 * i : 45 * i])
        for i, s in enumerate([BTC, ETH, XRP], start=1)
    }
    exits = [
        OppositeSignal(),
        StopLoss(0.004, resting=True),
        TakeProfit(0.004, resting=True),
        MaxBars(40),
    ]
    engine = BacktestEngine(
        Noise(0.2),
        1000.0,
        costs=Costs(latency_bars=latency),
        sizing=FixedFraction(fraction),
        exits=exits,
    )
    run = engine.account(frames)
    assert len(run.trades) > 50
    np.testing.assert_allclose(run.equity, conserved(run), rtol=1e-12)
    assert run.trades["pnl"].sum() == pytest.approx(run.equity.iloc[-1] - 1000.0, rel=1e-10)
    assert run.trades["fees"].sum() == pytest.approx(run.fills["fee"].sum(), rel=1e-10)
    assert run.exposure.abs().sum(axis=1).max() < 1.1


def test_cash_is_never_negative_in_an_account_that_is_only_long() -> None:
    costs = Costs(allow_short=False)
    frames = {s: walk(500, seed=i) for i, s in enumerate([BTC, ETH, XRP])}
    run = BacktestEngine(Noise(0.3), 1000.0, costs=costs, sizing=ALL).account(frames)
    held = (run.exposure.mul(run.equity, axis=0)).sum(axis=1)
    assert (run.equity - held).min() > -1e-9
    assert any("money" in refusal.reason for refusal in run.refused)


def test_less_than_the_least_notional_opens_nothing_and_is_told() -> None:
    costs = Costs.none(min_notional=10.0)
    run = account(Scripted({0: "LONG"}), level(4), costs=costs, sizing=FixedFraction(0.009))
    assert run.fills.empty
    assert run.refused[0].whole
    assert "least notional: notional 9.00" in run.refused[0].reason
    assert len(account(Scripted({0: "LONG"}), level(4), costs=costs, sizing=ALL).fills) == 1


def test_a_position_smaller_than_the_least_notional_can_be_left() -> None:
    frame = candles([(100, 100), (100, 100), (100, 0.5), (0.5, 0.5), (0.5, 0.5)])
    costs = Costs.none(min_notional=10.0)
    run = account(
        Scripted({0: "LONG"}), frame, costs=costs, sizing=FixedFraction(0.011), exits=[MaxBars(2)]
    )
    assert run.trades["reason"].tolist() == ["max bars"]


def test_a_bankrupt_account_leaves_and_opens_nothing_again() -> None:
    frame = candles([(100, 100), (100, 100), (150, 250), (250, 250), (50, 50), (50, 50), (50, 50)])
    always = {0: "SHORT"} | dict.fromkeys(range(3, 7), "LONG")
    run = account(Scripted(always), frame)
    assert run.bankrupt
    assert run.equity.tolist() == [1000, 1000, -500, -500, -500, -500, -500]
    assert run.fills["reason"].tolist() == ["signal", "bankrupt"]
    assert run.returns.tolist() == [0, -1.5, 0, 0, 0, 0]
    assert run.exposure[BTC].tolist() == [0, -1, 0, 0, 0, 0, 0]


def test_bankrupt_is_bankrupt_even_where_the_way_out_was_lucky() -> None:
    frame = candles([(100, 100), (100, 100), (150, 250), (80, 80), (80, 80), (80, 80)])
    run = account(Scripted({0: "SHORT", 3: "LONG", 4: "LONG"}), frame)
    assert run.equity.tolist() == [1000, 1000, -500, 1200, 1200, 1200]
    assert run.bankrupt
    assert len(run.fills) == 2


# ---------------------------------------------------------------- several symbols


def test_symbols_share_the_cash_and_the_alphabet_decides_who_gets_it() -> None:
    frames = {XRP: level(4, 1.0), BTC: level(4, 100.0)}
    both = {BTC: {0: "LONG"}, XRP: {0: "LONG"}}
    run = BacktestEngine(Scripted(both), 1000.0, costs=FREE, sizing=ALL).account(frames)
    assert run.fills["symbol"].tolist() == [BTC]
    assert [r.order.symbol for r in run.refused] == [XRP]
    assert run.symbols == (XRP, BTC)
    assert list(run.exposure.columns) == list(run.close.columns) == [XRP, BTC]


@pytest.mark.parametrize("fraction", [0.1, 1.0])
def test_the_order_of_the_symbols_changes_nothing(fraction) -> None:
    frames = {s: walk(400, seed=i) for i, s in enumerate([BTC, ETH, XRP])}
    runs = [
        BacktestEngine(Noise(0.2), 1000.0, sizing=FixedFraction(fraction)).account(
            {s: frames[s] for s in order}
        )
        for order in ([BTC, ETH, XRP], [XRP, BTC, ETH])
    ]
    assert runs[0].equity.tolist() == runs[1].equity.tolist()
    pd.testing.assert_frame_equal(runs[0].trades, runs[1].trades)


def test_what_leaves_makes_room_for_what_enters_at_the_same_open() -> None:
    wishes = {BTC: {2: "LONG"}, XRP: {0: "LONG"}}
    frames = {BTC: level(6), XRP: level(6)}
    run = BacktestEngine(
        Scripted(wishes), 1000.0, costs=FREE, sizing=ALL, exits=[MaxBars(2)]
    ).account(frames)
    assert not run.refused
    assert run.fills["symbol"].tolist() == [XRP, XRP, BTC, BTC]


def test_all_bars_of_one_close_come_before_the_next() -> None:
    asked = []
    frames = {XRP: level(3), BTC: candles([(100, 100)] * 3, first=1)}
    strategy = Scripted({}, look=lambda **k: asked.append((k["ts_ms"] - START_MS, k["symbol"])))
    run = BacktestEngine(strategy, 1000.0).account(frames)
    minutes = [(ms // MINUTE_MS, symbol) for ms, symbol in asked]
    assert minutes == [(1, XRP), (2, BTC), (2, XRP), (3, BTC), (3, XRP), (4, BTC)]
    assert run.bars == 6
    assert len(run.equity) == 4
    assert np.isnan(run.close[BTC].iloc[0])
    assert run.close[XRP].notna().all()


# ---------------------------------------------------------------- who has no answer, what is wrong


def test_a_model_without_an_answer_trades_nothing_and_is_counted() -> None:
    def silent(i, **_):
        if i in (1, 2):
            raise NotAnswered("the model served no answer for this bar")
        if i == 3:
            raise NotEnoughHistory("1000 bars to settle")

    run = account(
        Scripted(dict.fromkeys(range(5), "LONG"), look=silent), level(6), exits=[MaxBars(1)]
    )
    assert (run.bars, run.unanswered, run.unsettled) == (6, 2, 1)
    assert run.exposure[BTC].tolist() == [0, 1, 0, 0, 0, 1]


def test_a_strategy_that_raises_is_told_with_bar_and_symbol() -> None:
    def fails(i, **_):
        if i == 2:
            raise ZeroDivisionError("by hand")

    with pytest.raises(
        StrategyFailed, match=r"scripted .* BTC-USDT .* 00:02:00.*: by hand"
    ) as told:
        account(Scripted({}, look=fails), level(5))
    assert isinstance(told.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("answer", ["LONG", 1, True])
def test_an_answer_that_is_no_signal_is_refused(answer) -> None:
    strategy = Scripted({})
    strategy.detect = lambda *_: answer
    with pytest.raises(BadSignal, match="BTC-USDT"):
        account(strategy, level(5))


def test_a_signal_about_another_symbol_is_refused() -> None:
    other = Scripted({0: "LONG"})
    plain = other.detect
    other.detect = lambda symbol, *rest: plain(ETH, *rest)
    with pytest.raises(BadSignal, match="asked about BTC-USDT"):
        account(other, level(5))


def broken(kind: str) -> pd.DataFrame:
    frame = walk(20)
    if kind == "unsorted":
        return frame.iloc[::-1]
    if kind == "double":
        return pd.concat([frame.iloc[:5], frame.iloc[4:]])
    if kind == "off grid":
        return frame.set_axis(frame.index + pd.Timedelta("1s"))
    frame.iloc[7, {"nan": 3, "negative": 0}[kind]] = {"nan": np.nan, "negative": -1.0}[kind]
    return frame


@pytest.mark.parametrize("kind", ["unsorted", "double", "nan", "negative", "off grid"])
def test_bad_candles_are_refused_before_anything_is_played(kind) -> None:
    asked = []
    with pytest.raises(BadCandles, match=r"BTC-USDT.*(repair)"):
        account(Scripted({}, look=lambda **k: asked.append(1)), broken(kind))
    assert not asked


def test_candles_must_be_enough_and_whose_they_are_known() -> None:
    engine = BacktestEngine(Scripted({}))
    with pytest.raises(BadCandles, match="name the symbol"):
        engine.account(level(5))
    with pytest.raises(BadCandles, match="2 bars"):
        engine.account(level(1), BTC)
    with pytest.raises(BadCandles, match="lack the columns"):
        engine.account(level(5).drop(columns="close"), BTC)
    with pytest.raises(BadCandles, match="1m apart and were said to be 5m"):
        BacktestEngine(Scripted({}), timeframe="5m").account(level(5), BTC)
    with pytest.raises(BadCandles, match="leave 'BTC-USDT' out"):
        engine.account({BTC: level(5)}, BTC)
    with pytest.raises(BadCandles, match="one table a symbol"):
        engine.account({"BTC/USDT": level(5), "BTCUSDT": level(5)})


def test_bars_before_the_start_are_shown_and_not_traded() -> None:
    lengths = []
    strategy = Scripted(
        dict.fromkeys(range(9), "LONG"), look=lambda df, **_: lengths.append(len(df))
    )
    frame = walk(60)
    begin = frame.index[50]
    run = BacktestEngine(strategy, 1000.0, costs=FREE, sizing=ALL).account(frame, BTC, begin)
    assert lengths == list(range(50, 61))  # the bar that closes as the account begins is known
    assert (run.bars, len(run.equity), run.equity.index[0]) == (11, 11, begin)
    assert run.fills["time"].tolist() == [begin]
    assert run.close[BTC].tolist() == frame["close"].tolist()[49:]
    with pytest.raises(BadCandles, match="the candles end at"):
        BacktestEngine(strategy).account(frame, BTC, frame.index[-1] + pd.Timedelta("2min"))


@pytest.mark.parametrize("cash", [0.0, -1.0, float("nan"), float("inf")])
def test_an_account_begins_with_money(cash) -> None:
    with pytest.raises(BadTerms, match="initial cash"):
        BacktestEngine(Scripted({}), cash).account(level(5), BTC)


def test_what_is_no_strategy_or_no_candles_is_refused() -> None:
    with pytest.raises(BadTerms, match="Scripted is a class"):
        BacktestEngine(Scripted)  # type: ignore[arg-type]
    with pytest.raises(BadTerms, match="None is no strategy"):
        BacktestEngine(None)  # type: ignore[arg-type]
    with pytest.raises(BadCandles, match="not NoneType"):
        BacktestEngine(Scripted({})).account(None, BTC)  # type: ignore[arg-type]


def test_the_run_says_where_its_candles_came_from() -> None:
    frame = level(5)
    assert (account(Scripted({}), frame).simulated, account(Scripted({}), frame).source) == (
        False,
        "",
    )
    frame.attrs = {"source": "made up", "simulated": True, "symbol": "ETH/USDT"}
    run = BacktestEngine(Scripted({})).account({BTC: level(5), ETH: frame})
    assert (run.simulated, run.source, run.timeframe) == (True, "made up", "1m")
    assert BacktestEngine(Scripted({})).account(frame).symbols == (ETH,)


def test_an_order_that_was_cut_is_not_one_that_was_refused() -> None:
    costs = Costs(min_notional=300.0)
    engine = BacktestEngine(Scripted({0: "LONG", 9: "LONG"}), 1000.0, costs=costs)
    frames = {BTC: level(30), ETH: level(30)}
    assert engine.run(frames)["trading"]["refused"] == 4
    engine = BacktestEngine(Scripted({0: "LONG"}), 1000.0, costs=costs, sizing=ALL)
    trading = engine.run(level(30), BTC)["trading"]
    assert (trading["refused"], trading["cut"], trading["fills"]) == (0, 1, 1)
