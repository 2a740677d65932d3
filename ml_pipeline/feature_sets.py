"""Which columns of the catalogue the recipes learn from."""

from __future__ import annotations

from features.catalogue import FEATURES
from features.model_set import MODEL_SET


def model_set(*groups: str) -> tuple[str, ...]:
    """Return the default model inputs of some groups of the catalogue."""
    return tuple(name for name in MODEL_SET if FEATURES[name].group in groups)


# A week of days cannot teach the calendar: with it, direction, momentum and price got worse on
# real candles. What the hour does to volatility can be learnt from two smooth columns.
NO_CALENDAR = tuple(name for name in MODEL_SET if FEATURES[name].group != "time")
TIME_OF_DAY = ("tod_sin", "tod_cos")

# Levels of volatility tell symbols and weeks apart, and trees learn those by heart. The baselines
# of risk and volatility have the levels; what they leave over is looked for in ratios and ranks.
LEVELS = (
    "volatility_5", "volatility_10", "volatility_20", "volatility_60", "natr_14",
    "rogers_satchell_20", "downside_vol_20", "upside_vol_20", "bb_width_20", "har_rv_288",
    "ulcer_14", "hl_range_pct", "roll_spread_20", "corwin_schultz_20", "abdi_ranaldo_20",
    "range_per_volume_20", "kyle_lambda_rel_20", "return_zscore_20",
)  # fmt: skip
RELATIVE = (*(name for name in NO_CALENDAR if name not in LEVELS), *TIME_OF_DAY)
REGIMES = ("vol_regime_20_288", "trend_regime", "efficiency_ratio_50", "variance_ratio_5_100")
RELATIVE_VOLATILITY = (
    *(name for name in model_set("volatility", "volume") if name not in LEVELS),
    *TIME_OF_DAY,
    *REGIMES,
)
