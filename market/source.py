"""What a source of candles is, and how one is opened from a line of text."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import pandas as pd

from market.errors import BadSpec
from market.timeframes import Instant


@runtime_checkable
class CandleSource(Protocol):
    """Something that delivers candles."""

    @property
    def name(self) -> str:
        """Short name for folders and labels; sources with different candles have different ones."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether the prices are made up; everything shown to people must then say so."""
        ...

    def fetch(self, symbol: str, timeframe: str, start: Instant, end: Instant) -> pd.DataFrame:
        """Return the candles that open at or after `start` and close by `end`.

        The frame has the canonical shape, but the rows are as the source gave them: `repair` has
        not been called.
        """
        ...


def open_source(spec: str) -> CandleSource:
    """Return the source a text describes.

    Parameters
    ----------
    spec : str
        * ``exchange:<ccxt id>``, such as ``exchange:binance``;
        * ``files:<folder>``, Parquet or CSV files named ``<SYMBOL>_<timeframe>``;
        * ``simulated``, ``simulated:seed=3,signal=0.3`` or ``simulated:random-walk,seed=3``.

    Raises
    ------
    BadSpec
        Not one of these, or the folder or exchange does not exist.
    """
    kind, _, rest = spec.partition(":")
    # Each source is imported when it is asked for: ccxt alone costs a second.
    if kind == "simulated":
        from market.simulated import SimulatedSource

        return SimulatedSource.parse(rest)
    if kind == "files" and rest:
        from market.files import FilesSource

        return FilesSource(rest)
    if kind == "exchange" and rest:
        from market.exchange import ExchangeSource

        return ExchangeSource(rest)
    raise BadSpec(
        f"{spec!r} is not a source; write exchange:<ccxt id>, files:<folder> or "
        "simulated[:seed=7,signal=1.0]"
    )
