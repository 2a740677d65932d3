"""What chance does: random entries lose their costs, and a run is compared with its own orders."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import pytest

from strategies.backtest_engine import BacktestEngine
from strategies.chance import Market, buy_and_hold, moved, random_entries, wishes_of
from strategies.columns import Entries, Targets
from strategies.costs import Costs
from strategies.exits import MaxBars
from strategies.run import Run
from strategies.sizing import FixedFraction
from strategies.vectorised import run_signals
from tests.strategies.paths import Told, walks

SYMBOLS = ("BTC-USDT", "ETH-USDT")
TRIES = 40


def coin(candles: dict[str, pd.DataFrame], share: float, seed: int) -> pd.DataFrame:
    """Return sides at random bars: 1, -1, NaN."""
    rng = np.random.default_rng(seed)
    index = next(iter(candles.values())).index
    sides = np.where(rng.random((len(index), len(candles))) < 0.5, 1.0, -1.0)
    sides[rng.random(sides.shape) >= share] = np.nan
    return pd.DataFrame(sides, index, list(candles))


def by_columns(seed: int, costs: Costs) -> Run:
    candles = walks(SYMBOLS, bars=1500, seed=100 + seed)
    sides = coin(candles, 0.2, seed)
    return run_signals(candles, Entries(sides > 0, sides < 0, fraction=0.3), costs=costs)


def by_engine(seed: int, costs: Costs) -> Run:
    candles = walks(SYMBOLS, bars=1500, seed=100 + seed)
    engine = BacktestEngine(
        Told(coin(candles, 0.2, seed)),
        costs=costs,
        sizing=FixedFraction(0.3),
        exits=(MaxBars(20),),
    )
    return engine.account(candles)


@pytest.mark.parametrize("path", [by_columns, by_engine])
@pytest.mark.parametrize("costs", [Costs(), Costs.none(), Costs(fee_bps=10, slippage_bps=5)])
def test_random_entries_lose_their_costs(path, costs: Costs) -> None:  # type: ignore[no-untyped-def]
    """On random walks the mean gain of random entries is what they paid, within its interval."""
    runs = [path(seed, costs) for seed in range(TRIES)]
    gains = np.array([run.equity.iloc[-1] / run.initial_cash - 1 for run in runs])
    paid = np.array([(run.fills["fee"] + run.fills["slippage"]).sum() for run in runs]) / 10_000
    gross = gains + paid
    reach = 2.7 * gross.std(ddof=1) / np.sqrt(TRIES)  # 99 % of Student's t with 39 degrees
    assert abs(gross.mean()) < reach
    assert paid.mean() == pytest.approx(
        np.mean([run.fills.eval("quantity * price").sum() for run in runs])
        / 10_000 * (costs.fee_rate + costs.slippage_rate), rel=1e-3,
    )  # fmt: skip
    if costs.fee_bps >= 5:
        assert paid.mean() > 2 * reach  # the interval is short enough to see the costs
        assert gains.mean() < 0


def test_a_same_bar_fill_would_be_seen() -> None:
    """The test above can fail: a wish that knows the bar it is filled in earns at once."""
    gains = []
    for seed in range(TRIES):
        candles = walks(("BTC-USDT",), bars=300, seed=seed)
        frame = candles["BTC-USDT"]
        colour = np.sign(frame["close"] - frame["open"])
        run = run_signals(candles, colour.shift(-1), costs=Costs.none())
        gains.append(run.equity.iloc[-1] / run.initial_cash - 1)
    gains = np.array(gains)
    assert gains.mean() > 2.7 * gains.std(ddof=1) / np.sqrt(TRIES)


def test_the_same_orders_at_the_same_time_earn_the_same() -> None:
    run = by_columns(1, Costs())
    again = np.prod(1 + Market(run).returns(wishes_of(run))) - 1
    # Opens of the walk differ from the closes before by a tenth of a bar's deviation.
    assert again == pytest.approx(run.equity.iloc[-1] / run.initial_cash - 1, abs=0.01)


def test_moving_orders_keeps_turnover_and_ends_what_was_open() -> None:
    nan = np.nan
    wishes = np.array([[nan, 0.5, nan, 0.0, nan, -0.5, nan, nan]]).T
    assert moved(wishes, 1)[:, 0] == pytest.approx(
        [-0.5, 0.0, 0.5, nan, 0.0, nan, -0.5, nan], nan_ok=True
    )
    assert moved(wishes, 4)[:, 0] == pytest.approx(
        [0.0, -0.5, nan, nan, 0.0, 0.5, nan, 0.0], nan_ok=True
    )


def test_timing_is_told_from_luck() -> None:
    """A rule that knows each next bar beats every draw; a coin beats about half of them."""
    candles = walks(bars=800, seed=9)
    frame = candles["BTC-USDT"]
    ahead = pd.Series(np.r_[np.sign(np.diff(frame["close"])), 0.0], frame.index)
    seer = run_signals(candles, ahead * 0.5, costs=Costs.none())
    assert random_entries(seer, seed=0)["beaten"] == 1.0
    assert random_entries(seer, seed=0)["p_value"] < 0.01
    beaten = [random_entries(by_columns(s, Costs()), seed=s, draws=60)["beaten"] for s in range(30)]
    assert 0.3 < np.mean(beaten) < 0.7


def test_random_entries_of_a_random_run_lose_about_its_costs() -> None:
    run = by_columns(3, Costs())
    chance = random_entries(run, seed=1)
    paid = (run.fills["fee"] + run.fills["slippage"]).sum() / run.initial_cash
    low, high = chance["total_return_interval"]
    assert low < -paid < high
    assert chance["draws"] == 200
    assert chance == random_entries(run, seed=1)
    assert chance != random_entries(run, seed=2)


def test_buy_and_hold_is_the_mean_of_the_symbols_less_the_way_in() -> None:
    candles = walks(SYMBOLS, bars=500, seed=4)
    run = run_signals(candles, Targets(coin(candles, 0.01, 0) * 0.1))
    grown = [frame["close"].iloc[-1] / frame["close"].iloc[0] for frame in candles.values()]
    held = buy_and_hold(run)
    assert held["total_return"] == pytest.approx(np.mean(grown) * (1 - 6e-4) - 1, abs=2e-4)
    assert -1 < held["max_drawdown"] < 0


def test_a_run_without_a_trade_has_no_random_entries() -> None:
    candles = walks(bars=50)
    run = run_signals(candles, pd.Series(np.nan, candles["BTC-USDT"].index))
    chance = random_entries(run, seed=0)
    assert chance["draws"] == 0
    assert isnan(chance["total_return"])
