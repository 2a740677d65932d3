"""Time contestants on the same bars, in turn, each bar in another order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Contestant = Callable[[Any], Any]


def race(contestants: dict[str, Contestant], bars: Sequence[Any]) -> dict[str, dict[str, float]]:
    """Return p50 and p99 in µs by contestant; each takes every bar, whoever goes first rotates."""
    laps: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for name in order:  # the first call builds what a library builds lazily
        contestants[name](bars[0])
    for i, bar in enumerate(bars[1:]):
        turn = i % len(order)
        for name in order[turn:] + order[:turn]:
            begin = time.perf_counter()
            contestants[name](bar)
            laps[name].append(time.perf_counter() - begin)
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
