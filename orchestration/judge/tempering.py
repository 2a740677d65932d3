"""Lines of a kind judged by QLIKE beside each other, the largest surprises tempered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.skill import LEVEL, paired_mean
from ml_pipeline.tasks import TASKS
from ml_pipeline.tempered import tempered_difference
from orchestration.judge.lines import Line, Lines, as_panel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tempered:
    """How far one line is ahead of another, the largest surprises tempered.

    Attributes
    ----------
    z
        Of the mean tempered difference.
    lower
        Lower end of its 95 % interval, as a part of the other's mean loss.
    """

    z: float
    lower: float


def tempered(lines: Lines, line: Line, other: Line) -> Tempered | None:
    """Compare two lines as `ml_pipeline.tempered` does; None for kinds with another loss.

    Raises
    ------
    TooFewOutcomes
        As `ml_pipeline.skill.paired_mean` does.
    """
    task = TASKS[lines.slot.kind]
    if task.loss != "qlike":
        return None
    both = line.known & other.known
    y = task.y(as_panel(lines.slot, lines.outcome[both]), {})
    ahead = np.full(both.shape, np.nan)
    ahead[both] = tempered_difference(y, other.raw[both], line.raw[both])
    at = both.any(axis=1)
    loss = _mean(other.loss[at], both[at])
    horizon = task.horizon_bars(lines.slot.timeframe)
    found = paired_mean(_mean(ahead[at], both[at]), loss, horizon)
    return Tempered(z=found.z, lower=found.bounds(LEVEL)[0] / float(loss.mean()))


def _mean(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return the mean over the symbols that are known, at each time."""
    return np.asarray(np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1))
