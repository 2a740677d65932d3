"""PriceFeatureEngineer: the seed's calls, on candles in hand."""

# ruff: noqa: SIM905 - a list of names reads better without quotes

from __future__ import annotations

import numpy as np
import pytest

from features.engineer import PriceFeatureEngineer
from features.errors import FeatureError
from features.program import FeatureProgram
from market.errors import BadCandles
from tests.features.walks import walk

CANDLES = walk(900, seed=21)
# What the seed names, by its categories.
PROMISED = """
return_1 return_2 return_5 return_10 log_return_1 log_return_5 momentum_5 momentum_10 momentum_20
acceleration_5 hl_range hl_range_pct oc_range oc_range_pct body_to_range
ema_10 ema_20 ema_50 ema_200 rsi_14 stoch_k_14 stoch_d_14 bb_upper_20 bb_lower_20 atr_14
volume_sma_20 volume_ratio_20 sma_5 sma_10 sma_20 sma_50 volatility_5 volatility_10 volatility_20
min_5 max_5 min_10 max_10 zscore_20 hour day_of_week day_of_month month quarter
""".split()


def test_the_seeds_calls() -> None:
    engineer = PriceFeatureEngineer(lookback_periods=[5, 10, 20, 50])
    features_df = engineer.engineer_features(CANDLES)
    feature_names = engineer.get_feature_names(features_df)
    assert len(feature_names) > 100
    assert set(PROMISED) <= set(feature_names)
    assert not {"open", "high", "low", "close", "volume", "timestamp"} & set(feature_names)
    assert len(features_df) == len(CANDLES)
    assert features_df[CANDLES.columns.tolist()].equals(CANDLES)


def test_features_computed_once_equal_those_computed_bar_by_bar() -> None:
    engineer = PriceFeatureEngineer()
    whole = engineer.engineer_features(CANDLES)
    for i in (10, 300, 899):
        window = engineer.engineer_features(CANDLES.iloc[: i + 1])
        assert window.equals(whole.iloc[: i + 1])


def test_periods_choose_the_columns() -> None:
    engineer = PriceFeatureEngineer(lookback_periods=[7, 33])
    features = engineer.engineer_features(CANDLES)
    expected = CANDLES["close"].rolling(33).mean()
    np.testing.assert_allclose(features["sma_33"].iloc[32:], expected.iloc[32:], rtol=1e-12)
    assert "sma_50" not in features
    assert np.isfinite(features.iloc[FeatureProgram(engineer.names).lookback :]).all(axis=None)


def test_candles_may_come_with_a_timestamp_column() -> None:
    engineer = PriceFeatureEngineer()
    table = CANDLES.reset_index()
    assert engineer.engineer_features(table).equals(engineer.engineer_features(CANDLES))
    with pytest.raises(BadCandles, match="volume"):
        engineer.engineer_features(table.drop(columns="volume"))


@pytest.mark.parametrize("periods", [[], [2, 10]])
def test_periods_that_cannot_be_are_refused(periods) -> None:
    with pytest.raises(FeatureError, match="3 bars or more"):
        PriceFeatureEngineer(lookback_periods=periods)
