"""Sizes and exits: the pieces that strategies are composed of."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import Signal
from strategies.costs import Costs
from strategies.errors import BadTerms
from strategies.exits import Held, MaxBars, OppositeSignal, StopLoss, TakeProfit, TrailingStop
from strategies.orders import Bar
from strategies.sizing import ConfidenceScaled, FixedFraction, VolatilityTarget
from strategies.window import Seen, Window
from tests.strategies.played import BTC, FREE, Scripted, candles


def signal(confidence: float = 0.75) -> Signal:
    return Signal(BTC, "LONG", "s", confidence)


def seen(closes) -> Seen:
    window = Window(1000)
    for i, close in enumerate(closes):
        window.push(Bar(60_000 * i, close, close, close, close, 1.0, 60_000 * (i + 1)))
    return Seen(BTC, "1m", None, window)  # type: ignore[arg-type]


def bar(close: float) -> Bar:
    return Bar(0, close, close, close, close, 1.0, 60_000)


def test_a_fixed_fraction_is_of_equity() -> None:
    assert FixedFraction(0.25).notional(signal(), 2000.0, 10.0, seen([10.0])) == 500.0


@pytest.mark.parametrize(("confidence", "share"), [(0.4, 0.0), (0.5, 0.0), (0.75, 0.5), (1.0, 1.0)])
def test_confidence_scales_from_a_coin_to_certainty(confidence, share) -> None:
    made = ConfidenceScaled(0.8).notional(signal(confidence), 1000.0, 10.0, seen([10.0]))
    assert made == pytest.approx(800.0 * share)


def test_a_volatility_target_is_met_by_the_position() -> None:
    rng = np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(1e-3 * rng.standard_normal(300)))
    rule = VolatilityTarget(0.3, lookback=200, most=5.0)
    worth = rule.notional(signal(), 1000.0, closes[-1], seen(closes))
    realised = np.diff(np.log(closes[-201:])).std(ddof=1) * np.sqrt(525_600)
    assert worth / 1000.0 * realised == pytest.approx(0.3)


def test_a_volatility_target_has_limits() -> None:
    rule = VolatilityTarget(0.3, lookback=20, most=0.5)
    assert rule.notional(signal(), 1000.0, 100.0, seen([100.0] * 20)) == 0.0
    assert rule.notional(signal(), 1000.0, 100.0, seen([100.0] * 21)) == 500.0


def test_a_repeated_wish_corrects_a_position_that_is_far_off() -> None:
    """Volatility doubles half-way: the position is halved, once, and not at every wish."""
    steps = np.where(np.arange(80) < 40, 1e-3, 2e-3) * np.where(np.arange(80) % 2, 1, -1)
    path = 100 * np.exp(np.cumsum(steps))
    frame = candles([(p, p) for p in path])
    sizing = VolatilityTarget(0.2, lookback=10, most=1.0, rebalance=0.4)
    run = BacktestEngine(
        Scripted(dict.fromkeys(range(80), "LONG")), 1000.0, costs=FREE, sizing=sizing
    ).account(frame, BTC)
    assert run.fills["reason"].tolist() == ["signal", "rebalance"]
    assert run.fills["side"].tolist() == ["BUY", "SELL"]
    assert run.trades["reason"].tolist() == ["rebalance", "open"]
    assert run.trades["pnl"].sum() == pytest.approx(run.equity.iloc[-1] - 1000.0)


@pytest.mark.parametrize("side", [1, -1])
def test_levels_are_on_the_right_side(side) -> None:
    held = Held(side, 100.0, 3, 100.0 + side * 10)
    worse, better = 100.0 - side * 2, 100.0 + side * 2
    assert StopLoss(0.01).ends(held, bar(worse))
    assert not StopLoss(0.01).ends(held, bar(better))
    assert TakeProfit(0.01).ends(held, bar(better))
    assert not TakeProfit(0.01).ends(held, bar(worse))
    assert TrailingStop(0.05).ends(held, bar(100.0 + side * 3))
    assert not TrailingStop(0.05).ends(held, bar(100.0 + side * 9))
    assert StopLoss(0.02, resting=True).rests(held) == (pytest.approx(100.0 - side * 2), None)
    assert TakeProfit(0.02, resting=True).rests(held) == (None, pytest.approx(100.0 + side * 2))


def test_what_rests_is_not_decided_at_closes_and_the_other_way_round() -> None:
    held = Held(1, 100.0, 3, 100.0)
    assert not StopLoss(0.01, resting=True).ends(held, bar(1.0))
    assert not TakeProfit(0.01, resting=True).ends(held, bar(1000.0))
    for rule in (
        StopLoss(0.01),
        TakeProfit(0.01),
        MaxBars(3),
        OppositeSignal(),
        StopLoss(1.5, resting=True),
    ):
        assert rule.rests(held) == (None, None)


@pytest.mark.parametrize("bars", [1, 2, 5])
def test_max_bars_counts_from_open_to_open(bars) -> None:
    frame = candles([(100.0, 100.0)] * 12)
    run = BacktestEngine(Scripted({0: "LONG"}), costs=Costs(), exits=[MaxBars(bars)]).account(
        frame, BTC
    )
    assert run.trades["bars"].tolist() == [bars]
    assert run.trades["exit_time"].iloc[0] == frame.index[1 + bars]


@pytest.mark.parametrize(
    "made",
    [
        lambda: FixedFraction(0.0),
        lambda: FixedFraction(float("nan")),
        lambda: ConfidenceScaled(-1.0),
        lambda: ConfidenceScaled(floor=1.0),
        lambda: VolatilityTarget(0.0),
        lambda: VolatilityTarget(lookback=1),
        lambda: VolatilityTarget(rebalance=0.0),
        lambda: StopLoss(0.0),
        lambda: TakeProfit(-0.1),
        lambda: TrailingStop(float("inf")),
        lambda: MaxBars(0),
    ],
)
def test_what_cannot_be_is_refused(made) -> None:
    with pytest.raises(BadTerms, match=r"\d|nan|inf"):
        made()


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"exits": [StopLoss]}, "StopLoss.* is no exit"),
        ({"exits": [0.01]}, "0.01 is no exit"),
        ({"sizing": FixedFraction}, "FixedFraction.* is no sizing"),
        ({"sizing": 0.5}, "0.5 is no sizing"),
    ],
)
def test_what_is_no_exit_or_sizing_is_refused_before_the_first_bar(terms, says) -> None:
    quiet = Scripted({})
    with pytest.raises(BadTerms, match=says):
        BacktestEngine(quiet, costs=FREE, **terms).account(candles([(1, 1)] * 3), BTC)
    assert not quiet.seen


def test_one_exit_needs_no_brackets() -> None:
    frame = candles([(100, 100), (100, 100), (100, 90), (90, 90), (90, 90)])
    run = BacktestEngine(Scripted({0: "LONG"}), costs=FREE, exits=StopLoss(0.05)).account(
        frame, BTC
    )
    assert run.trades["reason"].tolist() == ["stop loss"]
