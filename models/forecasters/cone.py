"""How sure a forecast is, horizon by horizon: scale of returns, intervals, shrinkage, ranges.

Everything is known at the close of the bar that a forecast starts from: volatility over several
look-backs and the time of day, as in Corsi's HAR (2009), here per bar and in logs. What is fitted
at a grid of horizons is interpolated over ln k.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONTEXT = ("parkinson_20", "log_rv_15", "log_rv_60", "log_rv_240", "tod_sin", "tod_cos")
"""Features of the starting bar that `log_scales` reads."""
WEIGHTS = len(CONTEXT) + 1
LEAST_SCALE = 1e-6
"""No bar is taken to move less than a hundredth of a basis point."""

LOOKS = {"log_rv_15": 15, "log_rv_60": 60, "log_rv_240": 240}
"""Bars of each realised variance among them."""


def log_scales(context: Floats) -> Floats:
    """Return what scales are regressed on, [n, WEIGHTS]: 1, ln σ a bar by four looks, the hour.

    Parameters
    ----------
    context : float64 [n, 6]
        Columns `CONTEXT`.
    """
    floor = np.log(LEAST_SCALE)
    logs = [np.log(np.maximum(context[:, 0], LEAST_SCALE))]
    for column, bars in enumerate(LOOKS.values(), start=1):
        logs.append(np.maximum((context[:, column] - np.log(bars)) / 2, floor))
    return np.column_stack([np.ones(len(context)), *logs, context[:, 4:]])


def unit_of(context: Floats) -> Floats:
    """Return σ a bar, [n], as of the last 60 bars: the unit in which trees forecast."""
    return np.asarray(np.exp(log_scales(context)[:, 3]))


@dataclass(frozen=True)
class Cone:
    """What is known of each horizon.

    Attributes
    ----------
    horizons : int64 [G]
        The grid of horizons at which the rest was fitted, ascending, from 1 to the last step.
    scale : float64 [G, WEIGHTS]
        Weights of ln σ_k, the scale a bar of the return over k bars.
    quantile : float64 [G]
        `level` quantile of |return over k bars| / (σ_k √k).
    shrink : float64 [G]
        How far the rolled-out return is believed, 0 … 1.
    level : float
        Of the intervals.
    range_scale : float64 [G, WEIGHTS], optional
        Weights of the log of the expected range ln(high / low) of the k-th bar.
    range_weight, range_factor : float64 [G], optional
        Share of the rolled-out range in the forecast, and what it is multiplied with before.
    """

    horizons: NDArray[np.int64]
    scale: Floats
    quantile: Floats
    shrink: Floats
    level: float = 0.9
    range_scale: Floats | None = None
    range_weight: Floats | None = None
    range_factor: Floats | None = None

    @property
    def steps(self) -> int:
        """The last horizon."""
        return int(self.horizons[-1])

    def every(self, values: Floats) -> Floats:
        """Return values [G] or [G, W] of the grid for all steps, interpolated over ln k."""
        at, grid = np.log(np.arange(1, self.steps + 1)), np.log(self.horizons)
        if values.ndim == 1:
            return np.asarray(np.interp(at, grid, values))
        return np.stack([np.interp(at, grid, one) for one in values.T], axis=1)

    @cached_property
    def _steps(self) -> tuple[Floats, Floats, Floats]:
        root = np.sqrt(np.arange(1, self.steps + 1))
        return self.every(self.scale), self.every(self.quantile) * root, self.every(self.shrink)

    @cached_property
    def _ranges(self) -> tuple[Floats, Floats, Floats]:
        told = self.range_scale, self.range_weight, self.range_factor
        scale, weight, factor = (self.every(one) for one in told if one is not None)
        return scale, weight, factor

    def half_width(self, context: Floats) -> Floats:
        """Return half the interval of the log return over k bars, [n, steps]."""
        scale, quantile, _ = self._steps
        return np.asarray(np.exp(log_scales(context) @ scale.T) * quantile)

    def believed(self, path: Floats) -> Floats:
        """Return rolled-out log returns [n, steps] over k bars, shrunk."""
        return path * self._steps[2]

    def ranges(self, context: Floats, rolled: Floats) -> Floats:
        """Return the expected range ln(high / low) of each bar [n, steps], given the rolled-out."""
        scale, weight, factor = self._ranges
        expected = np.exp(log_scales(context) @ scale.T)
        return np.asarray((1 - weight) * expected + weight * factor * rolled)

    def as_dict(self) -> dict[str, Any]:
        """Return the cone as JSON can hold it."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        known = {name: array.tolist() for name, array in arrays.items() if array is not None}
        return {"level": self.level, **known}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Cone:
        """Return the cone that `as_dict` described."""
        arrays = {name: np.array(stored[name]) for name in _ARRAYS if name in stored}
        return cls(level=float(stored["level"]), **arrays)


_ARRAYS = (
    "horizons", "scale", "quantile", "shrink", "range_scale", "range_weight", "range_factor",
)  # fmt: skip
