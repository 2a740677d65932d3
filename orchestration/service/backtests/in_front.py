"""In front of a strategy: a clock for what answers beside it, and how far a backtest is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from orchestration.service.served import Clock
from strategies.base_strategy import BaseStrategy, Signal

Tell = Callable[[int, int], None]
"""Called with bars that were played, and all of them."""
_EVERY = 500


@contextmanager
def in_front(strategy: BaseStrategy, clock: Clock, total: int, tell: Tell) -> Iterator[None]:
    """Stand between engine and strategy inside the block.

    Parameters
    ----------
    strategy
        Whose `detect` is asked.
    clock
        Kept at the bar that is looked at.
    total
        Bars that it will be asked about.
    tell
        Called now and then.
    """
    detect, played = strategy.detect, 0

    def watched(
        symbol: str, price: float, volume: float, ts_ms: int, df: Any, fm: Any
    ) -> Signal | None:
        nonlocal played
        played += 1
        if played % _EVERY == 0:
            tell(played, total)
        clock.symbol, clock.close_ms = symbol, ts_ms
        return detect(symbol, price, volume, ts_ms, df, fm)

    own = vars(strategy)
    own["detect"] = watched
    try:
        yield
    finally:
        del own["detect"]
