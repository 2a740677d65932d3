"""Markets drawn at random: scales, ticks, outages, silent stretches, missing bars, spikes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tests.features.walks import beside, walk

Span = tuple[int, int]


@st.composite
def spans(draw: st.DrawFn, n: int, most: int, longest: int) -> list[Span]:
    """Draw a few stretches of bars."""
    starts = draw(st.lists(st.integers(1, n - 2), max_size=most))
    return [(first, min(n, first + draw(st.integers(1, longest)))) for first in starts]


@st.composite
def markets(draw: st.DrawFn, n: int, spikes: int = 2) -> pd.DataFrame:
    """Draw about n candles, at most so many with a spike, and all that features read beside."""
    seed = draw(st.integers(0, 10_000))
    candles = walk(n, seed, draw(spans(n, most=3, longest=n // 4)))
    tick = draw(st.sampled_from([0.0, 0.0, 0.01, 0.25, 2.0]))
    prices = candles.iloc[:, :4].to_numpy(copy=True)
    if tick:
        prices = np.maximum(np.round(prices / tick) * tick, tick)
    for bar in draw(st.lists(st.integers(0, n - 1), max_size=spikes)):
        prices[bar, 1] *= 1000.0  # a wick, as exchanges print them
    candles.iloc[:, :4] = prices * draw(st.sampled_from([1e-11, 1e-4, 1.0, 1.0, 1e3]))
    for first, end in draw(spans(n, most=2, longest=n // 4)):
        candles.iloc[first:end, 4] = 0.0
    candles["volume"] *= draw(st.sampled_from([1e-6, 1.0, 1e9]))
    kept = np.full(n, True)
    for first, end in draw(spans(n, most=3, longest=n // 10)):
        kept[first:end] = False
    return beside(candles, seed)[kept]
