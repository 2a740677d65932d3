"""The clock of the run: seconds of the bars that count, the best of several rounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from strategies.base_strategy import BaseStrategy

ROUNDS = 3


def best(call: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """Return the least seconds of several calls, and what the last one returned."""
    least, found = float("inf"), None
    for _ in range(rounds):
        begun = time.perf_counter()
        found = call()
        least = min(least, time.perf_counter() - begun)
    return least, found


class Timed:
    """Seconds and bars from the first bar that a strategy is asked about on: not the warm-up."""

    def __init__(self, strategy: BaseStrategy) -> None:
        self.bars = 0
        self._begun = self._last = 0.0
        detect = strategy.detect

        def timed(*bar: Any) -> Any:
            if not self.bars:
                self._begun = time.perf_counter()
            self.bars += 1
            return detect(*bar)

        vars(strategy)["detect"] = timed

    def rate(self) -> float:
        """Return bars a second until now."""
        return self.bars / (time.perf_counter() - self._begun)
