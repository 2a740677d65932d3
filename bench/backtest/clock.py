"""The clock of the run: CPU seconds of one thread, so that a busy machine tells the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from strategies.base_strategy import BaseStrategy

ROUNDS = 3


def best(call: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """Return the least CPU seconds of several calls, and what the last one returned."""
    least, found = float("inf"), None
    for _ in range(rounds):
        begun = time.process_time()
        found = call()
        least = min(least, time.process_time() - begun)
    return least, found


class Timed:
    """CPU seconds and bars, from the first bar that a strategy is asked about on."""

    def __init__(self, strategy: BaseStrategy) -> None:
        self.bars = 0
        self._begun = self._last = 0.0
        detect = strategy.detect

        def timed(*bar: Any) -> Any:
            if not self.bars:
                self._begun = time.process_time()
            self.bars += 1
            return detect(*bar)

        vars(strategy)["detect"] = timed

    def rate(self) -> float:
        """Return bars a CPU second until now."""
        return self.bars / (time.process_time() - self._begun)
