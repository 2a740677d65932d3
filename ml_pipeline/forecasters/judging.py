"""A forecaster against the random walk, horizon by horizon, on bars that it has not seen.

Starts lie some bars apart and their horizons overlap; intervals and z count that (JUDGING.md 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.candles import as_candles, open_ms
from ml_pipeline.errors import JudgingError
from ml_pipeline.forecasters.horizons import JUDGED, LEVEL
from ml_pipeline.skill import Verdict, judge
from ml_pipeline.targets import Prices, log_return, mean_ahead
from models.forecasters.answer import Forecast
from models.forecasters.forecaster import Forecaster

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

RANGE_BARS = 60
"""Bars whose mean range is the naive forecast of every range to come."""


@dataclass(frozen=True)
class Horizon:
    """What was found at one horizon.

    Attributes
    ----------
    bars
        The horizon k.
    returns
        Squared error of the k-bar log return against no change: its skill is R²_OS(k).
    coverage
        Share of outcomes inside the interval.
    level
        What the interval promised.
    range
        Squared error of ln(high / low) of the k-th bar, relative to the naive forecast (the mean
        range of the last `RANGE_BARS` bars), against that; None where no candle is forecast.
    impossible
        Share of forecast candles, of all steps, whose high or low does not enclose them.
    """

    bars: int
    returns: Verdict
    coverage: float
    level: float
    range: Verdict | None = None
    impossible: float | None = None


@dataclass(frozen=True)
class Losses:
    """What one forecaster lost at one horizon, start by start [n]; NaN where no outcome is known.

    Attributes
    ----------
    bars, every
        The horizon, and bars from one start to the next.
    ts
        Opening times of the starting bars, epoch milliseconds.
    returns, naive
        Squared error of the log return, and of no change.
    inside
        1 where the outcome lies in the interval, else 0.
    ranges, naive_ranges
        Squared relative error of the range, and of the naive one; None without candles.
    wrong
        Share of impossible candles of each start; None without candles.
    """

    bars: int
    every: int
    ts: NDArray[np.int64]
    returns: Floats
    naive: Floats
    inside: Floats
    ranges: Floats | None = None
    naive_ranges: Floats | None = None
    wrong: Floats | None = None


def judge_forecaster(
    forecaster: Forecaster,
    data: pd.DataFrame,
    *,
    horizons: Sequence[int] = JUDGED,
    every: int = 10,
    seed: int = 0,
) -> list[Horizon]:
    """Return the verdict at each horizon up to the forecaster's last step.

    Parameters
    ----------
    data : pandas.DataFrame
        Candles later than those of training; the first `Forecaster.settle` only warm up.
    horizons : sequence of int
        Bars ahead.
    every : int
        Bars from one start to the next.
    seed : int
        Of the bootstrap.

    Raises
    ------
    TooFewOutcomes
        Too few starts whose outcome is known.
    JudgingError
        The candles begin before the end of training.
    """
    told = losses(forecaster, data, horizons=horizons, every=every)
    return [pooled([one], ["one"], forecaster.cone.level, seed) for one in told]


def losses(
    forecaster: Forecaster,
    data: pd.DataFrame,
    *,
    horizons: Sequence[int] = JUDGED,
    every: int = 10,
) -> list[Losses]:
    """Return the losses at each horizon, for `pooled`; parameters as of `judge_forecaster`."""
    candles = as_candles(data)
    through = forecaster.about.get("trained_through")
    if through is not None and candles.index[0] <= pd.Timestamp(through):
        raise JudgingError(
            f"these candles begin {candles.index[0].isoformat()} and training saw those up to "
            f"{through}; judge on later ones"
        )
    starts = forecaster.starts(candles, every)
    told = forecaster.forecast(candles, starts)
    scene = _Scene(candles, forecaster.timeframe, starts, every)
    return [scene.at(k, told) for k in horizons if k <= forecaster.steps]


def pooled(
    told: Sequence[Losses], symbols: Sequence[str], level: float = LEVEL, seed: int = 0
) -> Horizon:
    """Return one verdict on losses at one horizon, of several markets or stretches of time.

    Parameters
    ----------
    told, symbols
        Losses, and whose they are: at one time symbols are averaged, as they move together.
    level
        What the intervals promised.
    seed
        Of the bootstrap.
    """
    k, lag = told[0].bars, -(-told[0].bars // told[0].every)
    names = np.repeat(np.array(symbols), [len(one.ts) for one in told])
    ts = np.concatenate([one.ts for one in told])

    def verdict(loss: str, base: str) -> Verdict:
        model, naive = (np.concatenate([getattr(one, of) for one in told]) for of in (loss, base))
        return judge(ts, names, model, naive, lag, seed)

    returns = verdict("returns", "naive")
    coverage = float(np.nanmean(np.concatenate([one.inside for one in told])))
    wrong = [one.wrong for one in told if one.wrong is not None]
    if not wrong:
        return Horizon(k, returns, coverage, level)
    spread = verdict("ranges", "naive_ranges")
    return Horizon(k, returns, coverage, level, spread, float(np.concatenate(wrong).mean()))


@dataclass(frozen=True)
class _Scene:
    candles: pd.DataFrame
    timeframe: str
    starts: Rows
    every: int

    def at(self, k: int, told: Forecast) -> Losses:
        y = log_return(Prices.of(self.candles, self.timeframe), k)[self.starts]
        error = y - told.log_return[:, k - 1]
        inside = np.where(np.isnan(y), np.nan, np.abs(error) <= told.half_width[:, k - 1])
        ts = open_ms(self.candles)[self.starts]
        found = Losses(k, self.every, ts, np.square(error), np.square(y), inside)
        if told.candle is None:
            return found
        o, h, low, c = np.moveaxis(told.candle, 2, 0)
        wrong = (h < np.maximum(o, c)) | (low > np.minimum(o, c)) | ~(low > 0)
        ranges, naive = self._ranges(k, np.log(h[:, k - 1] / low[:, k - 1]))
        return replace(found, ranges=ranges, naive_ranges=naive, wrong=wrong.mean(axis=1))

    def _ranges(self, k: int, forecast: Floats) -> tuple[Floats, Floats]:
        high, low = (self.candles[side].to_numpy(np.float64) for side in ("high", "low"))
        ranges = np.log(high / low)
        naive = pd.Series(ranges).rolling(RANGE_BARS).mean().to_numpy()[self.starts]
        y = mean_ahead(self.candles, self.timeframe, ranges, range(k, k + 1))[self.starts]
        base = np.where(naive > 0, naive, np.nan)
        return np.square((y - forecast) / base), np.square((y - base) / base)
