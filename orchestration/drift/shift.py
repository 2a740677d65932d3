"""Which features have moved since a model was trained: advice for people, never a verdict.

PSI on the training rows' own deciles, ``Σ (p - q) ln(p / q)`` with half a row added to every bin
(Siddiqi 2006 calls .1 a little and .25 a lot); beside it the Kolmogorov-Smirnov distance, the
largest gap between the two distribution functions. Bars of a day are not independent, so neither
has a p-value here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
SHOWN = 5


@dataclass(frozen=True)
class Shift:
    """How far one feature moved: PSI, the KS distance, and its medians then and now."""

    feature: str
    psi: float
    ks: float
    median_before: float
    median_now: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name, rounded to what can be read."""
        return {
            name: value if isinstance(value, str) else float(f"{value:.4g}")
            for name, value in asdict(self).items()
        }


def shifted(
    names: Sequence[str],
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    count: int = SHOWN,
) -> list[Shift]:
    """Return the features that moved most, the farthest first.

    Parameters
    ----------
    names
        Of the columns.
    before, now
        Training rows and the last day's, float32[n, F] and [m, F]. Values that are no numbers are
        left out; a column without any, or without spread in training, has no bins and is passed
        over.
    count
        How many.
    """
    found = []
    for column, name in enumerate(names):
        then, late = _numbers(before[:, column]), _numbers(now[:, column])
        if len(then) < BINS or not len(late) or not then[0] < then[-1]:
            continue
        medians = float(np.median(then)), float(np.median(late))
        found.append(Shift(name, psi(then, late), ks(then, late), *medians))
    return sorted(found, key=lambda shift: (-shift.psi, shift.feature))[:count]


def psi(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the population stability index of `now` on the deciles of sorted `before`."""
    edges = np.unique(np.quantile(before, np.arange(1, BINS) / BINS))
    p, q = (_shares(values, edges) for values in (now, before))
    return float(np.sum((p - q) * np.log(p / q)))


def ks(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the largest gap between two empirical distribution functions; both sorted."""
    points = np.concatenate([before, now])
    gaps = np.searchsorted(before, points, "right") / len(before)
    gaps -= np.searchsorted(now, points, "right") / len(now)
    return float(np.abs(gaps).max())


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    bins = len(edges) + 1
    counts = np.bincount(np.searchsorted(edges, values, "right"), minlength=bins)
    return np.asarray((counts + 0.5) / (len(values) + 0.5 * bins), dtype=np.float64)


def _numbers(column: NDArray[np.float32]) -> NDArray[np.float64]:
    values = np.asarray(column, dtype=np.float64)
    return np.sort(values[np.isfinite(values)])
