"""Which features forecasters learn from, and what they learn: returns and log ranges, no levels.

All are windows of closed bars, so they have settled after their look-back, and all can be computed
of forecast candles. Volume is not forecast, hence not read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_pipeline.targets import next_candle
from models.forecasters.forecaster import AUTOREGRESSIVE

Floats = NDArray[np.float64]

_CLOSES = ("return_1", "return_2", "autocorr_1_20", "tod_sin", "tod_cos")
_CANDLES = (
    "return_1", "hl_range_pct", "true_range_pct", "upper_wick_pct", "lower_wick_pct",
    "close_location", "gap_pct", "parkinson_20", "tod_sin", "tod_cos",
)  # fmt: skip
_BY_PERIOD = {
    AUTOREGRESSIVE: ("log_return", "close_to_sma", "volatility", "zscore"),
    "multi_ohlc": ("log_return", "close_to_sma", "volatility", "range_pos"),
}
_MOST_SIGMA, _MOST_RANGE = 5.0, 20.0


def default_columns(kind: str, lookback_periods: Sequence[int]) -> tuple[str, ...]:
    """Return the features of a type of forecaster, by look-back periods."""
    always = _CLOSES if kind == AUTOREGRESSIVE else _CANDLES
    families = _BY_PERIOD[kind]
    by_period = [f"{family}_{n}" for family in families for n in lookback_periods]
    return tuple(dict.fromkeys([*always, *by_period]))


def next_bar(kind: str, candles: pd.DataFrame, timeframe: str) -> Floats:
    """Return what is forecast of the next bar, logs, [n, K], in the order of a rollout's sums."""
    parts = next_candle(candles, timeframe)
    if kind == AUTOREGRESSIVE:
        return np.asarray(parts[:, :2].sum(axis=1, keepdims=True))
    return np.asarray(parts)


def in_units(targets: Floats, unit: Floats) -> Floats:
    """Return targets in units of σ [n], winsorised: returns at 5, wicks at 20."""
    most = [_MOST_SIGMA] * min(targets.shape[1], 2) + [_MOST_RANGE] * (targets.shape[1] - 2)
    return np.asarray(np.clip(targets / unit[:, None], -np.array(most), most))
