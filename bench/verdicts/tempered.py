"""Ways to tell the better of two forecasts of volatility, on real outcomes.

    python -m bench.verdicts.tempered FOLDER [--seeds 12] [--write]

FOLDER holds real candles of five minutes. Outcomes are real; so are the surprises over a simple
HAR. Two forecasts are that HAR with errors of their own, drawn: equals, one better by 5 % of
QLIKE, or one that always says a tenth too little. Each way gives a z, asked of as a promotion asks.
Below it pairs of real models on the same outcomes, and of expected returns, drawn too: one that
knows .5 % of the variance of hourly returns, and one as good as nought. `--write` puts all into
docs/verdicts.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console

from bench.verdicts.outcomes import DAY, Floats, closes, outcomes
from bench.verdicts.report import Sheet, put
from bench.verdicts.returns import returns
from bench.verdicts.weeks import HOURS, WINDOW, errors, hourly, windows, z_of
from orchestration.lifecycle.gates import z_needed
from orchestration.rules import Gates

LOOKED, APART = 28, 14  # days
SIZE, BETTER = 0.3, 0.196  # of errors in ln RV²: 5 % of QLIKE apart
PAIRS = (
    ("HAR, 60 d", "HAR and time of day, 60 d"),
    ("HAR, 14 d", "HAR and time of day, 14 d"),
    ("HAR, 60 d", "HAR, 14 d"),
    ("HAR and time of day, 60 d", "HAR and time of day, 14 d"),
    ("last hour only", "HAR, 60 d"),
    ("last day only", "HAR, 60 d"),
)
Way = Callable[[Floats, Floats, Floats], Callable[[int, np.ndarray], Floats]]


def cut_at(cut: float) -> Way:
    """Return the way of `ml_pipeline.tempered`, at a cut, window by window on hourly sums."""

    def way(y: Floats, other: Floats, mine: Floats) -> Callable[[int, np.ndarray], Floats]:
        surprise = np.exp(y - (other + mine) / 2)
        apart = np.exp((mine - other) / 2) - np.exp((other - mine) / 2)
        calm = np.minimum(surprise, cut)
        parts = np.stack([hourly(p) for p in (surprise, calm, calm * apart, other - mine)])

        def z(length: int, ends: np.ndarray) -> Floats:
            e, m, product, level = windows(parts, length, ends)
            g, a = (
                p.sum(axis=-1, keepdims=True) / m.sum(axis=-1, keepdims=True) for p in (e, product)
            )
            return z_of((g * product + a * (e - g * m) + level).mean(axis=0), length)

        return z

    return way


def losses_in(change: Callable[[Floats, Floats, Floats], Floats], share: float = 1.0) -> Way:
    """Return the way of a difference by row, cut beyond the quantile `share` of its size."""

    def way(y: Floats, other: Floats, mine: Floats) -> Callable[[int, np.ndarray], Floats]:
        d = hourly(change(y, other, mine)[None])[0]

        def z(length: int, ends: np.ndarray) -> Floats:
            own = windows(d, length, ends)
            most = np.quantile(np.abs(own), share, axis=-1, keepdims=True)
            return z_of(np.clip(own, -most, most), length)

        return z

    return way


def qlike(y: Floats, said: Floats) -> Floats:
    """Return QLIKE by bar and symbol, the mean of both horizons."""
    return np.asarray((np.exp(y - said) - (y - said) - 1).mean(axis=0))


def _relative(y: Floats, other: Floats, mine: Floats) -> Floats:
    theirs, own = qlike(y, other), qlike(y, mine)
    return np.asarray((theirs - own) / (theirs + own))


WAYS: dict[str, Way] = {
    "the whole QLIKE": losses_in(lambda y, b, a: qlike(y, b) - qlike(y, a)),
    "tempered at 10": cut_at(10.0),
    "tempered at 5": cut_at(5.0),
    "tempered at 3": cut_at(3.0),
    "tempered at 2": cut_at(2.0),
    "differences cut at their 95 %": losses_in(lambda y, b, a: qlike(y, b) - qlike(y, a), 0.95),
    "relative differences": losses_in(_relative),
    "squared errors of ln RV²": losses_in(
        lambda y, b, a: (np.square(y - b) - np.square(y - a)).mean(axis=0)
    ),
}


@dataclass(frozen=True)
class Case:
    """Two forecasts: how large their errors are, how long they last, and what one has besides."""

    name: str
    size: float
    hours: float
    bias: float = 0.0


CASES = (
    Case("equals", SIZE, 1),
    Case("equals, 12 h", SIZE, 12),
    Case("5 %", BETTER, 1),
    Case("5 %, 12 h", BETTER, 12),
    Case("too low", SIZE, 1, -0.1),
)


@dataclass(frozen=True)
class Found:
    """z of four weeks at each turn [pairs, turns], and days until a newcomer was promoted."""

    z: Floats
    days: Floats

    def within(self, days: int) -> str:
        """Return the share promoted within so many days."""
        return f"{(self.days <= days).mean():.2f}"

    def swaps(self, z_promote: float) -> str:
        """Return how often one takes the other's place in a year of turns."""
        count, ahead = 0, np.ones(len(self.z))
        for now in self.z.T:
            passes = ahead * now >= z_promote
            count += int(passes.sum())
            ahead[passes] *= -1
        return f"{count / self.z.size * 730:.1f}"

    @property
    def a_day(self) -> str:
        """Of a day, z."""
        return f"{self.z.mean() / np.sqrt(WINDOW):+.2f}"


def measure(y: Floats, usual: Floats, case: Case, seeds: int) -> dict[str, Found]:
    """Return what each way finds, over newcomers that come every two weeks."""
    gates = Gates()
    kept: dict[str, tuple[list[Floats], list[Floats]]] = {name: ([], []) for name in WAYS}
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 13])
        other = usual + errors(rng, y.shape, SIZE, case.hours)
        mine = usual + errors(rng, y.shape, case.size, case.hours) + case.bias
        for name, way in WAYS.items():
            z = way(y, other, mine)
            hours = y.shape[1] // (DAY // HOURS)
            kept[name][0].append(z(WINDOW * HOURS, np.arange(WINDOW * HOURS, hours + 1, 12)))
            kept[name][1].append(_arrivals(z, hours, gates))
    return {name: Found(np.stack(z), np.concatenate(days)) for name, (z, days) in kept.items()}


def _arrivals(z: Callable[[int, np.ndarray], Floats], hours: int, gates: Gates) -> Floats:
    """Return the days from the arrival of newcomers with two days of ledger to their promotion."""
    begins = np.arange(0, hours - HOURS * (LOOKED + 2), APART * HOURS)
    found = np.full(len(begins), np.inf)
    for turn in range(2 * LOOKED + 1):
        days = min(2 + turn / 2, WINDOW)
        passes = z(round(days * HOURS), begins + 2 * HOURS + 12 * turn) >= z_needed(days, gates)
        found[passes & np.isinf(found)] = turn / 2
    return found


def sheets(folder: Path, seeds: int) -> Iterator[Sheet]:
    """Yield all tables."""
    y, said = outcomes(folder)
    usual = said["HAR, 60 d"]
    usual = usual + np.log(np.exp(y - usual).mean(axis=(1, 2), keepdims=True))
    found = {case.name: measure(y, usual, case, seeds) for case in CASES}
    rows = [
        (
            name,
            *(found[case][name].swaps(Gates().z_promote) for case in ("equals", "equals, 12 h")),
            found["equals"][name].within(28),
            *(f(found["5 %"][name]) for f in (lambda x: x.a_day, lambda x: x.within(14))),
            found["5 %"][name].within(28),
            found["5 %, 12 h"][name].a_day,
            found["too low"][name].a_day,
        )
        for name in WAYS
    ]
    days = y.shape[1] // DAY
    head = (
        "z of",
        "equals swap a year",
        "with errors of 12 h",
        "new equals, 28 d",
        "5 %: z a day",
        "14 d",
        "28 d",
        "5 %, errors of 12 h",
        "too low",
    )
    yield Sheet(
        "tempered",
        "Two equals that swap in one slot, newcomers promoted within so many days, and z that a "
        f"day earns, on {days} days of real outcomes with drawn errors; too low: by a tenth, so "
        "really worse by 1 %",
        head,
        rows,
    )
    yield _pairs(y, said, days)
    yield returns(closes(folder)[1], seeds)


def _pairs(y: Floats, said: dict[str, Floats], days: int) -> Sheet:
    shown = (
        "the whole QLIKE",
        "tempered at 3",
        "differences cut at their 95 %",
        "relative differences",
    )
    rows = []
    for other, mine in PAIRS:
        gain = 1 - qlike(y, said[mine]).mean() / qlike(y, said[other]).mean()
        cells = []
        for name in shown:
            z = WAYS[name](y, said[other], said[mine])
            hours = y.shape[1] // (DAY // HOURS)
            cells.append(f"{z(hours, np.array([hours]))[0] / np.sqrt(hours / HOURS):+.2f}")
        rows.append((f"{mine} over {other}", f"{gain:+.1%}", *cells))
    return Sheet(
        "pairs", f"z that a day earns by {days} days, pairs of real models", ("", "S", *shown), rows
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=12, help="pairs of drawn errors in each case")
    parser.add_argument("--write", action="store_true", help="into docs/verdicts.md")
    given = parser.parse_args()
    stamp = (
        f"<sub>`python -m bench.verdicts.tempered <candles> --seeds {given.seeds}`, "
        f"{datetime.now(UTC):%Y-%m-%d}</sub>"
    )
    for sheet in sheets(given.folder, given.seeds):
        Console(width=160).print(sheet.rich())
        if given.write:
            put(sheet, stamp)


if __name__ == "__main__":
    main()
