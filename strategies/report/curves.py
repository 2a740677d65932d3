"""Curves: a run over time, thinned to what a screen can show without hiding an extreme."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from strategies.run import Run

Floats = NDArray[np.float64]

BUCKETS = 300
"""Stretches of time of which the highest, the lowest and the last point are drawn."""
MOST_MARKS = 240
"""Entries that a chart of prices can show."""


@dataclass(frozen=True)
class Curves:
    """A run at some of its bar closes.

    Attributes
    ----------
    at
        Epoch milliseconds, int64 [T].
    equity, hold
        Growth of one unit of money, [T]: the account, and all symbols bought in equal parts at the
        first close and held, without costs.
    drawdown
        Equity as a fraction of its highest so far, minus 1, [T].
    long, short
        Notional over equity, summed over symbols, [T]; short is not positive.
    """

    at: NDArray[np.int64]
    equity: Floats
    hold: Floats
    drawdown: Floats
    long: Floats
    short: Floats


def curves_of(run: Run, buckets: int = BUCKETS) -> Curves:
    """Return the curves of a run, thinned to three points a bucket."""
    equity = run.equity.to_numpy(np.float64) / run.initial_cash
    peak = np.maximum.accumulate(np.maximum(equity, 1.0)) if len(equity) else equity
    drawdown = equity / peak - 1.0
    exposure = np.nan_to_num(run.exposure.to_numpy(np.float64))
    kept = thinned(equity, buckets)
    return Curves(
        at=epoch_ms(pd.DatetimeIndex(run.equity.index))[kept],
        equity=equity[kept],
        hold=hold_of(run.close)[kept],
        drawdown=drawdown[kept],
        long=np.where(exposure > 0, exposure, 0.0).sum(axis=1)[kept],
        short=np.where(exposure < 0, exposure, 0.0).sum(axis=1)[kept],
    )


def hold_of(close: pd.DataFrame) -> Floats:
    """Return the growth of one unit put into all symbols in equal parts, [T]; no costs.

    A symbol that has no candle yet waits in cash, and one without a new candle keeps its price.
    """
    prices = close.ffill()
    first = prices.apply(lambda column: column.dropna().iloc[0] if column.notna().any() else np.nan)
    growth = (prices / first).fillna(1.0)
    return np.asarray(growth.mean(axis=1), dtype=np.float64)


def thinned(values: Floats, buckets: int = BUCKETS) -> NDArray[np.int64]:
    """Return which points to draw: of each bucket the lowest, the highest and the last, in order.

    So a fall of one bar in a year of them is on the picture.
    """
    count = len(values)
    if count <= 3 * buckets:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count, buckets + 1).astype(np.int64)
    kept = [0]
    for begin, end in pairwise(edges):
        part = values[begin:end]
        kept += [begin + int(part.argmin()), begin + int(part.argmax()), end - 1]
    return np.unique(np.array(kept, dtype=np.int64))


def marks_of(trades: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """Return the trades of a symbol whose entries are drawn; evenly fewer where there are many."""
    own = trades[(trades["symbol"] == symbol).to_numpy(bool)]
    step = -(-len(own) // MOST_MARKS) or 1
    return own.iloc[::step]


def epoch_ms(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Return the times of an index as epoch milliseconds."""
    return np.asarray(index.as_unit("ms").asi8, dtype=np.int64)
