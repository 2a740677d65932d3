"""Features equal what TA-Lib computes, or a slow and plain definition in pandas."""

# ruff: noqa: E741, SIM300 - O H L C V are the field's own names

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib

from features.program import FeatureProgram
from tests.features.walks import walk

CANDLES = walk(2600, seed=11)
O, H, L, C, V = (CANDLES[name].to_numpy() for name in ("open", "high", "low", "close", "volume"))
SC, SH, SL, SV = (CANDLES[name] for name in ("close", "high", "low", "volume"))
LOG_RETURN = np.log(SC / SC.shift(1))
RETURN = SC / SC.shift(1) - 1
TYPICAL = (SH + SL + SC) / 3
DAY = CANDLES.index.floor("D")
FLOW = (2 * SC - SH - SL) / (SH - SL) * SV


def own(name: str) -> pd.Series:
    """Return a feature itself, for oracles of what is made of it: exact ties stay ties."""
    values = FeatureProgram([name]).run(CANDLES, dtype=np.float64)[:, 0]
    return pd.Series(values, index=CANDLES.index)


def rolled(values: pd.Series, n: int, of: Callable[[np.ndarray], float]) -> pd.Series:
    return values.rolling(n).apply(of, raw=True)


def line(y: np.ndarray) -> tuple[float, float]:
    """Return slope and R² of the least squares line."""
    x = np.arange(len(y))
    return np.polyfit(x, y, 1)[0], np.corrcoef(x, y)[0, 1] ** 2


def sar(end: int, bars: int = 100) -> float:
    window = slice(end - bars + 1, end + 1)
    return talib.SAR(H[window], L[window], 0.02, 0.2)[-1]


def by_day(values: pd.Series, how: str) -> pd.Series:
    return getattr(values.groupby(DAY), f"cum{how}")()


def yesterday(values: pd.Series, how: str) -> pd.Series:
    """Return a daily statistic of the day before, on each bar."""
    daily = getattr(values.groupby(DAY), how)().shift(1)
    return pd.Series(daily.reindex(DAY).to_numpy(), index=values.index)


TRUE_RANGE = talib.TRANGE(H, L, C)
ATR = talib.ATR(H, L, C, 14)
BANDS = talib.BBANDS(C, 20, 2, 2)
MACD = talib.MACD(C, 12, 26, 9)
AROON = talib.AROON(H, L, 25)

TALIB = {
    "sma_50": talib.SMA(C, 50),
    "ema_20": talib.EMA(C, 20),
    "ema_200": talib.EMA(C, 200),
    "rsi_7": talib.RSI(C, 7),
    "rsi_14": talib.RSI(C, 14),
    "rsi_28": talib.RSI(C, 28),
    "cmo_14": talib.CMO(C, 14),
    "atr_14": ATR,
    "natr_14": talib.NATR(H, L, C, 14),
    "true_range_pct": TRUE_RANGE / C,
    "macd": MACD[0],
    "macd_signal": MACD[1],
    "macd_histogram": MACD[2],
    "ppo": talib.PPO(C, 12, 26, 1),
    "adx_14": talib.ADX(H, L, C, 14),
    "plus_di_14": talib.PLUS_DI(H, L, C, 14),
    "minus_di_14": talib.MINUS_DI(H, L, C, 14),
    "bb_upper_20": BANDS[0],
    "bb_middle_20": BANDS[1],
    "bb_lower_20": BANDS[2],
    "stoch_k_14": talib.STOCHF(H, L, C, 14, 1, 0)[0],
    "stoch_d_14": talib.STOCHF(H, L, C, 14, 3, 0)[1],
    "willr_14": talib.WILLR(H, L, C, 14),
    "mfi_14": talib.MFI(H, L, C, V, 14),
    "cci_20": talib.CCI(H, L, C, 20),
    "ultosc": talib.ULTOSC(H, L, C, 7, 14, 28),
    "roc_10": talib.ROC(C, 10),
    "momentum_10": talib.MOM(C, 10),
    "trix_15": talib.TRIX(C, 15),
    "aroon_down_25": AROON[0],
    "aroon_up_25": AROON[1],
    "aroon_osc_25": talib.AROONOSC(H, L, 25),
    "bop_14": talib.SMA(talib.BOP(O, H, L, C), 14),
    "linreg_slope_20": talib.LINEARREG_SLOPE(C, 20) / talib.SMA(C, 20),
    "close_to_kama_10": C / talib.KAMA(C, 10) - 1,
    "min_20": talib.MIN(L, 20),
    "max_20": talib.MAX(H, 20),
    "psar_dist": np.array([np.nan] * 99 + [C[t] / sar(t) - 1 for t in range(99, len(C))]),
}
# TA-Lib starts these at another bar, so they agree once the start is forgotten.
STARTED_OTHERWISE = {"macd", "macd_signal", "macd_histogram", "ppo", "adx_14", "plus_di_14",
                     "minus_di_14", "trix_15", "close_to_kama_10"}  # fmt: skip

PANDAS = {
    "return_5": SC.pct_change(5),
    "returns": SC.pct_change(1),
    "log_return_20": np.log(SC / SC.shift(20)),
    "acceleration_5": SC - 2 * SC.shift(5) + SC.shift(10),
    "momentum_5_atr": (SC - SC.shift(5)) / ATR,
    "body_to_range": (SC - CANDLES["open"]).abs() / (SH - SL),
    "close_location": (SC - SL) / (SH - SL),
    "gap_pct": CANDLES["open"] / SC.shift(1) - 1,
    "momentum_z_12": np.log(SC / SC.shift(12)) / (LOG_RETURN.rolling(60).std() * 12**0.5),
    "volatility_20": LOG_RETURN.rolling(20).std(),
    "vol_ratio_5_20": LOG_RETURN.rolling(5).std() / LOG_RETURN.rolling(20).std(),
    "log_rv_12": np.log((LOG_RETURN**2).rolling(12).sum()),
    "log_rv_2016": np.log((LOG_RETURN**2).rolling(2016).sum()),
    "har_rv_288": (LOG_RETURN**2).rolling(288).mean() ** 0.5,
    "parkinson_20": (np.log(SH / SL) ** 2 / (4 * np.log(2))).rolling(20).mean() ** 0.5,
    "skew_60": LOG_RETURN.rolling(60).skew(),
    "kurt_60": LOG_RETURN.rolling(60).kurt(),
    "vol_rank_200": (own("volatility_20").rolling(200).rank() - 1) / 199,
    "close_rank_50": (SC.rolling(50).rank() - 1) / 49,
    "zscore_20": (SC - SC.rolling(20).mean()) / SC.rolling(20).std(),
    "median_dev_20": SC / SC.rolling(20).median() - 1,
    "autocorr_5_60": LOG_RETURN.rolling(60).corr(LOG_RETURN.shift(5)),
    "price_volume_corr_20": RETURN.rolling(20).corr(SV),
    "volume_ratio_20": SV / SV.rolling(20).mean(),
    "dollar_volume_z_60": (SC * SV - (SC * SV).rolling(60).mean()) / (SC * SV).rolling(60).std(),
    "bars_since_high_50": rolled(SH, 50, lambda x: np.argmax(x[::-1])) / 50,
    "bars_since_low_50": rolled(SL, 50, lambda x: np.argmin(x[::-1])) / 50,
    "linreg_slope_50": rolled(SC, 50, lambda y: line(y)[0]) / SC.rolling(50).mean(),
    "linreg_r2_20": rolled(SC, 20, lambda y: line(y)[1]),
    "cmf_20": FLOW.rolling(20).sum() / SV.rolling(20).sum(),
    "adosc_norm": (FLOW.ewm(span=3, adjust=False).mean() - FLOW.ewm(span=10, adjust=False).mean())
    / SV.rolling(20).mean(),
    "vwap": by_day(TYPICAL * SV, "sum") / by_day(SV, "sum"),
    "close_to_vwap_20": SC / ((TYPICAL * SV).rolling(20).sum() / SV.rolling(20).sum()) - 1,
    "pivot_dist": SC / ((yesterday(SH, "max") + yesterday(SL, "min") + yesterday(SC, "last")) / 3)
    - 1,
    "consecutive_candles": np.sign(SC.diff())
    * (np.sign(SC.diff()).groupby((np.sign(SC.diff()).diff() != 0).cumsum()).cumcount() + 1),
    "ichimoku_cloud_dist": SC
    / (
        (
            (SH.rolling(9).max() + SL.rolling(9).min()) / 4
            + (SH.rolling(26).max() + SL.rolling(26).min()) / 4
            + (SH.rolling(52).max() + SL.rolling(52).min()) / 2
        ).shift(26)
        / 2
    )
    - 1,
    "efficiency_ratio_50": (SC - SC.shift(50)).abs() / SC.diff().abs().rolling(50).sum(),
    "hurst_100": np.log(
        np.log(SC / SC.shift(16)).rolling(100).var() / LOG_RETURN.rolling(100).var()
    )
    / (2 * np.log(16)),
    "kyle_lambda_rel_20": LOG_RETURN.rolling(20).cov(np.sign(RETURN) * SV)
    / (np.sign(RETURN) * SV).rolling(20).var()
    * SV.rolling(20).mean(),
    "zero_volume_share_60": (SV == 0).rolling(60).mean(),
    "breakout_up_20": (SC > SH.rolling(20).max().shift(1)).astype(float),
    "cdl_inside_bar": ((SH < SH.shift(1)) & (SL > SL.shift(1))).astype(float),
    "hour": pd.Series(CANDLES.index.hour, dtype=float),
    "day_of_week": pd.Series(CANDLES.index.day_of_week, dtype=float),
    "day_of_month": pd.Series(CANDLES.index.day, dtype=float),
    "month": pd.Series(CANDLES.index.month, dtype=float),
    "quarter": pd.Series(CANDLES.index.quarter, dtype=float),
    "quarter_hour": pd.Series(CANDLES.index.hour * 4 + CANDLES.index.minute // 15, dtype=float),
    "tod_sin": pd.Series(
        np.sin(2 * np.pi * (CANDLES.index.hour * 60 + CANDLES.index.minute) / 1440)
    ),
}


def computed(name: str) -> tuple[np.ndarray, FeatureProgram]:
    program = FeatureProgram([name])
    return program.run(CANDLES, dtype=np.float64)[:, 0], program


@pytest.mark.parametrize("name", TALIB)
def test_indicators_equal_talib(name) -> None:
    values, program = computed(name)
    # KAMA's bound on forgetting is far beyond what these candles need.
    settled = min(program.settle, 1500) if name in STARTED_OTHERWISE else program.lookback
    tolerance = 1e-7 if name in STARTED_OTHERWISE else 1e-9
    expected = TALIB[name]
    assert np.isnan(expected[: program.lookback]).all() or name in STARTED_OTHERWISE
    size = np.abs(expected[settled:]).mean()
    np.testing.assert_allclose(
        values[settled:], expected[settled:], rtol=tolerance, atol=tolerance * size
    )


@pytest.mark.parametrize("name", PANDAS)
def test_features_equal_plain_pandas(name) -> None:
    values, program = computed(name)
    # In pandas the first day has no yesterday, and averages start with the first value.
    start = {"pivot_dist": 1440, "adosc_norm": program.settle}.get(name, program.lookback)
    expected = PANDAS[name].to_numpy()[start:]
    size = np.abs(expected).mean()
    np.testing.assert_allclose(values[start:], expected, rtol=1e-9, atol=1e-8 * size)


@pytest.mark.parametrize("when", ["2024-02-29T23:59Z", "2000-03-01T00:00Z", "2100-12-31T12:00Z"])
def test_the_calendar_knows_leap_years(when) -> None:
    stamp = pd.Timestamp(when)
    bar = {"timestamp": stamp, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 0}
    row = FeatureProgram(["day_of_month", "month", "quarter"]).push(bar)
    assert row.tolist() == [stamp.day, stamp.month, stamp.quarter]


def supertrend(end: int, bars: int = 100) -> float:
    """Return Supertrend's direction, as its author describes it, started `bars` back."""
    average = FeatureProgram(["atr_10"]).run(CANDLES, dtype=np.float64)[:, 0]
    direction, upper, lower = 1.0, np.inf, -np.inf
    for t in range(end - bars + 1, end + 1):
        high = (H[t] + L[t]) / 2 + 3 * average[t]
        low = (H[t] + L[t]) / 2 - 3 * average[t]
        first = t == end - bars + 1
        upper = high if first or high < upper or C[t - 1] > upper else upper
        lower = low if first or low > lower or C[t - 1] < lower else lower
        if not first and direction > 0 and C[t] < lower:
            direction = -1.0
        elif not first and direction < 0 and C[t] > upper:
            direction = 1.0
    return direction


def test_supertrend_follows_its_rules() -> None:
    values, program = computed("supertrend_dir_10_3")
    ends = range(program.lookback, len(C), 97)
    assert [supertrend(t) for t in ends] == [values[t] for t in ends]
    assert {*values[program.lookback :]} == {1.0, -1.0}


def test_patterns_are_found_where_they_were_drawn() -> None:
    """Twelve quiet bars, then the pattern."""
    quiet = [(100, 101, 99, 100.5), (100.5, 101, 99, 100)] * 6
    drawn = {
        "cdl_doji": [(100, 101, 99, 100.01)],
        "cdl_hammer": [(100, 100.21, 97, 100.2)],
        "cdl_shooting_star": [(100.2, 103, 99.99, 100)],
        "cdl_marubozu": [(100, 102, 100, 102)],
        "cdl_engulfing": [(100, 100, 99, 99.2), (99, 101, 99, 100.5)],
        "cdl_harami": [(102, 102, 98, 98), (99, 99.6, 99, 99.5)],
        "cdl_morning_star": [(102, 102, 98, 98), (98, 98.3, 97.8, 98.1), (98.2, 101, 98.2, 101)],
        "cdl_evening_star": [(98, 102, 98, 102), (102, 102.3, 101.8, 102.1), (102, 102, 99, 99)],
        "cdl_three_white_soldiers": [(9, 10, 9, 10), (10, 11, 10, 11), (11, 13, 11, 13)],
        "cdl_three_black_crows": [(104, 104, 102, 102), (102, 102, 101, 101), (101, 101, 99, 99)],
        "cdl_outside_bar": [(100, 103, 97, 101)],
        "cdl_piercing": [(101, 101, 99, 99), (98.5, 100.6, 98.5, 100.5)],
        "cdl_dark_cloud": [(99, 101, 99, 101), (101.5, 101.5, 99.4, 99.5)],
    }  # fmt: skip
    program = FeatureProgram(drawn)
    for name, bars in drawn.items():
        program.reset()
        for t, bar in enumerate([*quiet, *bars]):
            row = program.push((1_700_006_400_000 + 60_000 * t, *bar, 1.0))
            last = dict(zip(program.names, row, strict=True))
        assert last[name] == 1.0, name
