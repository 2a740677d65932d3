"""What every feature keeps: no future, no memory of where history starts, no unit of money."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.catalogue import FEATURES
from features.model_set import MODEL_SET
from features.program import FeatureProgram
from tests.features.walks import beside, flat, frame
from tests.features.walks import walk as bare_walk

NAMES = tuple(FEATURES)
PROGRAM = FeatureProgram(NAMES)
SCALE_FREE = [j for j, name in enumerate(NAMES) if PROGRAM.units[name] == "–"]
REAL = Path(os.environ.get("TIDEWHEEL_REAL_CANDLES") or Path(__file__).parents[3] / "shared/data")
PRICES = ["open", "high", "low", "close"]


def walk(n: int, seed: int = 0, outages: Iterable[tuple[int, int]] = ()) -> pd.DataFrame:
    """Return a random walk with everything beside it."""
    return beside(bare_walk(n, seed, outages), seed)


def differing(a: np.ndarray, b: np.ndarray) -> list[str]:
    """Return the names of columns in which two results are not equal bit for bit."""
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    return [NAMES[j] for j in np.flatnonzero(~equal.all(axis=0))]


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return walk(2700, seed=2, outages=[(600, 700)])


@pytest.fixture(scope="module")
def values(candles: pd.DataFrame) -> np.ndarray:
    return PROGRAM.run(candles, dtype=np.float64)


@pytest.mark.parametrize("cut", [2100, 2399, 2560])
def test_dropping_the_future_changes_nothing(candles, values, cut) -> None:
    shortened = PROGRAM.run(candles.iloc[:cut], dtype=np.float64)
    assert differing(shortened, values[:cut]) == []


def test_another_future_changes_nothing(candles, values) -> None:
    cut = 2345
    other = candles.copy()
    other.iloc[cut:] = (walk(2700, seed=99) * 2).iloc[cut:]
    changed = PROGRAM.run(other, dtype=np.float64)
    assert differing(changed[:cut], values[:cut]) == []
    # The check above sees real changes: only what reads the clock alone stays as it was.
    still = [name for name in NAMES if name not in differing(changed, values)]
    assert {FEATURES[name].group for name in still} == {"time"}


@pytest.mark.parametrize(
    ("outages", "starts"),
    [
        ([], [777]),
        ([(3000, 3700), (6000, 6100), (6300, 6650), (8000, 8050)], [700, 3100, 3690]),
    ],
)
def test_where_history_starts_is_forgotten_after_settling(outages, starts) -> None:
    candles = walk(9000, seed=3, outages=outages)
    full = PROGRAM.run(candles, dtype=np.float64)
    for start in starts:
        late = PROGRAM.run(candles.iloc[start:], dtype=np.float64)
        for j, name in enumerate(NAMES):
            settle = PROGRAM.settles[name]
            error = np.abs(late[settle:, j] - full[start + settle :, j]).max()
            # 1e-9 of what a recursion began with, which may be some times its typical size.
            size = np.abs(full[PROGRAM.lookbacks[name] :, j])
            typical = np.median(size[size > 0]) if (size > 0).any() else 0.0
            assert error <= 1e-8 * typical, (name, start)


def test_a_shorter_settling_would_not_do() -> None:
    """The bound above is not idle: well before settling, recursions still remember."""
    candles = walk(9000, seed=3)
    full = PROGRAM.run(candles, dtype=np.float64)
    late = PROGRAM.run(candles.iloc[777:], dtype=np.float64)
    for name in ("ema_200", "adx_14", "rsi_28", "macd_pct"):
        j, third = NAMES.index(name), PROGRAM.settles[name] // 3
        assert np.abs(late[third, j] / full[777 + third, j] - 1) > 1e-8, name


@pytest.mark.parametrize("price", [2.0**-20, 2.0**11])
@pytest.mark.parametrize("volume", [2.0**-9, 2.0**17])
def test_scale_free_means_the_same_bits_in_other_units(candles, values, price, volume) -> None:
    scaled = candles.copy()
    scaled[PRICES] *= price
    scaled["volume"] *= volume
    changed = PROGRAM.run(scaled, dtype=np.float64)
    moved = differing(changed, values)
    assert [name for name in moved if PROGRAM.units[name] == "–"] == []
    assert "close" in moved
    assert "volume_sma_20" in moved
    price_units = [j for j, name in enumerate(NAMES) if PROGRAM.units[name] == "price"]
    assert np.array_equal(changed[:, price_units], values[:, price_units] * price, equal_nan=True)


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


def test_a_dead_market_gives_neutral_values() -> None:
    names = ("rsi_14", "stochrsi_14", "zscore_20", "mfi_14", "cci_20", "adx_14", "bb_percent_20",
             "volume_ratio_20", "close_to_vwap", "range_pos_20", "consecutive_candles")  # fmt: skip
    row = FeatureProgram(names).run(walk(2400, seed=5, outages=[(150, 2400)]))[-1]
    neutral = (50, 50, 0, 50, 0, 0, 0.5, 1, 0, 0.5, 0)
    assert dict(zip(names, row.tolist(), strict=True)) == dict(zip(names, neutral, strict=True))


def test_the_model_set_is_scale_free_and_large_enough() -> None:
    program = FeatureProgram(MODEL_SET)
    assert len(MODEL_SET) == len(set(MODEL_SET)) >= 80
    assert set(program.units.values()) == {"–"}
    assert program.settle == 2880  # two days of 1m: yesterday's pivots


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real candles in {REAL}")
def test_the_model_set_varies_and_does_not_repeat_itself() -> None:
    program = FeatureProgram(MODEL_SET)
    likeness = []
    for symbol in ("BTC-USDT", "ETH-USDT", "XRP-USDT"):
        values = program.run(pd.read_parquet(REAL / f"{symbol}_1m.parquet"))[program.settle :]
        assert (values.std(axis=0) > 0).all()
        likeness.append(np.abs(np.corrcoef(values.T)) - np.eye(len(MODEL_SET)))
    assert np.mean(likeness, axis=0).max() < 0.97
