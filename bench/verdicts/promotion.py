"""Equals that swap: how often a turn promotes a line that is no better than the champion.

Each slot has a champion and k rivals, all equally good in the long run. Every twelve hours the
rivals' paired z against the champion over the ledger's window is asked for; the best that reaches
the threshold, shared among k by Šidák, takes the place if the champion has served its turns. What
lost goes on in shadow and is a rival from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.verdicts.batch import z_at
from bench.verdicts.series import HOURS, SLOTS, lines
from ml_pipeline.skill import LAG_SHARE
from orchestration.lifecycle.gates import z_of_many

Floats = NDArray[np.float64]

TURN = 12  # hours
TURNS = 2 * 365


@dataclass(frozen=True)
class Years:
    """Paired z of all lines of many slot-years.

    Attributes
    ----------
    z : float32[slot-years, turns, lines, lines]
        ``z[s, t, a, b]``: of line b against line a, on the window before turn t.
    """

    z: NDArray[np.float32]

    def among(self, count: int) -> Floats:
        """Return the z of the first `count` lines only."""
        return np.asarray(self.z[:, :, :count, :count])


def slot_years(
    seeds: Iterable[int],
    wander: float,
    windows: Iterable[int],
    most: int = 4,
    share: int = LAG_SHARE,
) -> dict[int, Years]:
    """Simulate a year of every slot for each seed; return it by the days of the ledger's window.

    `share` is that of `bench.verdicts.batch.z_at`.
    """
    windows = tuple(windows)
    warm = max(windows)
    ends = warm * HOURS + TURN * np.arange(1, TURNS + 1)
    upper = np.triu_indices(most, 1)
    found: dict[int, list[NDArray[np.float32]]] = {days: [] for days in windows}
    for seed in seeds:
        for place, horizon in enumerate(SLOTS.values()):
            rng = np.random.default_rng([seed, place, round(1000 * wander)])
            gains = lines(rng, most, 365 + warm, horizon, wander)
            ahead = gains[upper[1]] - gains[upper[0]]
            for days in windows:
                z = np.zeros((TURNS, most, most), dtype=np.float32)
                z[:, *upper] = z_at(ahead, ends, days * HOURS, horizon, share).T
                found[days].append(z - z.transpose(0, 2, 1))
    return {days: Years(np.stack(rows)) for days, rows in found.items()}


def swaps(z: Floats, z_promote: float, tenure: int) -> NDArray[np.int64]:
    """Return the promotions of each slot-year of equals; the ledger is long, so nothing is added.

    Parameters
    ----------
    z : float[slot-years, turns, lines, lines]
    z_promote : float
        Asked of one rival; of several, `z_of_many`.
    tenure : int
        Turns that a champion is given.
    """
    years, turns, count, _ = z.shape
    needed = z_of_many(z_promote, count - 1)
    every = np.arange(years)
    champion, served = np.zeros(years, dtype=np.int64), np.full(years, tenure)
    total = np.zeros(years, dtype=np.int64)
    for turn in range(turns):
        against = z[every, turn, champion]
        best = against.argmax(axis=1)
        passes = (against[every, best] >= needed) & (served >= tenure) & (best != champion)
        champion = np.where(passes, best, champion)
        served = np.where(passes, 1, served + 1)
        total += passes
    return total


def seed_rule(seeds: int, rivals: int, effective_rows: float = 1000.0) -> float:
    """Return the promotions a year over all slots of the rule ``new f1 > old f1``.

    Both figures are measured on holdouts of their own of two days, worth so many independent rows
    each, so among equals either is the larger by chance. The champion's figure is that of the turn
    that promoted it, or of the turn before: it is validated again each turn. Of several new models
    the best is compared.
    """
    rng = np.random.default_rng(seeds)
    sd = 0.5 / np.sqrt(effective_rows)
    measured = sd * rng.standard_normal((seeds, len(SLOTS), TURNS + 1, rivals + 1))
    new, old = measured[:, :, 1:, :-1].max(axis=3), measured[:, :, :-1, -1]
    return float((new > old).sum() / seeds)
