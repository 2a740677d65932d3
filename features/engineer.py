"""Features of a frame of candles in hand: no source, no store, one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from features.errors import FeatureError
from features.program import FeatureProgram
from market.candles import COLUMNS, as_candles

# By period, in the order of the columns; each is a family of the catalogue.
_FAMILIES = (
    "return", "log_return", "momentum", "acceleration", "sma", "close_to_sma", "ema",
    "close_to_ema", "volatility", "min", "max", "close_to_min", "close_to_max", "range_pos",
    "zscore", "skew", "hit_rate", "drawdown", "runup", "volume_sma", "volume_ratio",
    "dist_to_resistance", "dist_to_support",
)  # fmt: skip
_ALWAYS = (
    "return_1", "return_2", "return_5", "return_10", "log_return_1", "log_return_5",
    "momentum_5", "momentum_10", "momentum_20", "acceleration_5",
    "hl_range", "hl_range_pct", "oc_range", "oc_range_pct", "body_to_range",
    "upper_wick_pct", "lower_wick_pct", "close_location", "gap_pct",
    "ema_10", "ema_20", "ema_50", "ema_200", "macd", "macd_signal", "macd_histogram",
    "adx_14", "rsi_14", "stoch_k_14", "stoch_d_14", "willr_14", "cci_20", "mfi_14",
    "bb_upper_20", "bb_middle_20", "bb_lower_20", "bb_width_20", "bb_percent_20",
    "atr_14", "natr_14", "vwap", "obv_norm_20", "cmf_20", "volume_zscore_20",
    "cdl_doji", "cdl_hammer", "cdl_shooting_star", "cdl_engulfing", "cdl_harami",
    "consecutive_candles", "bull_count_10", "volume_spike", "volume_dry_up",
    "breakout_up_20", "breakout_down_20",
    "hour", "day_of_week", "day_of_month", "month", "quarter",
)  # fmt: skip
_SHORTEST = 3  # bars: what skewness needs


class PriceFeatureEngineer:
    """More than 100 features of candles, chosen by look-back periods.

    Parameters
    ----------
    lookback_periods : sequence of int
        Bars of the rolling statistics.

    Raises
    ------
    FeatureError
        A period under 3 bars, or none.

    Examples
    --------
    >>> len(PriceFeatureEngineer(lookback_periods=[5, 10, 20, 50]).names)
    142
    """

    def __init__(self, lookback_periods: Sequence[int] = (5, 10, 20, 50)) -> None:
        self.lookback_periods = sorted(set(lookback_periods))
        if not self.lookback_periods or self.lookback_periods[0] < _SHORTEST:
            raise FeatureError(
                f"lookback_periods {list(lookback_periods)} must be {_SHORTEST} bars or more each"
            )
        self.names = tuple(dict.fromkeys([*_ALWAYS, *self._by_period()]))
        self._program = FeatureProgram(self.names)

    def engineer_features(self, ohlcv_df: pd.DataFrame) -> pd.DataFrame:
        """Return the candles with their features beside them.

        Parameters
        ----------
        ohlcv_df : pandas.DataFrame
            Candles, oldest first, in any shape that `market.candles.as_candles` accepts.

        Returns
        -------
        pandas.DataFrame
            Columns ``open high low close volume``, then `names`, float64; one row a bar, indexed
            by open time. NaN before the look-back of a feature, and nowhere else.

        Raises
        ------
        market.errors.BadCandles
            Columns are missing, or rows that `market.candles.repair` would drop.
        """
        candles = as_candles(ohlcv_df)
        values = self._program.fork().run(candles, dtype=np.float64)
        features = pd.DataFrame(values, index=candles.index, columns=list(self.names))
        return pd.concat([candles, features], axis=1)

    def get_feature_names(self, features_df: pd.DataFrame) -> list[str]:
        """Return the columns that are features: all but the candles themselves."""
        return [str(name) for name in features_df.columns if name not in ("timestamp", *COLUMNS)]

    def _by_period(self) -> Iterator[str]:
        families: Iterable[str] = _FAMILIES
        for family in families:
            yield from (f"{family}_{n}" for n in self.lookback_periods)
