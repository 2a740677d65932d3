"""Events: what counts as one at each bar, where a kind says how likely an event is.

What calls itself an event is learnt: the training days' largest moves, which differ from turn to
turn. A probability was said of the event of then. Weighed against that of another week it is out of
calibration, every line and the baseline with it, and weeks of differences say little. So the
baseline that answered at a bar decides what was an event there, for all lines alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.tasks import EVENT_THRESHOLD

Floats = NDArray[np.float64]
Heads = tuple[Mapping[str, Any], ...]

CAME = 0.5
"""Threshold of a label that is 1 where the event came and 0 where it did not."""


def as_events(
    outcome: Floats, heads: Sequence[Mapping[str, Any]], said: NDArray[np.int64], bar: NDArray[Any]
) -> tuple[Floats, Heads]:
    """Return outcomes as 1 or 0, by the event of each bar, and the heads that read them.

    Of kinds without events both are as they were.

    Parameters
    ----------
    outcome
        Of each row, float64 [n, L]; NaN where unknown.
    heads
        Of each version, the freshest last.
    said
        Version of the baseline that answered at each bar, int64 [bars]; -1 where none did: there
        the event of the freshest version that knows one counts.
    bar
        Of each row, int64 [n].
    """
    levels = np.array([float(head.get(EVENT_THRESHOLD, np.nan)) for head in heads])
    known = levels[np.isfinite(levels)]
    if not len(known):
        return outcome, tuple(heads)
    level = np.where(said >= 0, levels[said], np.nan)
    level = np.where(np.isfinite(level), level, known[-1])[bar][:, None]
    came = np.where(np.isfinite(outcome), outcome >= level, np.nan)
    return came, tuple({**head, EVENT_THRESHOLD: CAME} for head in heads)
