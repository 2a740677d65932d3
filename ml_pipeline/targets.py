"""The labels of the kinds of model, forecasters included: the only code that looks ahead.

A row is a bar; it is decided on at the bar's *close*. Its label is a statement about the ``h`` bars
after it, the window ``(t, t + h]``, so it is known when the last of them has closed, at
``open + (h + 1) * bar length``. A label is NaN where the window is not complete: at the end of the
history, and where a bar is missing inside it. Definitions: JUDGING.md, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from market.timeframes import bars_in, timeframe_ms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DIRECTION_BARS = 5
MOMENTUM_BARS = 12


@dataclass(frozen=True)
class Prices:
    """What a label is computed from: opening times in epoch ms, and the prices as arrays."""

    ts: Ints
    high: Floats
    low: Floats
    close: Floats
    step: int

    @classmethod
    def of(cls, candles: pd.DataFrame, timeframe: str) -> Prices:
        """Return the arrays of a canonical candle frame."""
        return cls(
            ts=open_times(candles),
            high=candles["high"].to_numpy(np.float64),
            low=candles["low"].to_numpy(np.float64),
            close=candles["close"].to_numpy(np.float64),
            step=timeframe_ms(timeframe),
        )

    def whole(self, bars: int) -> NDArray[np.bool_]:
        """Return, for rows ``0 … n - bars - 1``, whether none of the next `bars` bars is missing.

        The test is on time, not on rows: times increase and lie on the grid, so a window of
        `bars` rows that spans exactly `bars` bar lengths has a bar on every step of it.
        """
        spans: Ints = self.ts[bars:] - self.ts[: len(self.ts) - bars]
        return np.equal(spans, bars * self.step)


@dataclass(frozen=True)
class Label:
    """One label: the kind it belongs to, its horizon, and the function that computes it.

    Attributes
    ----------
    name, kind : str
        Column name, and the kind of model that learns it.
    minutes, bars : int
        The horizon: minutes of clock time, or a number of bars where `minutes` is 0.
    compute : callable
        ``(prices, horizon in bars) -> float64[n]``, NaN where unknown.
    """

    name: str
    kind: str
    compute: Callable[[Prices, int], Floats]
    minutes: int = 0
    bars: int = 0

    def horizon(self, timeframe: str) -> int:
        """Return the horizon in bars of `timeframe`."""
        return bars_in(timeframe, self.minutes) if self.minutes else self.bars


def open_times(candles: pd.DataFrame) -> Ints:
    """Return the opening times of candles as epoch milliseconds, int64[n]."""
    index = pd.DatetimeIndex(candles.index)
    return np.asarray(index.as_unit("ms").asi8, dtype=np.int64)


def _known(prices: Prices, bars: int, values: Floats) -> Floats:
    """Return `values` of rows ``0 … n - bars - 1`` with NaN where the window is not complete."""
    label = np.full(len(prices.ts), np.nan)
    label[: len(values)] = np.where(prices.whole(bars), values, np.nan)
    return label


def log_return(prices: Prices, bars: int) -> Floats:
    """Return ``ln(P_{t+h} / P_t)``."""
    n = max(len(prices.ts) - bars, 0)
    return _known(prices, bars, np.log(prices.close[bars:] / prices.close[:n]))


def direction(prices: Prices, bars: int) -> Floats:
    """Return 1 where the close of ``t + h`` is above that of ``t``, 0 below, NaN where equal."""
    n = max(len(prices.ts) - bars, 0)
    before, after = prices.close[:n], prices.close[bars:]
    return _known(prices, bars, np.where(after == before, np.nan, (after > before) * 1.0))


def excursion(prices: Prices, bars: int) -> Floats:
    """Return the farthest that highs or lows go, ``max_k |ln(H or L_{t+k} / P_t)|``, k = 1 … h."""
    n = max(len(prices.ts) - bars, 0)
    if n == 0:
        return np.full(len(prices.ts), np.nan)
    top = sliding_window_view(prices.high[1:], bars).max(axis=1)
    bottom = sliding_window_view(prices.low[1:], bars).min(axis=1)
    close = prices.close[:n]
    return _known(
        prices, bars, np.maximum(np.abs(np.log(top / close)), np.abs(np.log(bottom / close)))
    )


def acceleration(prices: Prices, bars: int) -> Floats:
    """Return 1 where the next h bars go on, farther, where the last h went; else 0.

    With ``m_t = ln(P_t / P_{t-h})``: 1 if ``sign(m_t) (m_{t+h} - m_t) > 0``. NaN as well where one
    of the last h bars is missing. A price that did not move (m_t = 0) does not accelerate.
    """
    ahead = log_return(prices, bars)
    past = np.full(len(ahead), np.nan)
    past[bars:] = ahead[: max(len(ahead) - bars, 0)]
    label = (np.sign(past) * (ahead - past) > 0) * 1.0
    return np.where(np.isnan(past) | np.isnan(ahead), np.nan, label)


def realised_variance(prices: Prices, bars: int) -> Floats:
    """Return RV², the sum of the squared one-bar log returns of the next h bars."""
    n = max(len(prices.ts) - bars, 0)
    if n == 0:
        return np.full(len(prices.ts), np.nan)
    squares = np.square(np.diff(np.log(prices.close)))
    return _known(prices, bars, sliding_window_view(squares, bars).sum(axis=1))


def next_candle(candles: pd.DataFrame, timeframe: str) -> Floats:
    """Return the next bar as logs of ratios, float64 [n, 4]; NaN where it is missing.

    Gap ln(open / close before), body ln(close / open), upper wick ln(high / max(open, close)) and
    lower wick ln(min(open, close) / low): whatever they are, wicks not below nought make a
    possible candle.
    """
    prices, opened = Prices.of(candles, timeframe), candles["open"].to_numpy(np.float64)
    after, close = opened[1:], prices.close[1:]
    top, bottom = np.maximum(after, close), np.minimum(after, close)
    ratios = np.array(
        [after / prices.close[:-1], close / after, prices.high[1:] / top, bottom / prices.low[1:]]
    )
    return np.stack([_known(prices, 1, part) for part in np.log(ratios)], axis=1)


def mean_ahead(candles: pd.DataFrame, timeframe: str, what: Floats, window: range) -> Floats:
    """Return the mean of `what` [n] over the bars ``t + k`` for k in `window`, k >= 1; else NaN."""
    prices, last = Prices.of(candles, timeframe), window[-1]
    n = max(len(what) - last, 0)
    sums = np.concatenate([[0.0], np.cumsum(what)])
    first = window[0]
    means = (sums[last + 1 : last + 1 + n] - sums[first : first + n]) / len(window)
    return _known(prices, last, means) if n else np.full(len(what), np.nan)


LABELS: Mapping[str, Label] = MappingProxyType(
    {
        label.name: label
        for label in (
            Label("direction", "direction", direction, bars=DIRECTION_BARS),
            Label("risk_excursion", "risk", excursion, minutes=60),
            Label("price", "price", log_return, minutes=60),
            Label("momentum", "momentum", acceleration, bars=MOMENTUM_BARS),
            Label("rv_1h", "volatility", realised_variance, minutes=60),
            Label("rv_4h", "volatility", realised_variance, minutes=240),
        )
    }
)
"""Every label there is, by column name."""


def labels(candles: pd.DataFrame, timeframe: str) -> dict[str, Floats]:
    """Return every label of every bar.

    Parameters
    ----------
    candles : DataFrame
        Canonical candles of one symbol: UTC opening times, increasing and on the grid.
    timeframe : str
        Length of a bar.

    Returns
    -------
    dict of str to float64[n]
        By label name. ``direction`` and ``momentum`` are 1, 0 or NaN; ``price`` and
        ``risk_excursion`` are log returns; ``rv_1h`` and ``rv_4h`` are sums of squared log returns.
        NaN means unknown (or, for ``direction``, that the price did not move).
    """
    prices = Prices.of(candles, timeframe)
    return {name: label.compute(prices, label.horizon(timeframe)) for name, label in LABELS.items()}


def labels_of(kind: str) -> tuple[Label, ...]:
    """Return the labels that a kind learns, shortest horizon first.

    Raises
    ------
    KeyError
        No label belongs to that kind.
    """
    found = tuple(label for label in LABELS.values() if label.kind == kind)
    if not found:
        kinds = ", ".join(dict.fromkeys(label.kind for label in LABELS.values()))
        raise KeyError(f"no label for the kind {kind!r}; the kinds are {kinds}")
    return found


def horizon_bars(kind: str, timeframe: str) -> int:
    """Return the bars after which every label of a kind is known: what a split must purge.

    Examples
    --------
    >>> [horizon_bars(kind, "1m") for kind in ("direction", "risk", "volatility")]
    [5, 60, 240]
    """
    return max(label.horizon(timeframe) for label in labels_of(kind))


def known_ms(ts: Ints, horizon: int, timeframe: str) -> Ints:
    """Return when the labels of bars opened at `ts` are known: the close of bar ``t + horizon``."""
    return ts + (horizon + 1) * timeframe_ms(timeframe)
