"""The default inputs of models: scale-free, always finite, without near-duplicates.

Written by ``python -m bench.model_set``, which states the rule; derived on 2026-11-21 from

BTC-USDT 1m 2025-05-04 … 2025-06-03; ETH-USDT 1m 2025-05-04 … 2025-06-15; XRP-USDT 1m 2025-05-04
… 2025-06-03; BTC-USDT 5m 2024-01-01 … 2024-09-06; ETH-USDT 5m 2024-01-01 … 2024-09-06; XRP-USDT
5m 2024-01-01 … 2024-09-07.

Do not edit: a test derives it again.
"""

from __future__ import annotations

MODEL_SET: tuple[str, ...] = (
    # price
    "return_1", "return_2", "return_5", "return_10", "return_20", "return_60", "momentum_5_atr",
    "momentum_10_atr", "momentum_20_atr", "acceleration_5_atr", "hl_range_pct", "body_to_range",
    "upper_wick_pct", "lower_wick_pct", "close_location", "gap_pct", "typical_price_dev",
    # trend
    "close_to_sma_5", "close_to_sma_10", "close_to_sma_20", "close_to_sma_50", "close_to_ema_200",
    "ema_50_200_spread", "macd_signal_pct", "macd_histogram_pct", "adx_14", "plus_di_14",
    "minus_di_14", "di_diff_14", "aroon_up_25", "aroon_down_25", "aroon_osc_25", "linreg_slope_20",
    "linreg_slope_50", "linreg_r2_20", "vortex_pos_14", "vortex_neg_14", "supertrend_dir_10_3",
    "psar_dist", "ichimoku_tk_spread",
    # momentum
    "rsi_7", "rsi_14", "rsi_28", "rsi_14_slope_5", "stoch_k_14", "stoch_d_14", "stochrsi_14",
    "stochrsi_d_14", "mfi_14", "ultosc", "tsi_25_13", "ao_pct", "bop_14", "cci_20",
    # volatility
    "volatility_5", "volatility_10", "volatility_20", "volatility_60", "natr_14", "bb_width_20",
    "squeeze_20", "rogers_satchell_20", "downside_vol_20", "upside_vol_20", "vol_ratio_5_20",
    "vol_of_vol_20", "chop_14", "ulcer_14", "jump_ratio_20", "realized_skew_20", "har_rv_288",
    "vol_rank_200",
    # volume
    "volume_ratio_5", "volume_ratio_10", "volume_ratio_20", "volume_ratio_50", "volume_zscore_20",
    "volume_trend_5_20", "obv_norm_20", "cmf_20", "adosc_norm", "force_index_13", "close_to_vwap",
    "close_to_vwap_20", "pvt_20", "price_volume_corr_20", "eom_14", "volume_spike", "volume_dry_up",
    "dollar_volume_z_60",
    # rolling
    "close_to_min_5", "close_to_min_10", "close_to_min_20", "close_to_max_5", "close_to_max_10",
    "close_to_max_20", "range_pos_5", "range_pos_10", "range_pos_20", "range_pos_50", "zscore_5",
    "zscore_10", "zscore_50", "skew_20", "skew_60", "kurt_60", "autocorr_1_20", "autocorr_5_60",
    "return_zscore_20", "drawdown_50", "runup_50", "bars_since_high_50", "bars_since_low_50",
    "hit_rate_20",
    # pattern
    "cdl_doji", "cdl_hammer", "cdl_shooting_star", "cdl_marubozu", "cdl_engulfing", "cdl_harami",
    "cdl_morning_star", "cdl_evening_star", "cdl_three_white_soldiers", "cdl_three_black_crows",
    "cdl_inside_bar", "cdl_outside_bar", "consecutive_candles", "bull_count_10",
    # levels
    "breakout_up_20", "breakout_down_20", "pivot_dist", "pivot_r1_dist", "pivot_s1_dist",
    "prev_day_range_pos",
    # time
    "hour", "day_of_week", "tod_sin", "tod_cos", "dow_sin", "dow_cos", "is_weekend", "session_asia",
    "session_us",
    # micro
    "corwin_schultz_20", "abdi_ranaldo_20", "roll_spread_20", "amihud_rel_20", "kyle_lambda_rel_20",
    "bvc_imbalance_20", "vpin_50", "signed_volume_1", "clv_volume_5", "range_per_volume_20",
    # regime
    "efficiency_ratio_10", "efficiency_ratio_50", "trend_regime", "variance_ratio_5_100",
    "hurst_100", "vol_regime_20_288",
)  # fmt: skip
"""Names of the default model inputs, in the order of the catalogue: of candles alone."""

BENCHMARK_SET: tuple[str, ...] = (
    # cross
    "btc_return_1", "btc_return_5", "btc_lag_return_1", "btc_beta_60", "btc_corr_60",
    "btc_lead_corr_60", "btc_residual_20", "btc_rel_strength_20", "btc_vol_ratio_20",
)  # fmt: skip
"""What candles beside those of a benchmark add: derived on ETH and XRP beside BTC."""
