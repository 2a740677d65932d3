"""Figures of trades: how many, how often right, what they turned over, edge beside cost.

The one comparison that decides whether a strategy can live is *edge* beside *cost*, both a round
trip and in basis points of what was traded: what prices gave, before fees and slippage, and what
fees and slippage took. A trade is closed; what is still open is counted apart.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.timeframes import DAY_MS, timeframe_ms
from strategies.run import Run
from strategies.significance import LEVEL, resampled_means, widened

Figure: TypeAlias = float | int | tuple[float, float]
BPS = 1e4
TRADES_A_BLOCK = 10.0
LEAST_TRADES = 3
"""Of fewer nothing can be said of how they vary."""


def trade_figures(trades: pd.DataFrame) -> dict[str, Figure]:
    """Return what closed trades were worth, as fractions of their entry's notional.

    Parameters
    ----------
    trades : DataFrame
        Rows of `strategies.run.TRADE_COLUMNS`, closed ones.

    Returns
    -------
    dict
        NaN where there is no trade to tell of. ``win_rate`` counts trades with a profit *net* of
        fees; ``profit_factor`` is money won over money lost.
    """
    gain, pnl = trades["return"], trades["pnl"].to_numpy(np.float64)
    won, lost = gain[pnl > 0], gain[pnl <= 0]
    losses = -float(pnl[pnl < 0].sum())
    return {
        "total_trades": len(trades),
        "long_trades": int((trades["side"] == "LONG").sum()),
        "short_trades": int((trades["side"] == "SHORT").sum()),
        "win_rate": len(won) / len(trades) if len(trades) else float("nan"),
        "profit_factor": float(pnl[pnl > 0].sum()) / losses if losses > 0 else float("nan"),
        "average_return": float(gain.mean()),
        "average_win": float(won.mean()),
        "average_loss": float(lost.mean()),
        "best_return": float(gain.max()),
        "worst_return": float(gain.min()),
        "average_bars": float(trades["bars"].mean()),
    }


def edge_beside_cost(trades: pd.DataFrame, seed: int) -> dict[str, Figure]:
    """Return what a round trip earned before costs, and what it cost, in basis points.

    Parameters
    ----------
    trades : DataFrame
        Rows of `strategies.run.TRADE_COLUMNS`, closed ones.
    seed : int
        Of the interval's bootstrap, over trades in order of entry, ten a block.

    Returns
    -------
    dict
        ``gross_edge_bps`` with its 95 % interval (NaN of fewer than `LEAST_TRADES`), ``cost_bps``,
        and their difference ``net_edge_bps``: money over the notional at entry, all trades
        together.
    """
    trades = trades.sort_values("entry_time", kind="stable")
    notional = (trades["quantity"] * trades["entry_price"]).to_numpy(np.float64)
    cost = (trades["fees"] + trades["slippage"]).to_numpy(np.float64)
    gross = trades["pnl"].to_numpy(np.float64) + cost
    if not notional.sum() > 0:
        nothing = float("nan")
        return {
            "gross_edge_bps": nothing,
            "gross_edge_interval_bps": (nothing, nothing),
            "cost_bps": nothing,
            "net_edge_bps": nothing,
        }
    edge = float(gross.sum() / notional.sum()) * BPS
    return {
        "gross_edge_bps": edge,
        "gross_edge_interval_bps": _interval(gross, notional, edge, seed),
        "cost_bps": float(cost.sum() / notional.sum()) * BPS,
        "net_edge_bps": float((gross - cost).sum() / notional.sum()) * BPS,
    }


def _interval(
    gross: NDArray[np.float64], notional: NDArray[np.float64], edge: float, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of the edge: stationary bootstrap, widened where trades are few."""
    if len(gross) < LEAST_TRADES:
        return float("nan"), float("nan")
    block = max(1.0, min(TRADES_A_BLOCK, len(gross) / 4))
    earned, traded = resampled_means(np.column_stack([gross, notional]), block, seed).T
    low, high = np.quantile(earned / traded, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) * BPS
    return widened(edge, (float(low), float(high)), block / len(gross))


def account_figures(run: Run) -> dict[str, Figure]:
    """Return what a run traded, held and paid.

    Returns
    -------
    dict
        ``refused``: orders of which nothing was filled; ``cut``: those filled in part, as where the
        price had risen or the fee was not set aside. ``turnover_a_day``: notional bought and sold
        a day, in units of the mean equity. ``exposure``: mean gross notional / equity;
        ``time_in_market``: share of closes with a position. ``cost_drag``: fees and slippage over
        the opening cash, and a year of it.
    """
    fills = run.fills
    notional = float((fills["quantity"] * fills["price"]).sum())
    gross = run.exposure.abs().sum(axis=1).to_numpy(np.float64)
    fees, slippage = float(fills["fee"].sum()), float(fills["slippage"].sum())
    days = days_of(run)
    drag = (fees + slippage) / run.initial_cash
    mean_equity = float(run.equity.mean())
    turnover = notional / mean_equity / days if mean_equity > 0 and days else float("nan")
    refused = sum(one.whole for one in run.refused)
    return {
        "open_trades": len(run.trades) - len(run.closed_trades),
        "fills": len(fills),
        "refused": refused,
        "cut": len(run.refused) - refused,
        "turnover_a_day": turnover,
        "exposure": float(gross.mean()) if len(gross) else float("nan"),
        "time_in_market": float((gross > 0).mean()) if len(gross) else float("nan"),
        "fees": fees,
        "slippage": slippage,
        "cost_drag": drag,
        "cost_drag_a_year": drag / days * 365 if days else float("nan"),
    }


def days_of(run: Run) -> float:
    """Return the days of 24 hours that a run's bars make, gaps left out."""
    return max(len(run.equity) - 1, 0) * timeframe_ms(run.timeframe) / DAY_MS
