"""What every feature keeps: no future, no memory of where history starts, no unit of money."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from features.catalogue import FEATURES
from features.model_set import MODEL_SET
from features.program import FeatureProgram
from tests.features.markets import markets
from tests.features.walks import beside
from tests.features.walks import walk as bare_walk

NAMES = tuple(FEATURES)
PROGRAM = FeatureProgram(NAMES)
REAL = Path(os.environ.get("TIDEWHEEL_REAL_CANDLES") or Path(__file__).parents[3] / "shared/data")
PRICES = ["open", "high", "low", "close"]


def walk(n: int, seed: int = 0, outages: Iterable[tuple[int, int]] = ()) -> pd.DataFrame:
    """Return a random walk with everything beside it."""
    return beside(bare_walk(n, seed, outages), seed)


def differing(a: np.ndarray, b: np.ndarray) -> list[str]:
    """Return the names of columns in which two results are not equal bit for bit."""
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    return [NAMES[j] for j in np.flatnonzero(~equal.all(axis=0))]


def forgets(candles: pd.DataFrame, start: int) -> list[str]:
    """Return the features that still know, once settled, where their history started."""
    full = PROGRAM.run(candles, dtype=np.float64)
    late = PROGRAM.run(candles.iloc[start:], dtype=np.float64)
    found = []
    for j, name in enumerate(NAMES):
        settle = PROGRAM.settles[name]
        error = np.abs(late[settle:, j] - full[start + settle :, j]).max()
        # 1e-9 of what a recursion began with, and that may be the largest value there is.
        size = np.abs(full[PROGRAM.lookbacks[name] :, j])
        if not error <= 1e-9 * size.max():
            found.append(f"{name}: {error:.2g}, at most {size.max():.2g}")
    return found


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
    for start in starts:
        assert forgets(candles, start) == [], start


@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(markets(9800, spikes=0), st.integers(1, 1700))
def test_where_history_starts_is_forgotten_on_any_market(candles, start) -> None:
    """Outages, silent stretches and missing bars, wherever they fall."""
    assert forgets(candles, start) == []


def test_a_shorter_settling_would_not_do() -> None:
    """The bound above is not idle: well before settling, recursions still remember."""
    candles = walk(9000, seed=3)
    full = PROGRAM.run(candles, dtype=np.float64)
    late = PROGRAM.run(candles.iloc[777:], dtype=np.float64)
    for name in ("ema_200", "adx_14", "rsi_28", "macd_pct"):
        j, early = NAMES.index(name), PROGRAM.settles[name] // 6
        assert np.abs(late[early, j] / full[777 + early, j] - 1) > 1e-8, name


@pytest.mark.parametrize("price", [2.0**-40, 2.0**11])
@pytest.mark.parametrize("volume", [2.0**-9, 2.0**40])
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
