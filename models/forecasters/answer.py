"""From rolled-out logs to prices, candles, intervals and confidence."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from features.rollout.kernel import CANDLE
from models.forecasters.cone import Cone

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """The bars to come after each of n starts.

    Attributes
    ----------
    price : float64 [n]
        Close of the starting bar.
    log_return : float64 [n, steps]
        ln(close of the k-th bar / price), shrunk.
    half_width : float64 [n, steps]
        Half the interval of that log return.
    confidence : float64 [n, steps]
        Probability that the sign of that log return is right, ½ … 1, for normal errors as wide as
        the interval.
    candle : float64 [n, steps, 4], optional
        Open, high, low, close of each bar, where whole candles are forecast.
    """

    price: Floats
    log_return: Floats
    half_width: Floats
    confidence: Floats
    candle: Floats | None = None

    @property
    def close(self) -> Floats:
        """Forecast closes [n, steps]."""
        return np.asarray(self.price[:, None] * np.exp(self.log_return))

    def frame(self, index: pd.Index) -> pd.DataFrame:
        """Return one row a start: a block of columns each for price (or candle), return and so on.

        ``predicted_price_1 …`` (or ``predicted_open_1 …``, ``_high_``, ``_low_``, ``_close_``),
        ``predicted_return_1 …`` (simple returns from the starting close), ``lower_1 …`` and
        ``upper_1 …`` (prices), ``confidence_1 …``, and ``confidence``, that of the last step.
        """
        price, up = self.price[:, None], self.log_return
        parts = {"price": self.close} if self.candle is None else self._candles()
        blocks = {f"predicted_{name}": block for name, block in parts.items()}
        blocks |= {
            "predicted_return": np.expm1(up),
            "lower": price * np.exp(up - self.half_width),
            "upper": price * np.exp(up + self.half_width),
            "confidence": self.confidence,
        }
        steps = range(1, up.shape[1] + 1)
        names = [f"{name}_{k}" for name in blocks for k in steps]
        values = np.concatenate([*blocks.values(), self.confidence[:, -1:]], axis=1)
        return pd.DataFrame(values, index=index, columns=[*names, "confidence"])

    def _candles(self) -> dict[str, Floats]:
        assert self.candle is not None
        names = ("open", "high", "low", "close")
        return {name: self.candle[:, :, i] for i, name in enumerate(names)}


def answer(cone: Cone, rolled: Floats, context: Floats, price: Floats, wick: float) -> Forecast:
    """Return what is forecast after `n` starts.

    Parameters
    ----------
    cone : Cone
        What is known of each horizon.
    rolled : float64 [n, steps, K]
        What `features.rollout` answered, K = 1 or 4.
    context : float64 [n, 6]
        Columns `models.forecasters.cone.CONTEXT` of the starting bars.
    price : float64 [n]
        Their closes.
    wick : float
        By how much wicks were lengthened where they were fed back.
    """
    bodies = rolled[:, :, :2].sum(axis=2) if rolled.shape[2] == CANDLE else rolled[:, :, 0]
    path = np.cumsum(bodies, axis=1)
    believed, half = cone.believed(path), cone.half_width(context)
    deviation = half / NormalDist().inv_cdf((1 + cone.level) / 2)
    sure = np.asarray(ndtr(np.abs(believed) / deviation))
    candle = None
    if rolled.shape[2] == CANDLE:
        opens = cone.believed(path - rolled[:, :, 1])
        candle = _candle(cone, rolled, context, price, (opens, believed), wick)
    return Forecast(price, believed, half, sure, candle)


def _candle(
    cone: Cone, rolled: Floats, context: Floats, price: Floats, path: tuple[Floats, Floats],
    wick: float,
) -> Floats:  # fmt: skip
    """Return candles [n, steps, 4] whose wicks make up the expected range; all are possible."""
    opens, closes = path
    up, down = wick * rolled[:, :, 2], wick * rolled[:, :, 3]
    wanted = cone.ranges(context, np.abs(rolled[:, :, 1]) + up + down)
    free = np.maximum(wanted - np.abs(closes - opens), 0.0)
    both = up + down
    share = np.divide(up, both, out=np.full_like(up, 0.5), where=both > 0)
    high = np.maximum(opens, closes) + free * share
    low = np.minimum(opens, closes) - free * (1 - share)
    logs = np.stack([opens, high, low, closes], axis=2)
    return np.asarray(price[:, None, None] * np.exp(logs))
