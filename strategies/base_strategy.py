"""Base strategy: what a strategy is asked each bar, and the signal it may answer with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

    from features.compute_once import FeatureCache

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
    """A rule that looks at closed bars and may ask to trade.

    A backtest asks for the same features bar after bar. `enable_feature_cache` computes them once
    for the whole history; a `detect` that asks ``self.sees(fm, ts_ms)`` then looks them up, and
    still sees no bar that closes after `ts_ms`.

    Examples
    --------
    >>> class Contrarian(BaseStrategy):
    ...     name = "contrarian"
    ...
    ...     def detect(self, symbol, price, volume, ts_ms, df, fm):
    ...         seen = self.sees(fm, ts_ms)
    ...         rsi = seen.get_features(symbol, "5m", ["rsi_14"])["rsi_14"].iloc[-1]
    ...         return Signal(symbol, "LONG", self.name, 0.5) if rsi < 30 else None
    """

    name: ClassVar[str]
    _caches: tuple[FeatureCache, ...] = ()

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
            Whom to ask for features, through `sees`.
        """

    def enable_feature_cache(
        self,
        df: pd.DataFrame,
        symbol: str | None = None,
        timeframe: str | None = None,
        names: Iterable[str] | None = None,
    ) -> FeatureCache:
        """Compute features of a history once instead of at every bar.

        Call it once a symbol, naming the symbol, if the strategy looks at several; candles of the
        same symbol replace the earlier ones.

        Parameters
        ----------
        df : pandas.DataFrame
            The candles that the strategy will be shown, and those before: the first bars of a
            history only settle features.
        symbol, timeframe : str, optional
            Whose candles, of which length: by default what ``df.attrs`` say, or the first symbol
            asked for and the time between bars.
        names : iterable of str, optional
            Features to compute now instead of when first asked for.

        Returns
        -------
        FeatureCache
            For a look at the features themselves.
        """
        # Only backtests need it: a live strategy's process stays small.
        from features.compute_once import FeatureCache

        cache = FeatureCache(df, symbol, timeframe, names)
        others = [known for known in self._caches if known.symbol != cache.symbol]
        self._caches = (*others, cache)
        return cache

    def disable_feature_cache(self) -> None:
        """Ask `fm` for features again."""
        self._caches = ()

    def sees(self, fm: Features | None, ts_ms: int) -> Features:
        """Return whom to ask for features at a moment: the cache if there is one, else `fm`.

        Parameters
        ----------
        fm : Features or None
            What `detect` was given.
        ts_ms : int
            What `detect` was given: nothing that closes later is shown by the cache.

        Raises
        ------
        ValueError
            There is neither.
        """
        if self._caches:
            from features.compute_once import FeaturesAt

            return FeaturesAt(self._caches, ts_ms)
        if fm is None:
            raise ValueError("there is no feature manager; pass one, or call enable_feature_cache")
        return fm
