"""Times: contestants take turns, so that a machine that slows down slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_LONG = 4.0  # seconds: what takes longer is run fewer times, noise is small beside it


@dataclass(frozen=True)
class Times:
    """Medians over rounds, in seconds, and the median of round-by-round ratios to the first."""

    wall: float
    cpu: float
    ratio: float
    rounds: int


def in_turn(works: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Times]:
    """Return times of each work; all run once unmeasured, then in turn.

    Parameters
    ----------
    works : mapping of str to callable
        The first one is what the others are compared with.
    rounds : int
        How often each runs, but 2 times if it takes seconds.
    """
    first = {name: timed(work) for name, work in works.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for turn in range(rounds):
        for name, work in works.items():
            if turn < 2 or first[name][0] < _LONG:
                taken[name].append(timed(work))
    base = next(iter(taken.values()))
    return {
        name: Times(
            statistics.median(wall for wall, _ in each),
            statistics.median(cpu for _, cpu in each),
            statistics.median(cpu / ours for (_, cpu), (_, ours) in zip(each, base, strict=False)),
            len(each),
        )
        for name, each in taken.items()
    }


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


@dataclass(frozen=True)
class Steps:
    """Times of one step of many, in seconds: median and 99th percentile of wall, mean of CPU."""

    p50: float
    p99: float
    cpu: float
    steps: int


def step_by_step(
    works: Mapping[str, Callable[[int], Any]], steps: Mapping[str, int], block: int = 50
) -> dict[str, Steps]:
    """Return times of the single steps of each work, in blocks that take turns.

    Parameters
    ----------
    works : mapping of str to callable
        Called with 0, 1, 2, …
    steps : mapping of str to int
        How many steps each does; the first block is not counted.
    block : int
        Steps before the next one's turn.
    """
    taken: dict[str, list[np.ndarray]] = {name: [] for name in works}
    cpu = dict.fromkeys(works, 0.0)
    for start in range(0, max(steps.values()), block):
        for name, work in works.items():
            if start < steps[name]:
                before = time.process_time()
                taken[name].append(_block(work, range(start, start + block)))
                cpu[name] += (time.process_time() - before) if start else 0.0
    return {name: _steps(taken[name][1:], cpu[name]) for name in works}


def _block(work: Callable[[int], Any], steps: Sequence[int]) -> np.ndarray:
    spent = np.empty(len(steps))
    for place, step in enumerate(steps):
        before = time.perf_counter_ns()
        work(step)
        spent[place] = time.perf_counter_ns() - before
    return spent * 1e-9


def _steps(blocks: list[np.ndarray], cpu: float) -> Steps:
    every = np.concatenate(blocks)
    p50, p99 = np.percentile(every, [50, 99])
    return Steps(float(p50), float(p99), cpu / len(every), len(every))
