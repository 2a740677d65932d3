"""The figures of a run, worked by hand on a small account, and that they hold together."""

from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import pytest

from strategies.columns import Quantities
from strategies.costs import Costs
from strategies.metrics import summarise
from strategies.run import Run
from strategies.trading import edge_beside_cost
from strategies.vectorised import run_signals
from tests.strategies.paths import walks


def flat(prices: list[float]) -> dict[str, pd.DataFrame]:
    """Return candles of one price each."""
    index = pd.date_range("2025-01-01", periods=len(prices), freq="1h", tz="UTC", name="timestamp")
    p = np.array(prices)
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), p), index.as_unit("ms"))
    return {"BTC-USDT": frame.assign(volume=1.0)}


def orders(candles: dict[str, pd.DataFrame], at: dict[int, float], costs: Costs) -> Run:
    quantity = pd.Series(np.nan, candles["BTC-USDT"].index)
    quantity.iloc[list(at)] = list(at.values())
    return run_signals(candles, Quantities(quantity), 1000.0, costs)


def test_figures_of_two_trades_by_hand() -> None:
    """Buy 2 at 100, sell at 110; short 1 at 120, buy back at 126; 10 bps of fee."""
    candles = flat([100, 100, 110, 110, 120, 126, 126, 126])
    run = orders(candles, {0: 2.0, 1: -2.0, 3: -1.0, 4: 1.0}, Costs.none(fee_bps=10.0))
    fees = [0.2 + 0.22, 0.12 + 0.126]
    won, lost = 20 - fees[0], -6 - fees[1]
    found = summarise(run)
    trading = found["trading"]
    assert trading["total_trades"] == 2
    assert (trading["long_trades"], trading["short_trades"]) == (1, 1)
    assert trading["win_rate"] == 0.5
    assert trading["profit_factor"] == pytest.approx(won / -lost)
    assert trading["best_return"] == pytest.approx(won / 200)
    assert trading["worst_return"] == pytest.approx(lost / 120)
    assert trading["average_bars"] == 1
    assert trading["gross_edge_bps"] == pytest.approx((20 - 6) / 320 * 1e4)
    assert trading["cost_bps"] == pytest.approx(sum(fees) / 320 * 1e4)
    assert trading["net_edge_bps"] == pytest.approx((won + lost) / 320 * 1e4)
    assert trading["fees"] == pytest.approx(sum(fees))
    assert trading["cost_drag"] == pytest.approx(sum(fees) / 1000)
    assert trading["cost_drag_a_year"] == pytest.approx(sum(fees) / 1000 * 365 * 24 / 7)
    assert trading["time_in_market"] == pytest.approx(2 / 8)
    assert trading["turnover_a_day"] == pytest.approx(
        (200 + 220 + 120 + 126) / run.equity.mean() * 24 / 7
    )
    performance = found["performance"]
    assert performance["total_return"] == pytest.approx((won + lost) / 1000)
    assert performance["final_equity"] == pytest.approx(1000 + won + lost)
    assert (performance["bars"], performance["days"]) == (7, pytest.approx(7 / 24))


def test_a_trade_that_is_still_open_is_counted_apart() -> None:
    run = orders(flat([100.0] * 6), {0: 1.0}, Costs())
    trading = summarise(run)["trading"]
    assert (trading["total_trades"], trading["open_trades"]) == (0, 1)
    assert isnan(trading["win_rate"])
    assert isnan(trading["gross_edge_bps"])


def trades_of(gains: np.ndarray) -> pd.DataFrame:
    """Return round trips of a notional of 100 that earned fractions of it, free of costs."""
    times = pd.date_range("2025-03-01", periods=len(gains), freq="h", tz="UTC")
    table = pd.DataFrame({"entry_time": times, "quantity": 1.0, "entry_price": 100.0})
    return table.assign(pnl=100 * gains, fees=0.0, slippage=0.0)


@pytest.mark.parametrize("trades", [3, 6])
def test_the_interval_of_the_edge_holds_the_true_one_of_a_handful_of_trades_too(trades) -> None:
    rng, inside = np.random.default_rng(8), 0
    for seed in range(80):
        edge = edge_beside_cost(trades_of(rng.normal(0, 0.01, trades)), seed)
        low, high = edge["gross_edge_interval_bps"]
        inside += low < 0 < high
    assert inside / 80 >= 0.88


@pytest.mark.parametrize("trades", [1, 2])
def test_one_or_two_trades_have_no_interval(trades) -> None:
    edge = edge_beside_cost(trades_of(np.full(trades, 0.01)), 0)
    assert edge["gross_edge_bps"] == pytest.approx(100)
    assert np.isnan(edge["gross_edge_interval_bps"]).all()


def test_more_trials_deflate_the_sharpe_ratio() -> None:
    candles = walks(bars=2000, seed=1)
    wish = pd.Series(np.sin(np.arange(2000) / 50), candles["BTC-USDT"].index)
    run = run_signals(candles, wish.where(np.arange(2000) % 100 == 0))
    one, many = summarise(run)["performance"], summarise(run, trials=100)["performance"]
    assert one["deflated_sharpe"] == one["probabilistic_sharpe"]
    assert many["deflated_sharpe"] < one["deflated_sharpe"]
    assert many["trials"] == 100


def test_same_seed_same_figures() -> None:
    candles = walks(bars=800, seed=1)
    wish = pd.Series(np.nan, candles["BTC-USDT"].index)
    wish.iloc[::40] = np.resize([0.5, -0.5, 0.0], 20)
    run = run_signals(candles, wish)
    first = summarise(run, seed=3)
    assert first == summarise(run, seed=3)
    other = summarise(run, seed=4)
    assert first["performance"]["sharpe_interval"] != other["performance"]["sharpe_interval"]
    assert (
        first["trading"]["gross_edge_interval_bps"] != other["trading"]["gross_edge_interval_bps"]
    )
    low, high = first["performance"]["sharpe_interval"]
    assert low < first["performance"]["sharpe_ratio"] < high
    low, high = first["trading"]["gross_edge_interval_bps"]
    assert low < first["trading"]["gross_edge_bps"] < high


def test_an_account_that_did_nothing_has_figures_that_say_so() -> None:
    found = summarise(orders(flat([100.0] * 5), {}, Costs()))
    assert found["performance"]["total_return"] == 0
    assert isnan(found["performance"]["sharpe_ratio"])
    assert found["trading"]["total_trades"] == 0
    assert found["trading"]["exposure"] == 0
    assert found["baselines"]["buy_and_hold"]["total_return"] == pytest.approx(
        -5e-4 - 1e-4, rel=0.01
    )
