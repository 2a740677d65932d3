"""Providers: history of a symbol in one call, checked and repaired, with what it is of noted on it.

A notebook's and a script's way to candles. Turns go through `market.fetch`, which keeps what it
fetched.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

import pandas as pd

from market.candles import repair
from market.source import CandleSource, open_source
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe


class HistoryProvider:
    """Candles of a source.

    Parameters
    ----------
    source : CandleSource or str, optional
        A text is opened by `market.source.open_source`. By default ``TIDEWHEEL_SOURCE``, or the
        simulated market.
    clock : callable
        Seconds since 1970: a bar that has not closed is left out.
    """

    default: ClassVar[str | None] = None

    def __init__(
        self, source: CandleSource | str | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        spec = source or self.default or os.environ.get("TIDEWHEEL_SOURCE") or "simulated"
        self.source = open_source(spec) if isinstance(spec, str) else spec
        self._clock = clock

    def get_historical_data(
        self, symbol: str, timeframe: str, start: Instant, end: Instant | None = None
    ) -> pd.DataFrame:
        """Return the closed candles from `start` to `end`, repaired.

        Parameters
        ----------
        symbol, timeframe : str
            In any spelling.
        start, end : Instant
            A datetime without a zone is read as UTC, as ``datetime.utcnow()`` means it. By default
            up to now.

        Returns
        -------
        pandas.DataFrame
            Canonical candles (`market.candles`). ``attrs`` tell symbol, timeframe, source and
            whether it is simulated; ``attrs["repaired"]`` counts what was dropped.

        Raises
        ------
        market.errors.SourceError
            The source does not answer, or has nothing of that symbol.
        """
        pair, length = parse_symbol(symbol), parse_timeframe(timeframe)
        now = int(self._clock() * 1000)
        first, last = _moment(start), now if end is None else _moment(end)
        fetched = self.source.fetch(pair, length, first, last)
        candles, report = repair(fetched, length, now)
        candles.attrs = {
            "symbol": pair,
            "timeframe": length,
            "source": self.source.name,
            "simulated": self.source.simulated,
            "repaired": report.as_dict(),
        }
        return candles


class BinanceProvider(HistoryProvider):
    """Candles of Binance, spot; public endpoints, no key is needed."""

    default: ClassVar[str | None] = "exchange:binance"


def _moment(value: Instant) -> int:
    if isinstance(value, datetime) and value.tzinfo is None:
        return instant_ms(pd.Timestamp(value, tz="UTC"))
    return instant_ms(value)
