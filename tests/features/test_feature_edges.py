"""Candles at the edge of what is possible: dead markets, spikes, no trades, tiny prices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.catalogue import FEATURES
from features.program import FeatureProgram
from tests.features.walks import beside, flat, frame, walk

NAMES = tuple(FEATURES)
PROGRAM = FeatureProgram(NAMES)


def extreme() -> dict[str, pd.DataFrame]:
    """Return candles at the edge of what `repair` lets through."""
    n = 2400
    ones = np.ones(n)
    base = walk(n, seed=4, outages=[(800, 1300)])
    silent, wild = base.copy(), base.copy()
    silent["volume"] = 0.0
    wild["volume"] = np.where(np.arange(n) % 7 == 0, 1e12, 1e-12)
    spike, dive, crash, boom = (base.copy() for _ in range(4))
    spike.iloc[2000, 1] *= 1000
    dive.iloc[2000, 2] /= 1000
    crash.iloc[2100:, :4] /= 1000
    boom.iloc[2100:, :4] *= 1000
    rising = np.exp(np.arange(n) * 1e-3)
    ulp = np.where(np.arange(n) % 2, 1.0, 1.0 + 2.0**-50)
    square = np.where(np.arange(n) % 2, 1.0, 2.0)
    return {
        "flat": flat(n, 105432.17, 3.0),
        "flat and cheap": flat(n, 2e-6, 1e9),
        "dead": flat(n, 0.1, 0.0),
        "never traded": silent,
        "wild volume": wild,
        "spike": spike,
        "dive": dive,
        "crash": crash,
        "boom": boom,
        "straight": frame(rising, rising * 1.0005, rising * 0.9995, rising * 1.0001, ones),
        "rounding": frame(ulp, ulp, ulp, ulp, ones),
        "square": frame(square, square, square, square, ones),
        "outage to the end": walk(n, seed=5, outages=[(150, n)]),
    }


@pytest.mark.parametrize("case", extreme())
def test_values_are_finite_on_any_valid_candles(case) -> None:
    values = PROGRAM.run(beside(extreme()[case]))
    for j, name in enumerate(NAMES):
        assert np.isfinite(values[PROGRAM.lookbacks[name] :, j]).all(), name


NEUTRAL = {
    -50.0: "willr_14",
    -27.631021115928547: "log_rv_3 log_rv_12 log_rv_15 log_rv_48 log_rv_60 log_rv_240 log_rv_288 "
    "log_rv_1440 log_rv_2016",  # ln 1e-12
    0.5: "close_location bb_percent_20 vol_rank_200 up_volume_ratio_20 range_pos_5 range_pos_10 "
    "range_pos_20 range_pos_50 close_rank_50 prev_day_range_pos hurst_100",
    1.0: "vol_ratio_5_20 volume_ratio_5 volume_ratio_10 volume_ratio_20 volume_ratio_50 cdl_doji "
    "amihud_rel_20 range_per_volume_20 zero_volume_share_60 variance_ratio_5_100 "
    "vol_regime_20_288 btc_vol_ratio_20 sentiment_missing",
    50.0: "rsi_7 rsi_14 rsi_28 stoch_k_14 stoch_d_14 stochrsi_14 stochrsi_d_14 mfi_14 ultosc",
    100.0: "aroon_up_25 aroon_down_25",
}
NEUTRALS = {name: value for value, names in NEUTRAL.items() for name in names.split()}
"""What ratios without a unit are where nothing moves; others are 0."""
# Supertrend keeps the trend it was in.
KEPT = {"supertrend_dir_10_3"}


def test_in_a_dead_market_everything_is_neutral_and_stands_still() -> None:
    candles = beside(walk(7500, seed=5, outages=[(1500, 7500)]))
    candles.iloc[1500:, 5:] = [30_000.0, np.nan]
    values = PROGRAM.run(candles, dtype=np.float64)[-1000:]
    price = candles["close"].iloc[-1]
    for name, column in zip(NAMES, values.T, strict=True):
        if FEATURES[name].group == "time":
            continue
        unit, last = PROGRAM.units[name], column[-1]
        assert np.ptp(column) < 1e-12 * max(1.0, abs(last)), name
        if unit == "–" and name not in KEPT:
            # What a recursion keeps of the price is rounded; neutral but for that.
            assert last == pytest.approx(NEUTRALS.get(name, 0.0), rel=1e-12, abs=1e-12), name
        elif unit != "–":
            assert min(abs(last), abs(last / price - 1)) < 1e-12, name


SILENT = {
    "volume_ratio_20": 1, "volume_zscore_20": 0, "volume_trend_5_20": 0, "obv_norm_20": 0,
    "cmf_20": 0, "adosc_norm": 0, "force_index_13": 0, "pvt_20": 0, "price_volume_corr_20": 0,
    "up_volume_ratio_20": 0.5, "volume_spike": 0, "volume_dry_up": 0, "dollar_volume_z_60": 0,
    "amihud_rel_20": 1, "kyle_lambda_rel_20": 0, "bvc_imbalance_20": 0, "vpin_50": 0,
    "signed_volume_1": 0, "clv_volume_5": 0, "range_per_volume_20": 1, "zero_volume_share_60": 1,
    "mfi_14": 50, "volume": 0, "volume_sma_20": 0, "volume_ratio_5": 1, "volume_ratio_10": 1,
    "volume_ratio_50": 1,
}  # fmt: skip


def test_prices_that_move_without_a_trade() -> None:
    """What reads volumes is neutral or a typical price; all else is as it was."""
    candles = beside(walk(2700, seed=6))
    silent = candles.assign(volume=0.0)
    values, found = (PROGRAM.run(table, dtype=np.float64) for table in (candles, silent))
    typical = candles[["high", "low", "close"]].sum(axis=1) / 3
    near = candles["close"] / typical - 1
    weighted = {"vwap": typical, "vwap_20": typical, "close_to_vwap": near,
                "close_to_vwap_20": near}  # fmt: skip
    for j, name in enumerate(NAMES):
        ready = slice(PROGRAM.lookbacks[name], None)
        if name in SILENT:
            assert set(found[ready, j]) == {SILENT[name]}, name
        elif name in weighted:
            np.testing.assert_allclose(found[ready, j], weighted[name][ready], atol=1e-14)
        else:
            assert np.array_equal(found[ready, j], values[ready, j]), name


def test_prices_of_a_billionth_are_like_any_other() -> None:
    """Every digit is rounded anew, as the factors are no powers of two: only that may be seen."""
    candles = beside(walk(2700, seed=2, outages=[(600, 700)]), seed=2)
    values = PROGRAM.run(candles, dtype=np.float64)
    cheap = PROGRAM.run(candles * [*[1e-11] * 4, 1e9, 1, 1], dtype=np.float64)
    for j, name in enumerate(NAMES):
        if PROGRAM.units[name] == "–":
            ready = slice(PROGRAM.lookbacks[name], None)
            before, after = values[ready, j], cheap[ready, j]
            near = np.abs(after - before) <= 1e-6 * (np.abs(before) + np.abs(before).mean())
            # A flag that compares two prices which are equal on paper goes by their last bit.
            assert near.mean() >= (0.998 if len(set(before)) <= 3 else 1), name
