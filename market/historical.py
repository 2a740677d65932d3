"""Candles by symbol, bar length and span: a source behind one plain call."""

from __future__ import annotations

import os
from datetime import datetime

import pandas as pd

from market.source import CandleSource, open_source
from market.timeframes import Instant


class HistoricalDataFetcher:
    """Fetches history of one symbol at a time.

    Parameters
    ----------
    source : CandleSource or str, optional
        A source, or the text that describes one; by default ``TIDEWHEEL_SOURCE``, or the
        simulated market. Frames of the latter say so in ``attrs``.
    """

    def __init__(self, source: CandleSource | str | None = None) -> None:
        told = source or os.environ.get("TIDEWHEEL_SOURCE", "simulated")
        self.source = open_source(told) if isinstance(told, str) else told

    def fetch(self, symbol: str, timeframe: str, start: Instant, end: Instant) -> pd.DataFrame:
        """Return canonical candles that open from `start` on and close by `end`.

        Parameters
        ----------
        symbol : str
            Such as ``"BTC/USDT"``.
        timeframe : str
            Length of a bar.
        start, end : datetime, str or int
            As `market.timeframes.instant_ms` takes them; a datetime without a zone is the local
            time of this machine, as ``datetime.now()`` is.
        """
        return self.source.fetch(symbol, timeframe, _zoned(start), _zoned(end))


def _zoned(moment: Instant) -> Instant:
    naive = isinstance(moment, datetime) and moment.tzinfo is None
    return moment.astimezone() if isinstance(moment, datetime) and naive else moment
