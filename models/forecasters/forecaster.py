"""A forecaster as it runs: columns, trees, cone; over histories, or bar by bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import Bar, bar_numbers
from features.program import FeatureProgram
from features.rollout.forest import Forest
from features.rollout.lightgbm_text import read_trees
from features.rollout.rollout import Rollout
from market.candles import as_candles
from models.common.errors import FeatureError
from models.forecasters.answer import Forecast, answer
from models.forecasters.cone import CONTEXT, Cone, unit_of

Floats = NDArray[np.float64]

AUTOREGRESSIVE, MULTI_OHLC = "autoregressive", "multi_ohlc"
SUMS: Mapping[str, tuple[str, ...]] = {
    AUTOREGRESSIVE: ("return",),
    MULTI_OHLC: ("open", "close", "high", "low"),
}
"""By type of forecaster, what its boosters forecast, in the order of a rollout's sums."""


@dataclass(frozen=True)
class Forecaster:
    """What answers; nothing in it can be trained.

    Parameters
    ----------
    type : str
        One of `SUMS`.
    timeframe : str
        Length of a bar.
    columns : tuple of str
        Features that the trees read; they are computed of forecast candles too.
    texts : mapping of str to str
        Each booster in LightGBM's text form, by the names of `SUMS`.
    cone : Cone
        What is known of each horizon.
    wick : float
        By how much wicks are lengthened where they are fed back.
    about : mapping
        Whatever else is to be known: metrics, when, on what data.
    """

    type: str
    timeframe: str
    columns: tuple[str, ...]
    texts: Mapping[str, str]
    cone: Cone
    wick: float = 1.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many bars ahead it forecasts."""
        return self.cone.steps

    @cached_property
    def rollout(self) -> Rollout:
        """The compiled loop; made at its first use."""
        sums = [read_trees(self.texts[name]) for name in SUMS[self.type]]
        forest = Forest.of(sums, len(self.columns))
        return Rollout(FeatureProgram(self.columns, self.timeframe), forest, self.wick)

    @cached_property
    def context(self) -> FeatureProgram:
        """What is read of the starting bar alone; it is not rolled out."""
        return FeatureProgram(CONTEXT, self.timeframe)

    @property
    def settle(self) -> int:
        """Bars that a history must have before the first start."""
        return max(self.rollout.program.settle, self.context.settle)

    def starts(self, candles: pd.DataFrame, every: int | None = None) -> NDArray[np.int64]:
        """Return the rows to start from: the last, or each `every`-th that has settled.

        Raises
        ------
        FeatureError
            Too few candles for one.
        """
        if len(candles) <= self.settle:
            raise FeatureError(
                f"a forecast needs {self.settle + 1} bars of {self.timeframe}, and here are "
                f"{len(candles)}; fetch more"
            )
        last = len(candles) - 1
        if every is None:
            return np.array([last])
        return np.arange(self.settle + (last - self.settle) % every, last + 1, every)

    def forecast(
        self, candles: pd.DataFrame, starts: NDArray[np.int64], rolled: Floats | None = None
    ) -> Forecast:
        """Return the forecasts made at the closes of the rows `starts`, on all cores.

        Parameters
        ----------
        candles : pandas.DataFrame
            Canonical candles.
        starts : int64 [n]
            Ascending, `settle` bars before them.
        rolled : float64 [n, steps, K], optional
            What `roll` returned for them, if it was asked before.
        """
        context = self._context(candles, starts)
        if rolled is None:
            rolled = self.rollout.many(candles, starts, unit_of(context), self.steps)
        price = candles["close"].to_numpy(np.float64)[starts]
        return answer(self.cone, rolled, context, price, self.wick)

    def roll(self, candles: pd.DataFrame, starts: NDArray[np.int64]) -> Floats:
        """Return the bare rollouts [n, steps, K], before the cone."""
        units = unit_of(self._context(candles, starts))
        return self.rollout.many(candles, starts, units, self.steps)

    def _context(self, candles: pd.DataFrame, starts: NDArray[np.int64]) -> Floats:
        values = self.context.fork().run(candles, dtype=np.float64)[starts]
        return np.asarray(values, dtype=np.float64)

    def predict(self, data: pd.DataFrame, every: int | None = None) -> pd.DataFrame:
        """Return forecasts after the last candle, or after each `every`-th; see `Forecast.frame`.

        Parameters
        ----------
        data : pandas.DataFrame
            Candles in any shape that `market.candles.as_candles` accepts.
        every : int, optional
            Forecast from each so-many-th bar that has its look-back, the last included.

        Returns
        -------
        pandas.DataFrame
            Indexed by the opening time of the bar at whose close the forecast is made.
        """
        candles = as_candles(data)
        starts = self.starts(candles, every)
        return self.forecast(candles, starts).frame(candles.index[starts])

    def live(self, candles: pd.DataFrame) -> LiveForecaster:
        """Return a forecaster that has seen these candles and takes further ones bar by bar."""
        return LiveForecaster(self, as_candles(candles))


class LiveForecaster:
    """Programs that take closed bars one by one, and a forecast whenever it is asked for.

    Parameters
    ----------
    forecaster : Forecaster
        Shared, never changed.
    candles : pandas.DataFrame
        Canonical candles to begin with, more than `Forecaster.settle`.
    """

    def __init__(self, forecaster: Forecaster, candles: pd.DataFrame) -> None:
        (last,) = forecaster.starts(candles)
        self.forecaster = forecaster
        self._program = forecaster.rollout.program.fork()
        self._context = forecaster.context.fork()
        self._row = self._program.run(candles)[-1]
        self._scale = self._context.run(candles, dtype=np.float64)[-1]
        opened = pd.DatetimeIndex(candles.index).as_unit("ms").asi8[last]
        prices = candles[["open", "high", "low", "close", "volume"]].to_numpy(np.float64)[last]
        self._latest = np.array([opened, *prices])

    def push(self, bar: Bar) -> None:
        """Take one closed bar.

        Raises
        ------
        features.errors.BadBar
            It cannot be true, or is not later than the one before.
        """
        latest = np.array(bar_numbers(bar))
        self._row = self._program.push(latest.tolist())
        self._scale = self._context.take(latest[None])[0]
        self._latest = latest

    def roll(self) -> Floats:
        """Return the bare rollout [steps, K]: fork, 300 steps of features and trees."""
        unit = float(unit_of(self._scale[None])[0])
        steps = self.forecaster.steps
        return self.forecaster.rollout.one(self._program, self._row, self._latest, unit, steps)

    def forecast(self) -> Forecast:
        """Return what is forecast after the latest bar."""
        one, price = self.forecaster, self._latest[4:5]
        return answer(one.cone, self.roll()[None], self._scale[None], price, one.wick)
