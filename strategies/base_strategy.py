"""Base strategy: what a strategy is asked each bar, and the signal it may answer with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

Side: TypeAlias = Literal["LONG", "SHORT"]
SIDES: tuple[Side, ...] = ("LONG", "SHORT")
SIDE_OF: Mapping[str, Side] = {"UP": "LONG", "DOWN": "SHORT"}
"""The side that profits from a predicted direction."""


class Features(Protocol):
    """What a strategy asks for features: a feature manager, or whatever answers like one."""

    def get_features(self, symbol: str, timeframe: str, feature_list: list[str]) -> pd.DataFrame:
        """Return the columns `feature_list`, a row each closed bar, the latest last."""


@dataclass(frozen=True)
class Signal:
    """A wish to be long or short.

    Parameters
    ----------
    symbol : str
        What to trade.
    signal : {'LONG', 'SHORT'}
        On which side.
    strategy : str
        Name of the strategy that says so.
    confidence : float
        Probability of being right as the strategy sees it, 0 to 1.
    details : mapping
        Figures that led to it, for logs and reviews.

    Raises
    ------
    ValueError
        For another side, or a confidence outside of 0 to 1.
    """

    symbol: str
    signal: Side
    strategy: str
    confidence: float
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.signal not in SIDES:
            raise ValueError(
                f"a signal is LONG or SHORT, not {self.signal!r}; "
                "map a predicted UP or DOWN with SIDE_OF"
            )
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence is a probability, not {self.confidence}")


class BaseStrategy(ABC):
    """A rule that looks at closed bars and may ask to trade."""

    name: ClassVar[str]

    @abstractmethod
    def detect(
        self,
        symbol: str,
        price: float,
        volume: float,
        ts_ms: int,
        df: pd.DataFrame | None,
        fm: Features,
    ) -> Signal | None:
        """Return a signal, or None to stay out.

        Parameters
        ----------
        symbol : str
            What is looked at.
        price : float
            Close of the latest closed bar, in quote currency. The earliest fill is the next bar's
            open, so that a strategy never trades at this price.
        volume : float
            Volume of that bar, in base currency.
        ts_ms : int
            When that bar closed, epoch milliseconds, UTC.
        df : DataFrame or None
            Latest candles, for rules that need no features.
        fm : Features
            Whom to ask for features.
        """
