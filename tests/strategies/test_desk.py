"""The desk: late fills, refusals and resting orders lead to no order too many."""

from __future__ import annotations

import pytest

from features.errors import NotEnoughHistory
from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy, Signal
from strategies.costs import Costs
from strategies.desk import Desk
from strategies.errors import BadTerms, NotAnswered, StrategyFailed
from strategies.exits import MaxBars, OppositeSignal, StopLoss, TakeProfit
from strategies.sizing import FixedFraction
from tests.features.walks import walk
from tests.strategies.played import BTC, FREE, Noise, Scripted, candles, conserved, level

ALL = FixedFraction(1.0)


def account(strategy, frame, **terms):
    return BacktestEngine(strategy, 1000.0, **({"costs": FREE, "sizing": ALL} | terms)).account(
        frame, BTC
    )


@pytest.mark.parametrize("latency", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_positions_never_exceed_one_wish_whatever_the_latency(latency, seed) -> None:
    exits = [
        OppositeSignal(),
        StopLoss(0.002, resting=True),
        TakeProfit(0.002, resting=True),
        MaxBars(9),
    ]
    costs = Costs(latency_bars=latency, fee_bps=0, slippage_bps=0)
    noise, sizing = Noise(0.5, seed), FixedFraction(0.2)
    run = account(noise, walk(800, seed), costs=costs, sizing=sizing, exits=exits)
    assert run.exposure[BTC].abs().max() < 0.25
    assert run.equity.to_numpy() == pytest.approx(conserved(run).to_numpy(), rel=1e-12)
    assert len(run.closed_trades) > 800 / (20 + 3 * latency)
    assert (run.closed_trades["bars"] <= 9 + 2 * latency).all()


def test_a_stop_that_was_quicker_leaves_the_late_exit_nothing_to_reduce() -> None:
    rows = [(100, 100)] * 4 + [(100, 100, 90, 100)] + [(100, 100)] * 3
    run = account(
        Scripted({0: "LONG"}), candles(rows), costs=Costs.none(latency_bars=3),
        exits=[MaxBars(1), StopLoss(0.05, resting=True)],
    )  # fmt: skip
    assert run.trades["reason"].tolist() in (["max bars"], ["stop loss"])
    assert run.exposure[BTC].iloc[-1] == 0.0
    assert (run.exposure[BTC] >= 0).all()


def test_after_a_refusal_the_next_wish_is_heard() -> None:
    """At first the open runs away and the least notional is not reached."""
    costs = Costs.none(min_notional=60.0)
    frame = candles([(100, 100), (50, 50), (50, 50), (50, 50), (50, 50)])
    run = account(Scripted({0: "LONG", 2: "LONG"}), frame, costs=costs, sizing=FixedFraction(0.1))
    assert [r.order.at_ms for r in run.refused] == [int(frame.index.asi8[1])]
    assert run.fills["time"].tolist() == [frame.index[3]]


def test_a_strategy_brings_its_own_size_and_exits_and_the_engine_may_overrule() -> None:
    class Own(Scripted):
        sizing = FixedFraction(0.5)
        exits = (MaxBars(2),)

    run = account(Own({0: "LONG"}), level(6), sizing=None)
    assert run.exposure[BTC].tolist() == [0, 0.5, 0.5, 0, 0, 0]
    run = account(Own({0: "LONG"}), level(6), exits=[MaxBars(3)])
    assert run.exposure[BTC].tolist() == [0, 1, 1, 1, 0, 0]


def test_exits_go_on_where_a_model_has_no_answer() -> None:
    def silent(i, **_):
        if i > 0:
            raise NotAnswered("nothing was served")

    frame = candles([(100, 100), (100, 100), (100, 95), (95, 95), (95, 95)])
    run = account(Scripted({0: "LONG"}, look=silent), frame, exits=[StopLoss(0.01)])
    assert run.trades["reason"].tolist() == ["stop loss"]
    assert run.unanswered == 4


def test_an_exit_and_an_opposite_wish_at_one_close_turn_the_position_round() -> None:
    run = account(Scripted({0: "LONG", 2: "SHORT"}), level(6), exits=[MaxBars(2), OppositeSignal()])
    assert run.exposure[BTC].tolist() == [0, 1, 1, -1, -1, 0]


def test_an_exit_and_the_same_wish_at_one_close_end_the_position() -> None:
    run = account(Scripted(dict.fromkeys(range(7), "LONG")), level(7), exits=[MaxBars(2)])
    assert run.exposure[BTC].tolist() == [0, 1, 1, 0, 1, 1, 0]


def test_defaults_are_a_tenth_and_the_opposite_signal() -> None:
    desk = Desk(Scripted({}))
    assert desk.sizing == FixedFraction(0.1)
    assert desk.exits == (OppositeSignal(),)


def test_a_strategy_needs_nothing_but_detect() -> None:
    class Bare(BaseStrategy):
        def detect(self, symbol, price, volume, ts_ms, df, fm):
            return Signal(symbol, "LONG", "bare", 1.0)

    run = account(Bare(), level(4))
    assert run.strategy == "Bare"
    assert len(run.fills) == 1


class Wrong:
    """A size, or an exit, that cannot be."""

    reason = "wrong"

    def __init__(self, answer=None) -> None:
        self.answer = answer

    def notional(self, signal, equity, price, seen):
        return self.answer if self.answer is not None else 1 / 0

    def ends(self, held, bar):
        raise KeyError("by hand")


@pytest.mark.parametrize("size", [Wrong(), Wrong(-1.0), Wrong(float("nan")), Wrong(float("inf"))])
def test_a_size_that_cannot_be_is_told_with_bar_and_symbol(size) -> None:
    with pytest.raises(StrategyFailed, match=r"sizing .*BTC-USDT .* 00:01:00.*(notional|Zero)"):
        account(Scripted({1: "LONG"}), level(5), sizing=size)


def test_an_exit_that_raises_is_told_with_bar_and_symbol() -> None:
    with pytest.raises(StrategyFailed, match=r"exits .*BTC-USDT .* 00:02:00.*by hand"):
        account(Scripted({1: "LONG"}), level(5), exits=[Wrong()])


def test_a_size_without_an_answer_opens_nothing() -> None:
    class Silent:
        def notional(self, signal, equity, price, seen):
            raise NotEnoughHistory("too early")

    run = account(Scripted({1: "LONG"}), level(5), sizing=Silent())
    assert (len(run.fills), run.unsettled) == (0, 1)


def test_a_class_is_not_a_strategy() -> None:
    with pytest.raises(BadTerms, match=r"Scripted\(\)"):
        BacktestEngine(Scripted)
