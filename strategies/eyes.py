"""Eyes: whom a strategy asks for features while candles are played to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from features.bars import BENCHMARK, SENTIMENT
from features.compute_once import FeatureCache, FeaturesAt
from market.candles import COLUMNS
from strategies.base_strategy import Features
from strategies.live_features import LiveFeatures
from strategies.orders import Bar

_BESIDES = (BENCHMARK, SENTIMENT)
_BAR = 1 + len(COLUMNS)


class Pushed:
    """Features that grow bar by bar, by the code that runs live; later bars do not exist yet.

    Parameters
    ----------
    live : LiveFeatures
        That has seen what came before.
    """

    def __init__(self, live: LiveFeatures) -> None:
        self._live = live

    def push(self, symbol: str, bar: Bar, extra: Mapping[str, float]) -> None:
        """Take a bar that has closed."""
        known = [name for name in _BESIDES if name in extra]
        if not known:
            self._live.push(symbol, bar[:_BAR])
            return
        numbers = dict(zip(("timestamp", *COLUMNS), bar[:_BAR], strict=True))
        self._live.push(symbol, numbers | {name: extra[name] for name in known})

    def at(self, close_ms: int) -> Features:
        """Return whom to ask: who knows what has been pushed."""
        return self._live


class Remembered:
    """Features computed once for the whole history, and shown as they were at each moment.

    Parameters
    ----------
    caches : sequence of FeatureCache
        One a symbol.
    """

    def __init__(self, caches: Sequence[FeatureCache]) -> None:
        self._caches = tuple(caches)

    def push(self, symbol: str, bar: Bar, extra: Mapping[str, float]) -> None:
        """Take nothing: the caches have it already."""

    def at(self, close_ms: int) -> Features:
        """Return the caches as they were at a moment."""
        return FeaturesAt(self._caches, close_ms)
