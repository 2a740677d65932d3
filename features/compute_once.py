"""Features of a whole history, computed once and shown as they were seen at each moment."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import BENCHMARK, SENTIMENT
from features.computed import Table, alone, longer_candles
from features.errors import FeatureError, NotEnoughHistory
from features.feature_manager import DEFAULT_BARS
from features.model_set import MODEL_SET
from market.candles import as_candles, check_candles, open_ms
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe, timeframe_ms, utc

_BESIDES = (BENCHMARK, SENTIMENT)  # what candles may hold besides price and volume
_TOLD = ("source", "simulated")  # what is passed on of the candles' attrs


class FeatureCache:
    """What a backtest asks for features instead of a feature manager.

    Every feature is causal: its row knows the bars up to its own and none after. So the features of
    a whole history, computed in one go, hold at row i what would have been computed when bar i had
    just closed, and looking them up is no look-ahead as long as later rows stay hidden. `at`
    hides them.

    Parameters
    ----------
    candles : pandas.DataFrame
        Repaired candles, oldest first, in any shape that `market.candles.as_candles` accepts; with
        ``benchmark`` and ``sentiment`` if features need them (`features.joined`).
    symbol : str, optional
        Whose they are. Otherwise ``candles.attrs["symbol"]``, or the first symbol asked for.
    timeframe : str, optional
        Length of their bars; by default what lies between their open times.
    names : iterable of str, optional
        Features of these bars to compute at once. All others are computed when first asked for.

    Raises
    ------
    FeatureError
        The bars are not of that length.
    market.errors.BadCandles
        Columns are missing, or there are rows that `market.candles.repair` would drop.

    Notes
    -----
    A feature manager at the same moment, over the same history, answers with the same bits. One
    that fetches a shorter history differs for recursive averages by what they have not forgotten
    when settled, 1e-9 of their size; the rest is equal whatever the history.

    Examples
    --------
    >>> from market.source import open_source
    >>> candles = open_source("simulated").fetch("BTC-USDT", "1m", "2025-05-01T00:00Z",
    ...                                          "2025-05-03T00:00Z")
    >>> seen = FeatureCache(candles, "BTC-USDT").at("2025-05-02T12:00Z")
    >>> seen.get_features("BTC-USDT", "5m", ["rsi_14"]).index[-1]
    Timestamp('2025-05-02 11:55:00+0000', tz='UTC')
    """

    def __init__(
        self,
        candles: pd.DataFrame,
        symbol: str | None = None,
        timeframe: str | None = None,
        names: Iterable[str] | None = None,
    ) -> None:
        told = candles.attrs
        self.symbol = parse_symbol(symbol or told["symbol"]) if symbol or "symbol" in told else None
        frame = as_candles(candles)
        check_candles(frame)
        for name in _BESIDES:
            if name in candles:
                frame[name] = candles[name].to_numpy(np.float64)
        self.timeframe = _bar_length(frame, timeframe or told.get("timeframe"))
        self._step = timeframe_ms(self.timeframe)
        self._end_ms = int(open_ms(frame)[-1]) + self._step
        self._told: dict[Hashable, Any] = {name: told[name] for name in _TOLD if name in told}
        self._candles = frame
        self._tables: dict[str, Table] = {}
        if names is not None:
            self._table(self.timeframe).settled(_key(names))

    @property
    def end(self) -> pd.Timestamp:
        """When the last bar closed."""
        return utc(self._end_ms)

    def at(self, moment: Instant) -> FeaturesAt:
        """Return what could be seen at a moment: the bars closed by then, and no other.

        Parameters
        ----------
        moment : Instant
            Epoch milliseconds, as `BaseStrategy.detect` is given them, or a time with a zone.
        """
        return FeaturesAt((self,), moment)

    def get_features(
        self,
        symbol: str,
        timeframe: str,
        feature_list: Iterable[str] | None = None,
        lookback_bars: int | None = None,
        end: Instant | None = None,
    ) -> pd.DataFrame:
        """Return features of the latest closed bars, as `FeatureManager.get_features` does.

        Parameters
        ----------
        symbol, timeframe : str
            In any spelling. Longer bars than those of the candles are made of them.
        feature_list : iterable of str, optional
            Names as a feature manager takes them; by default the model set.
        lookback_bars : int, optional
            Rows wanted, 500 by default.
        end : Instant, optional
            Only bars that close by then; by default the whole history.

        Returns
        -------
        pandas.DataFrame
            Settled rows only, float64; fewer than asked for where history is short.

        Raises
        ------
        FeatureError
            Another symbol, or a moment at which later bars must have closed than the cache has.
        UnknownFeature
            A name that nobody defined.
        NotEnoughHistory
            No row had settled by then.
        market.errors.BadTimeframe
            Bars that cannot be made of those of the candles.
        """
        moment = self._end_ms if end is None else instant_ms(end)
        return FeaturesAt((self,), moment).get_features(
            symbol, timeframe, feature_list, lookback_bars
        )

    def _rows(
        self, timeframe: str, names: tuple[str, ...] | str, rows: int, moment: int
    ) -> pd.DataFrame:
        """Return the last `rows` settled rows of bars closed by `moment`."""
        table = self._table(timeframe)
        frame, settle, definitions = table.settled(names)
        stop = self._stop(table, settle, moment)
        shown = alone(frame, max(settle, stop - rows), stop)
        shown.attrs = {
            "symbol": self.symbol, "timeframe": table.timeframe, **self._told, **definitions
        }  # fmt: skip
        return shown

    def _row(
        self, timeframe: str, names: tuple[str, ...] | str, moment: int
    ) -> NDArray[np.float32]:
        """Return the last row of bars closed by `moment`."""
        table = self._table(timeframe)
        frame, settle, _ = table.settled(names)
        row = frame.to_numpy()[self._stop(table, settle, moment) - 1]
        return np.asarray(row, np.float32)

    def _stop(self, table: Table, settle: int, moment: int) -> int:
        """Return how many bars had closed by `moment`; more than it takes to settle."""
        stop = table.closed_by(moment)
        if stop <= settle:
            raise NotEnoughHistory(
                f"these features take {settle} bars to settle, and at {utc(moment)} the cache has "
                f"{stop} {table.timeframe} bars of {self.symbol}; begin later, or give it candles "
                "that begin earlier"
            )
        return stop

    def _check_age(self, moment: int) -> None:
        """Refuse a moment the cache knows nothing of: its last row would pass for the latest."""
        if moment >= self._end_ms + self._step:
            raise FeatureError(
                f"the cache ends at {self.end} and was asked for {utc(moment)}; give it candles up "
                "to then, or ask a feature manager (disable_feature_cache)"
            )

    def _table(self, timeframe: str) -> Table:
        found = self._tables.get(timeframe)
        if found is None:  # in another spelling, or for the first time
            timeframe = parse_timeframe(timeframe)
            found = self._tables.get(timeframe)
        if found is None:
            candles = longer_candles(self._candles, self.timeframe, timeframe)
            found = self._tables[timeframe] = Table(candles, timeframe)
        return found


class FeaturesAt:
    """Caches as they were seen at one moment: answers like a feature manager of that time.

    Parameters
    ----------
    caches : sequence of FeatureCache
        One a symbol.
    moment : Instant
        Bars that close later do not exist.
    """

    def __init__(self, caches: Sequence[FeatureCache], moment: Instant) -> None:
        self._caches = tuple(caches)
        self._moment = instant_ms(moment)

    @property
    def moment(self) -> int:
        """Epoch milliseconds; it stands, for whoever could move it would see what comes."""
        return self._moment

    def get_features(
        self,
        symbol: str,
        timeframe: str,
        feature_list: Iterable[str] | None = None,
        lookback_bars: int | None = None,
        end: Instant | None = None,
    ) -> pd.DataFrame:
        """Return features of the latest bars closed by `moment`, or by `end` if that is earlier.

        Parameters and errors are those of `FeatureCache.get_features`.
        """
        rows = DEFAULT_BARS if lookback_bars is None else int(lookback_bars)
        if rows < 1:
            raise FeatureError(f"lookback_bars is {rows}; ask for 1 row or more")
        moment = self._moment if end is None else min(self._moment, instant_ms(end))
        cache = self._cache(parse_symbol(symbol))
        cache._check_age(moment)
        return cache._rows(timeframe, _key(feature_list), rows, moment)

    def row(self, symbol: str, timeframe: str, names: Iterable[str]) -> NDArray[np.float32]:
        """Return the latest closed bar's features, float32 [F]: the quick way, microseconds.

        Errors are those of `get_features`.
        """
        cache = self._cache(parse_symbol(symbol))
        cache._check_age(self._moment)
        return cache._row(timeframe, _key(names), self._moment)

    def _cache(self, symbol: str) -> FeatureCache:
        for cache in self._caches:
            if cache.symbol == symbol:
                return cache
        for cache in self._caches:
            if cache.symbol is None:  # candles of one symbol: the first asked for is theirs
                cache.symbol = symbol
                return cache
        known = ", ".join(str(cache.symbol) for cache in self._caches)
        raise FeatureError(
            f"the feature cache holds {known} and not {symbol}; "
            "enable it with candles of that symbol as well, and name the symbol"
        )


def _key(names: Iterable[str] | None) -> tuple[str, ...] | str:
    """Return names as they were asked for; text goes on as it is, and is refused later."""
    return MODEL_SET if names is None else names if isinstance(names, str) else tuple(names)


def _bar_length(candles: pd.DataFrame, timeframe: str | None) -> str:
    """Return the length of bars; taken for shorter ones, they would show before they close."""
    between = np.diff(open_ms(candles))
    if not len(between):
        raise FeatureError(f"a feature cache needs a history, and here are {len(candles)} candles")
    found = parse_timeframe(f"{int(between.min()) // 1000}s")
    if timeframe is not None and parse_timeframe(timeframe) != found:
        raise FeatureError(
            f"the candles are {found} apart and were said to be {timeframe}; "
            "leave the timeframe out, or give the candles it belongs to"
        )
    return found
