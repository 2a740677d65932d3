"""A useless learner and a baseline that serves: how often luck puts it into service, how long.

From a cold start a slot has the baseline and k learners whose true skill is nought, each with a
ledger that begins with `first_days`. A learner is promoted as in life; from then on its served
series is watched by HARM, and it gives way to the baseline where that says so, or where its line's
z over the window falls below a bound. The drift rules are left out: they look for a fall from what
was proven in service, and luck that brought it there is over by then (with rule B asked every day
an unearned champion served as long).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.verdicts.batch import z_at
from bench.verdicts.promotion import TURN, TURNS
from bench.verdicts.series import HOURS, SLOTS, lines
from orchestration.drift import Rules, Track
from orchestration.drift.harm import evidence
from orchestration.lifecycle.gates import z_needed
from orchestration.rules import Gates

Floats = NDArray[np.float64]

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Cold:
    """Slot-years from a cold start.

    Attributes
    ----------
    z : list of float64[learners, turns]
        Of each learner over the baseline, on its ledger so far.
    gains : list of float64[learners, hours]
        From the beginning of the ledgers.
    days : float64[turns]
        Days of ledger at each turn, up to the window.
    first_days : int
        Days of ledger at the first turn.
    """

    z: list[Floats]
    gains: list[Floats]
    days: Floats
    first_days: int
    horizons: list[float]


def cold_years(
    seeds: Iterable[int], learners: int, wander: float, window: int, first_days: int,
    edge: float = 0.0,
) -> Cold:  # fmt: skip
    """Simulate a year of every slot for each seed; `edge` as in `bench.verdicts.arrivals`."""
    days = np.minimum(first_days + np.arange(TURNS) * TURN / HOURS, window)
    found: tuple[list[Floats], list[Floats], list[float]] = ([], [], [])
    for seed in seeds:
        for place, horizon in enumerate(SLOTS.values()):
            rng = np.random.default_rng([seed, place, round(1000 * wander), 5])
            # The baseline is a line too: it has luck of its own, shared by all differences.
            gains = lines(rng, learners + 1, 365 + first_days, horizon, wander)
            ahead = gains[1:] - gains[0] + edge / np.sqrt(HOURS)
            ends = first_days * HOURS + TURN * np.arange(TURNS)
            z = np.empty((learners, TURNS))
            for long in np.unique(days):
                here = days == long
                z[:, here] = z_at(ahead, ends[here], round(long * HOURS), horizon)
            for kept, value in zip(found, (z, ahead, horizon), strict=True):
                kept.append(value)  # type: ignore[attr-defined]
    return Cold(*found[:2], days, first_days, found[2])


def serving(
    cold: Cold, z_promote: float, ledger_days: float, z_keep: float = -np.inf, tenure: int = 2
) -> Floats:
    """Return for each slot-year the share of turns that a learner served.

    Parameters
    ----------
    z_keep : float
        A champion whose line's z over the window falls below it gives way to the baseline.
    """
    rules = Rules()
    gates = Gates(z_promote=z_promote, ledger_days=ledger_days)
    needed = np.array([z_needed(d, gates, len(cold.z[0])) for d in cold.days])
    shares = []
    for z, gains, horizon in zip(cold.z, cold.gains, cold.horizons, strict=True):
        served, turn = 0, tenure
        while turn < TURNS:
            best = int(z[:, turn].argmax())
            if z[best, turn] < needed[turn]:
                turn += 1
                continue
            end = _end(z[best], gains[best], turn, cold.first_days, horizon, z_keep, rules)
            served += end - turn
            turn = end + 1
        shares.append(served / TURNS)
    return np.array(shares)


def _end(
    z: Floats, gain: Floats, begin: int, first_days: int, horizon: float, z_keep: float,
    rules: Rules,
) -> int:  # fmt: skip
    """Return the turn at which a learner that was promoted at `begin` gives way, or the last."""
    fallen = np.flatnonzero(z[begin + 1 :] < z_keep)
    last = begin + 1 + int(fallen[0]) if len(fallen) else TURNS
    hour = first_days * HOURS + TURN * begin
    own = gain[hour : first_days * HOURS + TURN * last]
    track = Track(np.arange(len(own)) * HOUR_MS, own, np.zeros(len(own)), np.zeros(len(own)))
    bars = max(1, round(horizon))
    ends, grown = evidence(track, HOUR_MS, bars)
    harmed = ends[grown >= rules.harm_evidence]
    if len(harmed):
        last = min(last, begin + 1 + int(harmed[0]) // (TURN * HOUR_MS))
    return last
