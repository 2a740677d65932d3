"""False alarms and real losses of skill: the drift verdict on ledgers whose truth is known.

A model of the direction of five bars is right in .55 of the cases; the accuracy of each day wanders
about that. After three weeks of ledger a week is watched, in which nothing happens, or at whose
beginning the skill is gone (.50) or turns round (.45). The verdict is asked for every twelve hours,
its rule HARM every hour, with the project's own `orchestration.drift.assess`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.verdicts.bars import DAY, HORIZON, log_loss, path, said
from bench.verdicts.batch import z_at
from orchestration.drift import DRIFT, HARM, Rules, Track, assess
from orchestration.drift.harm import evidence

Floats = NDArray[np.float64]

SOUND = 0.55
BEFORE, WATCHED = 21, 7
"""Days of ledger before the week that is watched, and of that week."""
STEP_MS = 60_000
HOUR = 60


@dataclass(frozen=True)
class Week:
    """One slot-week: what the ledger holds, and how often the model was right in its backtest."""

    track: Track
    backtest: float

    def until(self, bar: int) -> Track:
        """Return the ledger as it is known before a bar closes: younger outcomes are open."""
        end = bar - HORIZON
        t = self.track
        return Track(t.ts[:end], t.gain[:end], t.score[:end], t.plain[:end])


def week(rng: np.random.Generator, sound: float, after: float, wander: float, symbols: int) -> Week:
    """Simulate a slot-week.

    Parameters
    ----------
    sound, after : float
        Accuracy before the week that is watched, and in it.
    wander : float
        Standard deviation of a day's accuracy about its mean.
    symbols : int
        How many are pooled.
    """
    days = np.full(2 + BEFORE + WATCHED, sound)
    days[-WATCHED:] = after
    days += wander * rng.standard_normal(len(days))
    whole = path(rng, days, symbols)
    p = said(whole.signal, sound)
    hits = ((p > 0.5) == whole.up).mean(axis=1)
    gain = (np.log(2.0) - log_loss(p, whole.up)).mean(axis=1)
    held, ledger = slice(0, 2 * DAY), slice(2 * DAY, None)  # the backtest is a holdout of two days
    ts = STEP_MS * np.arange(len(gain) - 2 * DAY, dtype=np.int64)
    plain = whole.up[ledger].mean(axis=1)
    return Week(Track(ts, gain[ledger], hits[ledger], plain), float(hits[held].mean()))


def alarm_ours(one: Week, rules: Rules) -> tuple[float, tuple[str, ...]]:
    """Return the hour of the first DRIFT or HARM (infinite if none), and the rules that fired."""
    begin = BEFORE * DAY
    harm = harm_hour(one, rules)
    for hour in range(12, WATCHED * 24 + 1, 12):
        if harm <= hour:
            break
        verdict = assess(one.until(begin + hour * HOUR), STEP_MS, HORIZON, rules)
        if verdict.status in (DRIFT, HARM):
            return float(hour), tuple(rule for rule in verdict.rules if rule != "warn")
    return harm, ("harm",) if np.isfinite(harm) else ()


def harm_hour(one: Week, rules: Rules) -> float:
    """Return the first hour in which the evidence of harm suffices; it is looked at every hour."""
    ends, grown = evidence(one.track, STEP_MS, HORIZON)
    late = (ends >= BEFORE * DAY * STEP_MS + 3_600_000) & (grown >= rules.harm_evidence)
    hours = ends[late] / 3_600_000 - BEFORE * 24
    return float(np.ceil(hours[0] + HORIZON / HOUR)) if len(hours) else np.inf


def lowest_z(one: Week, hours: int = 24) -> Floats:
    """Return z of the gain over the last `hours`, at each hour of the week that is watched."""
    ends = (BEFORE * DAY - HORIZON) // HOUR + np.arange(1, WATCHED * 24 + 1)
    whole = one.track.gain[: len(one.track) // HOUR * HOUR].reshape(-1, HOUR).mean(axis=1)
    return z_at(whole[None, :], ends, hours, HORIZON / HOUR)[0]


def alarm_seed(one: Week) -> float:
    """Return the hour of the first alarm of ``backtest - live > 0.05`` over 24 h."""
    begin = BEFORE * DAY
    for hour in range(12, WATCHED * 24 + 1, 12):
        known = one.until(begin + hour * HOUR)
        if one.backtest - float(known.score[-DAY:].mean()) > 0.05:
            return float(hour)
    return np.inf


@dataclass(frozen=True)
class Rates:
    """Alarms of many slot-weeks.

    Attributes
    ----------
    ours, seed : float64[weeks]
        Hour of the first alarm, infinite where there was none.
    fired : dict
        How often each rule was among those of the first alarm.
    """

    ours: Floats
    seed: Floats
    fired: dict[str, int]

    @staticmethod
    def within(hours: Floats, limit: float) -> float:
        """Return the share of weeks with an alarm so soon."""
        return float((hours <= limit).mean())


def rates(
    seeds: Iterable[int], sound: float, after: float, wander: float, symbols: int,
    rules: Rules | None = None,
) -> Rates:  # fmt: skip
    """Simulate a slot-week for each seed."""
    rules = rules or Rules()
    ours, seed, fired = [], [], dict.fromkeys(("A", "B", "C", "harm"), 0)
    for one in weeks(seeds, sound, after, wander, symbols):
        hour, names = alarm_ours(one, rules)
        ours.append(hour)
        seed.append(alarm_seed(one))
        for name in names:
            fired[name] += 1
    return Rates(np.array(ours), np.array(seed), fired)


def weeks(
    seeds: Iterable[int], sound: float, after: float, wander: float, symbols: int
) -> Iterator[Week]:
    """Yield a slot-week for each seed; the same seed has the same luck whatever happens in it."""
    for seed in seeds:
        rng = np.random.default_rng([seed, round(1e5 * wander)])
        yield week(rng, sound, after, wander, symbols)
