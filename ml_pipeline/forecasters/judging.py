"""A forecaster against the random walk, horizon by horizon, on bars that it has not seen.

Starts lie some bars apart and their horizons overlap; intervals and z count that (JUDGING.md 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.candles import as_candles, open_ms
from ml_pipeline.errors import JudgingError
from ml_pipeline.forecasters.horizons import JUDGED
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
    candles = as_candles(data)
    through = forecaster.about.get("trained_through")
    if through is not None and candles.index[0] <= pd.Timestamp(through):
        raise JudgingError(
            f"these candles begin {candles.index[0].isoformat()} and training saw those up to "
            f"{through}; judge on later ones"
        )
    starts = forecaster.starts(candles, every)
    told = forecaster.forecast(candles, starts)
    scene = _Scene(candles, forecaster.timeframe, starts, every, seed)
    level = forecaster.cone.level
    return [scene.at(k, told, level) for k in horizons if k <= forecaster.steps]


@dataclass(frozen=True)
class _Scene:
    candles: pd.DataFrame
    timeframe: str
    starts: Rows
    every: int
    seed: int

    def at(self, k: int, told: Forecast, level: float) -> Horizon:
        y = log_return(Prices.of(self.candles, self.timeframe), k)[self.starts]
        forecast, half = told.log_return[:, k - 1], told.half_width[:, k - 1]
        known = ~np.isnan(y)
        inside = np.abs(y - forecast)[known] <= half[known]
        returns = self._verdict(k, np.square(y - forecast), np.square(y))
        if told.candle is None:
            return Horizon(k, returns, float(inside.mean()), level)
        o, h, low, c = np.moveaxis(told.candle, 2, 0)
        wrong = (h < np.maximum(o, c)) | (low > np.minimum(o, c)) | ~(low > 0)
        spread = self._spread(k, np.log(h[:, k - 1] / low[:, k - 1]))
        return Horizon(k, returns, float(inside.mean()), level, spread, float(wrong.mean()))

    def _spread(self, k: int, forecast: Floats) -> Verdict:
        high, low = (self.candles[side].to_numpy(np.float64) for side in ("high", "low"))
        ranges = np.log(high / low)
        naive = pd.Series(ranges).rolling(RANGE_BARS).mean().to_numpy()[self.starts]
        y = mean_ahead(self.candles, self.timeframe, ranges, range(k, k + 1))[self.starts]
        base = np.where(naive > 0, naive, np.nan)
        return self._verdict(k, np.square((y - forecast) / base), np.square((y - base) / base))

    def _verdict(self, k: int, loss: Floats, base: Floats) -> Verdict:
        ts = open_ms(self.candles)[self.starts]
        one = np.zeros(len(ts), dtype=np.int64)
        return judge(ts, one, loss, base, -(-k // self.every), self.seed)
