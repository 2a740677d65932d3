"""Metrics: what a run was worth, how sure that is, what it traded, and what chance would have done.

Figures are fractions, not per cent; what cannot be told is NaN. The definitions are in
`strategies.ratios`, `strategies.significance`, `strategies.trading` and `strategies.chance`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from strategies import ratios
from strategies.chance import buy_and_hold, random_entries
from strategies.run import Run
from strategies.significance import (
    TrackRecord,
    bars_to_prove,
    block_for,
    deflated_sharpe,
    probabilistic_sharpe,
    sharpe_interval,
)
from strategies.trading import account_figures, days_of, edge_beside_cost, trade_figures

Summary: TypeAlias = dict[str, dict[str, Any]]


def summarise(
    run: Run, *, trials: int = 1, variance: float | None = None, seed: int = 0
) -> Summary:
    """Return the figures of a run.

    Parameters
    ----------
    run : Run
        Of the event engine or of columns of signals.
    trials : int
        How many variants were tried to find this one, this one too: what the deflated Sharpe ratio
        is deflated by.
    variance : float, optional
        Variance of the trials' Sharpe ratios a bar; see `strategies.significance.deflated_sharpe`.
    seed : int
        Of the bootstrap intervals and of the random entries.

    Returns
    -------
    dict
        ``performance`` (of the account, bar by bar), ``trading`` (of trades and costs) and
        ``baselines`` (``buy_and_hold``, ``random_entries``).
    """
    return {
        "performance": performance(run, trials, variance, seed),
        "trading": {
            **trade_figures(run.closed_trades),
            **edge_beside_cost(run.closed_trades, seed),
            **account_figures(run),
        },
        "baselines": {
            "buy_and_hold": buy_and_hold(run),
            "random_entries": random_entries(run, seed),
        },
    }


def performance(run: Run, trials: int, variance: float | None, seed: int) -> dict[str, Any]:
    """Return the figures of an account; parameters as for `summarise`."""
    returns, year = run.returns.to_numpy(np.float64), run.bars_per_year
    record = TrackRecord.of(returns)
    holding = float(run.trades["bars"].mean()) if len(run.trades) else 1.0
    block = block_for(len(returns), holding)
    return {
        "total_return": float(run.equity.iloc[-1]) / run.initial_cash - 1
        if len(run.equity)
        else 0.0,
        "annual_return": ratios.annual_return(returns, year),
        "annual_volatility": ratios.annual_volatility(returns, year),
        "sharpe_ratio": ratios.sharpe_ratio(returns, year),
        "sharpe_interval": sharpe_interval(returns, year, block, seed),
        "probabilistic_sharpe": probabilistic_sharpe(record),
        "deflated_sharpe": deflated_sharpe(record, trials, variance),
        "trials": trials,
        "days_to_prove": bars_to_prove(record) * 365 / year,
        "sortino_ratio": ratios.sortino_ratio(returns, year),
        "calmar_ratio": ratios.calmar_ratio(returns, year),
        "omega_ratio": ratios.omega_ratio(returns),
        "max_drawdown": ratios.max_drawdown(returns),
        "longest_drawdown_bars": ratios.longest_drawdown(returns),
        "value_at_risk": ratios.value_at_risk(returns),
        "expected_shortfall": ratios.expected_shortfall(returns),
        "skewness": ratios.skewness(returns),
        "kurtosis": ratios.kurtosis(returns),
        "final_equity": float(run.equity.iloc[-1]) if len(run.equity) else run.initial_cash,
        "bars": len(returns),
        "days": days_of(run),
    }
