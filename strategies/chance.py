"""Chance: what the market gave to everybody, and what the same orders earn at random times.

*Buy and hold* buys each symbol with an equal share at its first bar. *Random entries* are the run's
own orders moved by a random number of bars on a circle, all symbols alike: the same trades, sides,
sizes, holding times and turnover, so the same costs; only the timing is lost. A strategy that does
not beat most of them has no timing.

A run remembers closes and not opens, so here a bar opens where the last one closed. Markets that
never close differ by a tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.timeframes import timeframe_ms
from strategies.codes import TARGETS
from strategies.ratios import max_drawdown, sharpe_ratio
from strategies.run import Run
from strategies.significance import LEVEL
from strategies.vectorised import terms_of
from strategies.walk import walk

Floats = NDArray[np.float64]

DRAWS = 200


@dataclass(frozen=True, eq=False)
class Market:
    """A run's closes as a market of its own, in which other orders are tried on the same terms.

    Parameters
    ----------
    run : Run
        Whose closes and terms.
    """

    run: Run

    def returns(self, wishes: Floats) -> Floats:
        """Return the account's returns a bar, float64[T - 1], with these wishes.

        Parameters
        ----------
        wishes : float64[T, S]
            Share of equity to hold, seen at each close; NaN is no new wish.
        """
        closes = np.array(
            self.run.close, dtype=np.float64, order="C"
        )  # as the walk is compiled for
        opens = np.concatenate([np.full((1, closes.shape[1]), np.nan), closes[:-1]])
        step = timeframe_ms(self.run.timeframe)
        fee, slippage, _, least, shorts, leverage = terms_of(self.run.costs)
        equity, *_ = walk(
            np.arange(len(closes), dtype=np.int64) * step, opens, closes, wishes,
            np.zeros((0, closes.shape[1]), np.bool_), np.arange(closes.shape[1]),
            float(self.run.initial_cash), step, TARGETS,
            (fee, slippage, 1, least, shorts, leverage), 0.0, False,
        )  # fmt: skip
        before: Floats = equity[:-1]
        change = np.zeros(len(before))
        np.divide(np.diff(equity), before, out=change, where=before > 0)
        return change


def buy_and_hold(run: Run) -> dict[str, float]:
    """Return total return, Sharpe ratio and drawdown of holding all symbols from the first bar.

    Each gets an equal share of the opening cash; entering costs what it costs the run, leaving is
    not counted.
    """
    closes = run.close.to_numpy(np.float64)
    wishes = np.full(closes.shape, np.nan)
    first = np.isfinite(closes).argmax(axis=0)
    wishes[first, np.arange(closes.shape[1])] = 1 / closes.shape[1]
    returns = Market(run).returns(wishes)
    return {
        "total_return": float(np.prod(1 + returns) - 1),
        "sharpe_ratio": sharpe_ratio(returns, run.bars_per_year),
        "max_drawdown": max_drawdown(returns),
    }


def random_entries(run: Run, seed: int, draws: int = DRAWS) -> dict[str, Any]:
    """Return what the run's own orders earn at random times.

    Parameters
    ----------
    run : Run
        Whose orders.
    seed : int
        Same seed, same draws.
    draws : int
        How many shifts.

    Returns
    -------
    dict
        ``total_return`` and ``sharpe_ratio`` (means over draws), ``total_return_interval`` (95 % of
        draws are inside), ``beaten`` (share of draws that the run beats), ``p_value`` (of timing no
        better than chance: (1 + draws at least as good) / (1 + draws)), ``draws``. NaN where the
        run traded nothing.
    """
    wishes = wishes_of(run)
    bars = len(wishes)
    if bars < 3 or not np.isfinite(wishes).any():
        nothing = float("nan")
        return {
            "total_return": nothing, "sharpe_ratio": nothing,
            "total_return_interval": (nothing, nothing), "beaten": nothing, "p_value": nothing,
            "draws": 0,
        }  # fmt: skip
    market, rng = Market(run), np.random.default_rng(seed)
    drawn = [market.returns(moved(wishes, int(k))) for k in rng.integers(1, bars, draws)]
    grown = np.array([float(np.prod(1 + returns) - 1) for returns in drawn])
    earned = float(run.equity.iloc[-1]) / run.initial_cash - 1
    low, high = np.quantile(grown, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {
        "total_return": float(grown.mean()),
        "sharpe_ratio": float(np.mean([sharpe_ratio(r, run.bars_per_year) for r in drawn])),
        "total_return_interval": (float(low), float(high)),
        "beaten": float((grown < earned).mean()),
        "p_value": float((1 + (grown >= earned).sum()) / (1 + draws)),
        "draws": draws,
    }


def wishes_of(run: Run) -> Floats:
    """Return the wishes that lead to a run's fills, float64[T, S], a share of equity to hold.

    A wish stands in the row before its fill, whatever the latency was.
    """
    fills = run.fills
    ends, step = pd.DatetimeIndex(run.equity.index).asi8, timeframe_ms(run.timeframe)
    columns = {symbol: j for j, symbol in enumerate(run.symbols)}
    equity = run.equity.to_numpy(np.float64)
    wishes, held = np.full((len(ends), len(columns)), np.nan), np.zeros(len(columns))
    rows = np.searchsorted(ends, pd.DatetimeIndex(fills["time"]).as_unit("ms").asi8 + step)
    signed = np.where(fills["side"] == "BUY", 1.0, -1.0) * fills["quantity"].to_numpy(np.float64)
    told = zip(rows - 1, fills["symbol"].map(columns), signed, fills["price"], strict=True)
    for row, j, quantity, price in told:
        held[j] += quantity
        # What is left after a close is rounding, and no position.
        held[j] = 0.0 if abs(held[j]) < 1e-9 * abs(quantity) else held[j]
        wishes[row, j] = held[j] * price / equity[row] if equity[row] > 0 else np.nan
    return wishes


def moved(wishes: Floats, bars: int) -> Floats:
    """Return wishes a number of bars later, on a circle.

    A position that the end of the circle cuts in two begins again in the first row; one that was
    still open at the end of the run ends where the run began.
    """
    later = np.roll(wishes, bars, axis=0)
    for j in range(wishes.shape[1]):
        known = np.flatnonzero(np.isfinite(wishes[:, j]))
        before = known[known < len(wishes) - bars]
        if np.isnan(later[0, j]) and len(before):
            later[0, j] = wishes[before[-1], j]
        if np.isnan(later[bars, j]) and len(known) and wishes[known[-1], j] != 0:
            later[bars, j] = 0.0
    return later
