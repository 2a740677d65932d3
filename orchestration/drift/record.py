"""The record of what served: gain and score bar by bar, and its windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.hac import MIN_TIMES
from ml_pipeline.skill import MeanEstimate, hac_mean, judging_lag

Floats = NDArray[np.float64]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# A window counts when at least this share of its bars is there.
_FULL = 0.8


@dataclass(frozen=True)
class Track:
    """What one slot's champion did, bar by bar, averaged over symbols.

    Attributes
    ----------
    ts
        Opening times of the bars in epoch milliseconds, int64[n], increasing; only bars whose
        outcome is known and that the baseline answered too.
    gain
        Loss of the baseline minus loss of the champion, float64[n]: positive is skill.
    score
        What the drop rules watch, float64[n]: share of hits where the kind has hits, else the
        relative gain ``(L_base - L_model) / (L_base + L_model)``.
    plain
        The baseline's own score, float64[n]: its share of hits, else nought.
    """

    ts: NDArray[np.int64]
    gain: Floats
    score: Floats
    plain: Floats

    def __len__(self) -> int:
        return len(self.ts)

    def part(self, start_ms: float, end_ms: float = math.inf) -> Track:
        """Return the bars opened in ``[start_ms, end_ms)``."""
        return self.where((self.ts >= start_ms) & (self.ts < end_ms))

    def where(self, keep: NDArray[np.bool_]) -> Track:
        """Return the bars that a mask keeps."""
        return Track(self.ts[keep], self.gain[keep], self.score[keep], self.plain[keep])

    def end_ms(self, step_ms: int) -> int:
        """Return when the last bar closed; nought for an empty record."""
        return int(self.ts[-1]) + step_ms if len(self) else 0

    def days(self, step_ms: int) -> float:
        """Return the span of the record in days."""
        return (self.end_ms(step_ms) - int(self.ts[0])) / DAY_MS if len(self) else 0.0


def whole(part: Track, window_ms: float, step_ms: int, horizon: int) -> Track | None:
    """Return a window if it holds enough bars to be judged as one, else None."""
    least = max(_FULL * window_ms / step_ms, 2 * judging_lag(horizon, len(part)), MIN_TIMES)
    return part if len(part) >= least else None


def estimate(values: Floats, horizon: int) -> MeanEstimate:
    """Return the mean of a series of overlapping labels, as `ml_pipeline.hac` estimates it."""
    return hac_mean(values, judging_lag(horizon, len(values)), horizon)


def fall(before: MeanEstimate, now: MeanEstimate) -> MeanEstimate:
    """Return by how much a mean fell from one window to a later one that does not touch it.

    Variances add, since the windows do not overlap. The live one knows less, so its freedom counts.
    """
    return MeanEstimate(
        mean=before.mean - now.mean,
        se=math.hypot(before.se, now.se),
        dof=now.dof,
        times=now.times,
        effective_n=now.effective_n,
    )
