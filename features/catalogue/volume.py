"""Traded volume, and prices weighted by it. Sums over windows only: OBV depends on its start."""

from __future__ import annotations

from features.catalogue.feature import Group
from features.catalogue.parts import (
    atr,
    day,
    flow,
    middle,
    move,
    signed_volume,
    simple_return,
    spread,
    typical,
)
from features.inputs import c, v
from features.language import (
    change,
    correlation,
    deviation,
    ema,
    mean,
    ratio,
    session_total,
    total,
    where,
)

volume = Group("volume")
add, family = volume.add, volume.family

mean_20, total_20 = mean(v, 20), total(v, 20)
add("volume", v, "Volume of the bar in coins", twin="volume_ratio_20")
family(
    "volume_sma",
    (20,),
    lambda n: mean(v, n),
    "Mean volume of {n} bars",
    twin="volume_ratio_{n}",
)
family(
    "volume_ratio",
    (5, 10, 20, 50),
    lambda n: ratio(v, mean(v, n), 1),
    "Volume relative to its mean over {n} bars",
)
family(
    "volume_zscore",
    (20,),
    lambda n: ratio(v - mean(v, n), deviation(v, n)),
    "Volume in standard deviations from its mean over {n} bars",
)
add(
    "volume_trend_5_20",
    ratio(mean(v, 5), mean_20, 1) - 1,
    "Mean volume of 5 bars relative to that of 20",
)
add(
    "obv_norm_20",
    ratio(total(signed_volume, 20), total_20),
    "Signed volume of 20 bars, relative to their volume",
)
add("cmf_20", ratio(total(flow, 20), total_20), "Chaikin's money flow over 20 bars")
# Averages over 3 and 10 bars of A/D, the running sum of the flow: their difference does not hold
# the sum's start, and is (1/alpha_10 - 1/alpha_3) times the flow averaged over both.
add(
    "adosc_norm",
    ratio(ema(ema(flow, 10), 3) * 3.5, mean_20),
    "Chaikin's oscillator (3 and 10 bars), relative to the mean volume of 20",
)
add(
    "force_index_13",
    ratio(ema(move * v, 13), atr * mean_20),
    "Elder's force index in average true ranges and volumes",
)
vwap = add(
    "vwap",
    ratio(session_total(typical * v, day), session_total(v, day), typical),
    "Volume-weighted price since midnight UTC; the typical price until something traded",
    twin="close_to_vwap",
)
add("close_to_vwap", c / vwap - 1, "Close relative to vwap")
vwap_20 = add(
    "vwap_20",
    ratio(total(typical * v, 20), total_20, typical),
    "Volume-weighted price of 20 bars; the typical price where nothing traded",
    twin="close_to_vwap_20",
)
add("close_to_vwap_20", c / vwap_20 - 1, "Close relative to vwap_20")
add(
    "pvt_20",
    ratio(total(simple_return * v, 20), total_20),
    "Mean return of 20 bars, weighted by volume",
)
add(
    "price_volume_corr_20",
    correlation(simple_return, v, 20),
    "Correlation of return and volume over 20 bars",
)
add(
    "up_volume_ratio_20",
    ratio(total(where(move > 0, v, 0), 20), total_20, 0.5),
    "Share of the volume of 20 bars that came with rising closes",
)
add(
    "eom_14",
    mean(ratio(change(middle, 1) * spread, c * c), 14),
    "Ease of movement over 14 bars, without volume",
)
add("volume_spike", v > mean_20 * 2, "Whether volume is above twice its mean over 20 bars")
add("volume_dry_up", v < mean_20 * 0.5, "Whether volume is below half its mean over 20 bars")
dollars = c * v
add(
    "dollar_volume_z_60",
    ratio(dollars - mean(dollars, 60), deviation(dollars, 60)),
    "Turnover in standard deviations from its mean over 60 bars",
)
