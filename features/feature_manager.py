"""Features by symbol and name: fetches the candles they need and returns settled values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from features import own
from features.besides import DEFAULT_BENCHMARK, Besides, Published
from features.catalogue import FEATURES
from features.catalogue.feature import OWN
from features.catalogue.lookup import find
from features.description import REFUSED
from features.errors import FeatureError, NotEnoughHistory, RefusedFeature
from features.foreign.indicators import expand
from features.hashes import is_listed
from features.model_set import MODEL_SET
from features.program import FeatureProgram
from market.fetch import update
from market.source import CandleSource, open_source
from market.store import CandleStore
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe, timeframe_ms

DEFAULT_BARS = 500
_PROGRAMS_KEPT = 64


class FeatureManager:
    """What a strategy or a notebook asks for features.

    Parameters
    ----------
    source : CandleSource or str, optional
        Where candles come from; a text is opened by `market.source.open_source`. By default
        ``TIDEWHEEL_SOURCE``, or the simulated market.
    home : path, optional
        Folder of everything that is kept; by default ``TIDEWHEEL_HOME``, or ``var``.
    store : CandleStore, optional
        By default ``<home>/candles``.
    end : Instant, optional
        The present moment, for replays; by default the clock's.
    benchmark : str
        Symbol that features such as ``btc_beta_60`` compare with; its candles are fetched from the
        same source.
    sentiment : Series, DataFrame, path or callable, optional
        What features such as ``sentiment_ema_12`` read: values by the moment they were published,
        see `features.besides.Published`.
    sentiment_max_age : str or pandas.Timedelta, optional
        How long a value of it counts, such as ``"24h"``; for ever by default. An older one is told
        by ``sentiment_missing``.

    Examples
    --------
    >>> manager = FeatureManager()                                          # doctest: +SKIP
    >>> manager.get_features("BTC-USDT", "5m", ["rsi_14"]).iloc[-1]         # doctest: +SKIP
    """

    def __init__(
        self,
        source: CandleSource | str | None = None,
        *,
        home: str | os.PathLike[str] | None = None,
        store: CandleStore | None = None,
        end: Instant | None = None,
        benchmark: str = DEFAULT_BENCHMARK,
        sentiment: Published | None = None,
        sentiment_max_age: str | pd.Timedelta | None = None,
    ) -> None:
        source = source or os.environ.get("TIDEWHEEL_SOURCE", "simulated")
        self.source = open_source(source) if isinstance(source, str) else source
        folder = Path(home or os.environ.get("TIDEWHEEL_HOME", "var"))
        self.store = store or CandleStore(folder / "candles", self.source.name)
        self.end = end
        self.besides = Besides(parse_symbol(benchmark), sentiment, sentiment_max_age)
        self._programs: dict[tuple[object, ...], FeatureProgram] = {}

    def get_features(
        self,
        symbol: str,
        timeframe: str,
        feature_list: Iterable[str] | None = None,
        lookback_bars: int | None = None,
        end: Instant | None = None,
    ) -> pd.DataFrame:
        """Return features of the latest closed bars.

        Parameters
        ----------
        symbol, timeframe : str
            In any spelling.
        feature_list : iterable of str, optional
            Names of the catalogue, its families (``sma_37``) or its aliases, indicators of
            pandas-ta (``ta:kst``: all of its columns, ``ta:kst.KST``: one) and features of one's
            own, in any mixture; by default the model set.
        lookback_bars : int, optional
            Rows wanted, 500 by default. As many bars more as the features need to settle are
            fetched and cut off again, so the first row is as good as the last.
        end : Instant, optional
            Only bars that close by then.

        Returns
        -------
        pandas.DataFrame
            Columns in the order asked for, float64; the index is the open time of each bar, UTC.
            Fewer rows if the source has fewer bars. No NaN, except that an indicator or a
            function of one's own has none where it divides 0 by 0. ``attrs`` tell symbol,
            timeframe, source, whether it is simulated, and the hashes of such columns.

        Raises
        ------
        UnknownFeature
            A name that nobody defined.
        RefusedFeature
            An indicator or function that the probe refuses.
        MissingInput
            No benchmark or sentiment for the features that read one.
        NotEnoughHistory
            The source has too few bars for a single settled row.
        market.errors.MarketError
            The candles could not be had.
        """
        symbol, timeframe = parse_symbol(symbol), parse_timeframe(timeframe)
        rows = DEFAULT_BARS if lookback_bars is None else int(lookback_bars)
        if rows < 1:
            raise FeatureError(f"lookback_bars is {rows}; ask for 1 row or more")
        program = self._program(expanded(feature_list), timeframe)
        candles = self._candles(symbol, timeframe, rows + program.settle, end)
        if len(candles) <= program.settle:
            slowest = max(program.settles, key=program.settles.__getitem__)
            raise NotEnoughHistory(
                f"{slowest} takes {program.settle} bars to settle, and {self.source.name} has "
                f"{len(candles)} {timeframe} bars of {symbol} before that moment; leave it out or "
                "choose a later end"
            )
        candles = self.besides.join(
            candles, symbol, timeframe, program.inputs, partial(self._between, timeframe)
        )
        values = program.run(candles, dtype=np.float64)[program.settle :][-rows:]
        frame = pd.DataFrame(
            values, index=candles.index[-len(values) :], columns=list(program.names)
        )
        frame.attrs = {
            "symbol": symbol,
            "timeframe": timeframe,
            "source": self.source.name,
            "simulated": self.source.simulated,
        }
        foreign = {name: program.hashes[name] for name in program.names if not is_listed(name)}
        if foreign:
            frame.attrs["definitions"] = foreign
        return frame

    def list_features(self) -> list[str]:
        """Return the names of the catalogue, then those of one's own.

        Families, aliases and the indicators of pandas-ta answer to their names as well.
        """
        return own.every_name()

    def describe_features(self, feature_list: Iterable[str] | None = None) -> pd.DataFrame:
        """Return group, unit, look-back, settling, hash and meaning by name.

        Parameters
        ----------
        feature_list : iterable of str, optional
            By default all that `list_features` names: one of them that is refused says why in
            place of its meaning, and has no unit, look-back and settling.

        Raises
        ------
        UnknownFeature, RefusedFeature
            For a name that was asked for.
        """
        if feature_list is not None:
            return _table(expanded(feature_list), {})
        refused: dict[str, str] = {}
        names = self.list_features()
        for name in names:
            try:
                find(name, FEATURES)
            except RefusedFeature as error:
                refused[name] = f"refused: {error}"
        return _table(names, refused)

    def _program(self, names: tuple[str, ...], timeframe: str) -> FeatureProgram:
        """Return a program nobody else is using."""
        # A feature of one's own may be defined anew while this manager lives.
        definitions = [find(n, FEATURES).expression.digest for n in names if not is_listed(n)]
        key = (names, timeframe, *definitions)
        known = self._programs.get(key)
        if known is None:
            if len(self._programs) >= _PROGRAMS_KEPT:
                self._programs.clear()
            known = self._programs[key] = FeatureProgram(names, timeframe)
        return known.fork()

    def _between(self, timeframe: str, symbol: str, start: int, end: int) -> pd.DataFrame:
        update(self.source, self.store, symbol, timeframe, start, end)
        return self.store.read(symbol, timeframe, start, end)

    def _candles(self, symbol: str, timeframe: str, bars: int, end: Instant | None) -> pd.DataFrame:
        """Return the latest `bars` candles; reaches back further for those lost to gaps, once."""
        step = timeframe_ms(timeframe)
        last = next((e for e in (end, self.end) if e is not None), None)
        until = instant_ms(datetime.now(UTC) if last is None else last) // step * step
        start = until - bars * step
        missing = bars - update(self.source, self.store, symbol, timeframe, start, until).rows
        if missing:
            start -= 2 * missing * step
            update(self.source, self.store, symbol, timeframe, start, until)
        return self.store.read(symbol, timeframe, start, until).iloc[-bars:]


def _table(names: Sequence[str], refused: Mapping[str, str]) -> pd.DataFrame:
    """Return what there is to say about features; of those `refused`, only why."""
    usable = [name for name in names if name not in refused]
    program = FeatureProgram(usable)
    found = [find(name, FEATURES) for name in usable]
    table = pd.DataFrame(
        {
            "group": [feature.group for feature in found],
            "unit": [program.units[name] for name in usable],
            "lookback": pd.array([program.lookbacks[name] for name in usable], "Int64"),
            "settle": pd.array([program.settles[name] for name in usable], "Int64"),
            "hash": [program.hashes[name] for name in usable],
            "text": [feature.text for feature in found],
        },
        index=pd.Index(usable, name="name"),
    ).reindex(pd.Index(names, name="name"))
    for name, reason in refused.items():
        table.loc[name, ["group", "unit", "hash", "text"]] = [OWN, REFUSED, "", reason]
    return table


def expanded(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return names of columns: by default the model set, each indicator as all of its columns."""
    if isinstance(names, str):
        raise FeatureError(f"feature_list must be a list of feature names, not {names!r}")
    every = MODEL_SET if names is None else names
    return tuple(column for name in every for column in expand(name))
