"""The errors of the market package, as one small tree.

::

    MarketError
    ├── BadSymbol               text that is not a trading pair
    ├── BadTimeframe            text that is not a bar length, or one that does not divide a day
    ├── BadInstant              a time without a zone, or not a time at all
    ├── BadCandles              a table that is not candles, or candles that were not repaired
    ├── BadSpec                 a source description that cannot be opened
    ├── StoreError              the candle store on disk
    │   ├── StoreLocked         another writer held the lock for too long
    │   └── StoreCorrupt        a stored file cannot be read
    └── SourceError             whatever goes wrong while fetching
        ├── UnknownSymbol       the source does not list this symbol
        ├── UnsupportedTimeframe
        ├── NoCandles           the source answered, and has nothing in the window
        ├── RateLimited         asked too often (worth another try)
        ├── SourceTimeout       no answer in time (worth another try)
        ├── SourceDown          unreachable, 5xx, maintenance (worth another try)
        └── BadAnswer           an answer that is not candles (worth another try)

What a caller passed in is also a ``ValueError``, so that plain Python needs no import to catch it.
"""
# ruff: noqa: N818 - the names say what happened, as httpx's do.

from __future__ import annotations


class MarketError(Exception):
    """Anything that goes wrong in the market package."""


class BadSymbol(MarketError, ValueError):
    """The text is not a trading pair."""


class BadTimeframe(MarketError, ValueError):
    """The text is not a bar length Tidewheel can use."""


class BadInstant(MarketError, ValueError):
    """The value is not a point in time with a zone."""


class BadCandles(MarketError, ValueError):
    """The table does not hold candles, or they were not repaired."""


class BadSpec(MarketError, ValueError):
    """The description of a source cannot be opened."""


class StoreError(MarketError):
    """The candle store on disk refused."""


class StoreLocked(StoreError):
    """Another writer held the lock for too long."""


class StoreCorrupt(StoreError):
    """A stored file cannot be read."""


class SourceError(MarketError):
    """A source could not deliver candles."""


class UnknownSymbol(SourceError):
    """The source does not list this symbol."""


class UnsupportedTimeframe(SourceError):
    """The source cannot deliver bars of this length."""


class NoCandles(SourceError):
    """The source answered, and has no candle in the window."""


class RateLimited(SourceError):
    """The source was asked too often.

    Parameters
    ----------
    message : str
        What happened and what to do.
    retry_after_s : float, optional
        Seconds the source asked to wait, where it said so.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceTimeout(SourceError):
    """The source gave no answer in time."""


class SourceDown(SourceError):
    """The source cannot be reached or says it is out of order."""


class BadAnswer(SourceError):
    """The source answered with something that is not candles."""
