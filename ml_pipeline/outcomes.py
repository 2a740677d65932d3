"""What really happened: the realised outcomes that resolve predictions in the ledger.

The ledger must not import the targets; it asks here, and gets numbers only of bars whose horizon
has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from market.timeframes import timeframe_ms
from ml_pipeline.targets import Prices, known_ms, labels_of, open_times

KNOWN_AT = "known_at"

_COLUMN = {
    "direction": "up",
    "risk_excursion": "excursion",
    "price": "log_return",
    "momentum": "accelerating",
    "rv_1h": "rv_1h",
    "rv_4h": "rv_4h",
}

OUTCOMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        kind: tuple(_COLUMN[label.name] for label in labels_of(kind))
        for kind in ("direction", "risk", "price", "momentum", "volatility")
    }
)
"""Outcome columns of each kind."""


def outcomes(kind: str, candles: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Return what came of each bar.

    Parameters
    ----------
    kind : str
        direction, risk, price, momentum or volatility.
    candles : DataFrame
        Canonical candles of one symbol, up to now. They are read, never changed.
    timeframe : str
        Length of a bar.

    Returns
    -------
    DataFrame
        Indexed by the opening time of the bar, one row a candle:

        =========== =======================================================================
        direction   ``up``: 1, 0, or NaN where the price did not move
        risk        ``excursion``: farthest high or low, absolute log return
        price       ``log_return`` over the horizon
        momentum    ``accelerating``: 1 or 0
        volatility  ``rv_1h``, ``rv_4h``: sums of squared one-bar log returns
        all         ``known_at``: the close of the last bar of the (longest) horizon, UTC
        =========== =======================================================================

        Where the horizon has not passed, everything is NaN and ``known_at`` is NaT. Where
        ``known_at`` is set and an outcome is NaN, it never will be known: the price did not move,
        or a bar is missing. A ledger marks such a prediction as void.
    """
    prices = Prices.of(candles, timeframe)
    found = labels_of(kind)
    ts = open_times(candles)
    known = known_ms(ts, max(label.horizon(timeframe) for label in found), timeframe)
    now = ts[-1] + timeframe_ms(timeframe) if len(ts) else 0
    passed = known <= now
    columns = {
        _COLUMN[label.name]: np.where(
            passed, label.compute(prices, label.horizon(timeframe)), np.nan
        )
        for label in found
    }
    frame = pd.DataFrame(columns, index=candles.index)
    instants = pd.Series(pd.to_datetime(known, unit="ms", utc=True), index=candles.index)
    return frame.assign(**{KNOWN_AT: instants.where(passed)})
