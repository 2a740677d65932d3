"""Time contestants on the same bars, in turn, each block in another order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Contestant = Callable[[Any], Any]
BLOCK = 10


def race(contestants: dict[str, Contestant], bars: Sequence[Any]) -> dict[str, dict[str, float]]:
    """Return p50 and p99 in µs by contestant; each takes every bar, whoever goes first rotates.

    They take turns by blocks of bars, and the first bar of a block is not counted: what another
    contestant left in the caches is no contestant's own time.
    """
    laps: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for turn, start in enumerate(range(0, len(bars), BLOCK)):
        first = turn % len(order)
        for name in order[first:] + order[:first]:
            call = contestants[name]
            for i, bar in enumerate(bars[start : start + BLOCK]):
                begin = time.perf_counter()
                call(bar)
                seconds = time.perf_counter() - begin
                if i:
                    laps[name].append(seconds)
    return {name: percentiles(seconds) for name, seconds in laps.items()}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50 and p99 in µs."""
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e6
    return {"p50": float(p50), "p99": float(p99)}


def lap(call: Callable[[], Any], times: int) -> float:
    """Return the median seconds of `times` calls after the first."""
    call()
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))
