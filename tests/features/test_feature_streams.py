"""One stream of bars, however it is cut: pieces, single bars, forks, checkpoints, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from features.catalogue import FEATURES
from features.errors import BadBar
from features.program import FeatureProgram
from market.errors import BadCandles
from tests.features.markets import markets
from tests.features.walks import beside, records, walk

NAMES = tuple(FEATURES)
BARS = 420
PROGRAM = FeatureProgram(NAMES)
EXTRAS = PROGRAM.inputs
# Not shrunk: a failing market is told by its seed, and to shrink one takes minutes.
FEW = settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate])
SIZES = (1, 7, 64, 333, 1024, 10_000)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def cut(n: int, sizes: list[int]) -> list[tuple[int, int]]:
    """Return pieces of these sizes, again and again, that cover n bars."""
    pieces, start, turn = [], 0, 0
    while start < n:
        size = sizes[turn % len(sizes)]
        pieces.append((start, min(n, start + size)))
        start, turn = start + size, turn + 1
    return pieces


@FEW
@given(markets(BARS), st.lists(st.sampled_from(SIZES), min_size=1, max_size=6))
def test_bars_in_any_mixture_give_the_bits_of_history(candles, sizes) -> None:
    """A piece of 1 is pushed; after each piece a fork or a checkpoint takes over by turns."""
    whole = FeatureProgram(NAMES).run(candles)
    bars = records(candles, EXTRAS)
    program = FeatureProgram(NAMES)
    for turn, (first, end) in enumerate(cut(len(candles), sizes)):
        if end - first == 1:
            rows = program.push(bars[first])[np.newaxis]
        else:
            rows = program.extend(candles.iloc[first:end])
        assert same(rows, whole[first:end]), (first, end)
        if turn % 7 == 2:
            left, program = program, program.fork()
            left.reset()
        elif turn % 7 == 5:
            program = FeatureProgram.from_bytes(program.to_bytes())


@FEW
@given(markets(BARS), st.data())
def test_a_copy_in_mid_stream_is_not_the_original(candles, data) -> None:
    """What a fork or a restored program goes through does not reach the one it came from."""
    at = data.draw(st.integers(1, len(candles) - 20))
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[:at])
    kept = program.to_bytes()
    copies = [program.fork(), FeatureProgram.from_bytes(kept)]
    rows = [copy.extend(candles.iloc[at:]) for copy in copies]
    assert same(*rows)
    assert program.to_bytes() == kept
    assert program.seen == at
    assert same(program.extend(candles.iloc[at:]), rows[0])


COLUMN = {"open": 0, "high": 1, "low": 2, "close": 3, "volume": 4}


@pytest.mark.parametrize("column", COLUMN)
@pytest.mark.parametrize("way", ["extend", "push", "run"])
def test_a_bar_with_nan_is_refused_and_leaves_no_trace(column, way) -> None:
    candles = beside(walk(900, seed=8, outages=[(300, 360)]), seed=8)
    whole = FeatureProgram(NAMES).run(candles)
    holed = candles.iloc[500:700].copy()
    holed.iloc[100, COLUMN[column]] = np.nan
    program = FeatureProgram(NAMES)
    program.run(candles.iloc[:500])
    before = program.to_bytes()
    if way == "push":
        with pytest.raises(BadBar, match=r"finite numbers") as refused:
            program.push(records(holed, EXTRAS)[100])
    else:
        with pytest.raises(BadCandles, match=r"1 hold values that cannot be") as refused:
            getattr(program, way)(holed)
    assert "repair" in str(refused.value) or "nan" in str(refused.value)
    assert program.to_bytes() == before
    assert same(program.extend(candles.iloc[500:]), whole[500:])


@FEW
@given(markets(BARS))
def test_nothing_after_a_bar_reaches_its_row(candles) -> None:
    whole = PROGRAM.run(candles, dtype=np.float64)
    for at in (1, len(candles) // 3, len(candles) - 5):
        other = candles.copy()
        other.iloc[at:, :5] = np.array([3.0, 4.0, 2.0, 2.5, 7e3]) * candles["close"].iloc[at]
        other.iloc[at:, 5:] = [123.0, np.nan]
        assert same(PROGRAM.run(other, dtype=np.float64)[:at], whole[:at])
        assert same(PROGRAM.run(candles.iloc[:at], dtype=np.float64), whole[:at])


@FEW
@given(markets(BARS))
def test_numbers_are_finite_once_there_are_any(candles) -> None:
    values = PROGRAM.run(candles)
    for j, name in enumerate(NAMES):
        assert np.isfinite(values[PROGRAM.lookbacks[name] :, j]).all(), name
        assert np.isnan(values[: PROGRAM.lookbacks[name], j]).all(), name


@FEW
@given(markets(BARS), st.integers(-40, 40), st.integers(-40, 40), st.integers(-40, 40))
def test_other_units_leave_scale_free_features_as_they_are(candles, k, j, i) -> None:
    """Prices, volumes and the benchmark times powers of two: no bit of a ratio changes."""
    scales = [2.0**k] * 4 + [2.0**j, 2.0**i, 1.0]
    values = PROGRAM.run(candles, dtype=np.float64)
    scaled = PROGRAM.run(candles * scales, dtype=np.float64)
    factor = {"–": 1.0, "price": 2.0**k, "volume": 2.0**j}
    for column, name in enumerate(NAMES):
        expected = values[:, column] * factor[PROGRAM.units[name]]
        assert same(scaled[:, column].copy(), expected), name
