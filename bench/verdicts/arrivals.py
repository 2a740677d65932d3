"""A line that has just come: how soon a better one is found, how often an equal one by luck.

Its ledger begins with `first_days` (the holdout of its first version, or a back-fill) and grows by
twelve hours a turn. It faces a champion with a long ledger, so they share what the young one has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.verdicts.batch import z_at
from bench.verdicts.promotion import TURN
from bench.verdicts.series import HOURS, SLOTS, lines
from ml_pipeline.skill import LAG_SHARE
from orchestration.lifecycle.gates import z_needed
from orchestration.rules import Gates

Floats = NDArray[np.float64]

LOOKED = 28  # days after the arrival


@dataclass(frozen=True)
class Arrivals:
    """Paired z of newcomers at each turn since they came.

    Attributes
    ----------
    z : float64[newcomers, turns]
        The first turn is that of the arrival.
    days : float64[turns]
        Days of the ledger that it was judged on.
    """

    z: Floats
    days: Floats

    def found(self, z_promote: float, ledger_days: float, rivals: int) -> Floats:
        """Return the days from the arrival to the promotion, infinite where there is none."""
        gates = Gates(z_promote=z_promote, ledger_days=ledger_days)
        needed = np.array([z_needed(d, gates, rivals) for d in self.days])
        passes = self.z >= needed
        first = passes.argmax(axis=1) * TURN / HOURS
        return np.where(passes.any(axis=1), first, np.inf)


def arrivals(
    seed: int, count: int, edge: float, wander: float, window: int, first_days: int,
    horizons: tuple[float, ...] | None = None, before: float | None = None,
    share: int = LAG_SHARE,
) -> Arrivals:  # fmt: skip
    """Simulate newcomers, equally many in every slot.

    Parameters
    ----------
    edge : float
        Advantage over the champion: the z that a day of ledger gives on average (it grows with the
        square root of days); 0 for an equal.
    window : int
        Days of ledger that are judged.
    first_days : int
        Days of ledger that it comes with.
    horizons : tuple of float, optional
        Hours that labels overlap; those of all slots unless told.
    before : float, optional
        Advantage in the ledger that it came with; as `edge` unless told. With 0 it is an old rival
        that becomes better at the moment from which days are counted.
    share : int
        As of `bench.verdicts.batch.z_at`.
    """
    horizons = horizons or tuple(SLOTS.values())
    turns = LOOKED * HOURS // TURN + 1
    days = np.minimum(first_days + np.arange(turns) * TURN / HOURS, window)
    found = []
    for place, horizon in enumerate(horizons):
        rng = np.random.default_rng([seed, place, round(1000 * wander), 77])
        each = -(-count // len(horizons))
        span = first_days + LOOKED
        gains = np.stack(
            [np.diff(lines(rng, 2, span, horizon, wander), axis=0)[0] for _ in range(each)]
        )
        gains[:, first_days * HOURS :] += edge / np.sqrt(HOURS)
        gains[:, : first_days * HOURS] += (edge if before is None else before) / np.sqrt(HOURS)
        z = np.empty((each, turns))
        for turn, long in enumerate(days):
            end = first_days * HOURS + turn * TURN
            z[:, turn] = z_at(gains, np.array([end]), round(long * HOURS), horizon, share)[:, 0]
        found.append(z)
    return Arrivals(np.concatenate(found), days)
