"""Sizing: how much money a signal is worth. One small class an idea; write your own alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from strategies.base_strategy import Signal
from strategies.errors import BadTerms
from strategies.run import bars_per_year
from strategies.window import Seen


class Sizing(Protocol):
    """Turns a signal into a notional.

    One with an attribute ``rebalance`` is asked again when the same wish is repeated while the
    position is held; the position is changed when it is off by more than that share of itself.
    """

    def notional(self, signal: Signal, equity: float, price: float, seen: Seen) -> float:
        """Return what to hold, in quote currency; 0 to stay out.

        Parameters
        ----------
        signal : Signal
            The wish; its side is not sizing's business.
        equity : float
            Of the whole account, marked at the close.
        price : float
            Close of the bar.
        seen : Seen
            What can be known at that close.
        """


@dataclass(frozen=True)
class FixedFraction:
    """The same fraction of equity each time.

    Parameters
    ----------
    fraction : float
        Of equity; above 1 only with a `max_leverage` that allows it.
    """

    fraction: float = 0.1

    def __post_init__(self) -> None:
        _positive(fraction=self.fraction)

    def notional(self, signal: Signal, equity: float, price: float, seen: Seen) -> float:
        """Return ``fraction · equity``."""
        return self.fraction * equity


@dataclass(frozen=True)
class ConfidenceScaled:
    """More for a surer signal: nothing at `floor`, all of `fraction` at certainty.

    Parameters
    ----------
    fraction : float
        Of equity, at a confidence of 1.
    floor : float
        Confidence that is worth nothing; a coin's by default. With 0.5, an even bet and a
        calibrated confidence this is Kelly's bet, 2p - 1, times `fraction`.
    """

    fraction: float = 1.0
    floor: float = 0.5

    def __post_init__(self) -> None:
        _positive(fraction=self.fraction)
        if not 0 <= self.floor < 1:
            raise BadTerms(f"floor is {self.floor}; it is a probability below 1")

    def notional(self, signal: Signal, equity: float, price: float, seen: Seen) -> float:
        """Return ``fraction · equity · (confidence - floor) / (1 - floor)``, not below 0."""
        return (
            self.fraction * equity * max(0.0, (signal.confidence - self.floor) / (1 - self.floor))
        )


@dataclass(frozen=True)
class VolatilityTarget:
    """As much as makes the position's volatility a chosen one.

    Parameters
    ----------
    annual : float
        Volatility wanted, a fraction a year of 365 days.
    lookback : int
        Bars whose log returns are measured.
    most : float
        Largest fraction of equity, for times when nothing moves.
    rebalance : float, optional
        How far the position may be off before a repeated wish corrects it, as a share of itself;
        None corrects never.
    """

    annual: float = 0.2
    lookback: int = 288
    most: float = 1.0
    rebalance: float | None = 0.25

    def __post_init__(self) -> None:
        _positive(annual=self.annual, most=self.most)
        if self.lookback < 2:
            raise BadTerms(f"lookback is {self.lookback} bars; a deviation takes 2 returns")
        if self.rebalance is not None:
            _positive(rebalance=self.rebalance)

    def notional(self, signal: Signal, equity: float, price: float, seen: Seen) -> float:
        """Return ``equity · min(most, annual / realised)``; 0 while the look-back is not full."""
        closes = seen.closes(self.lookback + 1)
        if len(closes) <= self.lookback:
            return 0.0
        deviation = float(np.diff(np.log(closes)).std(ddof=1))
        realised = deviation * math.sqrt(bars_per_year(seen.timeframe))
        return equity * (min(self.most, self.annual / realised) if realised > 0 else self.most)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise BadTerms(f"{name} is {value}; it must be a positive number")
