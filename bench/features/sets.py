"""The columns that are compared: who can be asked for which."""

from __future__ import annotations

SEEDS: tuple[str, ...] = (
    "close", "return_1", "return_2", "return_5", "return_10", "log_return_1", "log_return_5",
    "momentum_5", "momentum_10", "momentum_20", "acceleration_5", "hl_range", "hl_range_pct",
    "oc_range", "oc_range_pct", "body_to_range",
    "sma_5", "sma_10", "sma_20", "sma_50", "ema_10", "ema_20", "ema_50", "ema_200",
    "macd", "macd_signal", "macd_histogram", "adx_14", "rsi_14", "stoch_k_14",
    "volatility_5", "volatility_10", "volatility_20", "atr_14",
    "bb_upper_20", "bb_middle_20", "bb_lower_20", "bb_width_20", "bb_percent_20",
    "volume", "volume_sma_20", "volume_ratio_20", "vwap",
    "min_5", "max_5", "min_10", "max_10", "min_20", "max_20",
    "zscore_5", "zscore_10", "zscore_20", "zscore_50",
    "hour", "day_of_week", "day_of_month", "month", "quarter",
)  # fmt: skip
"""The features that were asked for by name."""

INDICATORS: tuple[str, ...] = (
    "sma_20", "ema_20", "macd", "macd_signal", "macd_histogram", "adx_14", "plus_di_14",
    "minus_di_14", "aroon_up_25", "aroon_down_25", "aroon_osc_25", "trix_15",
    "rsi_14", "stoch_k_14", "stoch_d_14", "willr_14", "roc_10", "momentum_10",
    "ultosc", "cci_20", "atr_14", "natr_14", "bb_upper_20", "bb_middle_20", "bb_lower_20",
    "min_20", "max_20",
)  # fmt: skip
"""Indicators that TA-Lib, pandas-ta-classic and we define alike: they agree once settled."""

_WINDOWS = (5, 10, 20, 50, 100)
MOVING: tuple[str, ...] = tuple(
    f"{what}_{n}" for what in ("sma", "volatility", "min", "max") for n in _WINDOWS
)
"""Rolling mean, deviation, minimum and maximum."""

ROLLING: tuple[str, ...] = (*MOVING, *(f"skew_{n}" for n in _WINDOWS))
"""The same with skewness, which bottleneck does not have."""
