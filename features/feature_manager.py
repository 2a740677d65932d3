"""Features by symbol and name: fetches the candles they need and returns settled values."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from features.catalogue import FEATURES
from features.errors import FeatureError, NotEnoughHistory
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
    ) -> None:
        source = source or os.environ.get("TIDEWHEEL_SOURCE", "simulated")
        self.source = open_source(source) if isinstance(source, str) else source
        folder = Path(home or os.environ.get("TIDEWHEEL_HOME", "var"))
        self.store = store or CandleStore(folder / "candles", self.source.name)
        self.end = end
        self._programs: dict[tuple[tuple[str, ...], str], FeatureProgram] = {}

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
            Names of the catalogue, its families (``sma_37``) or its aliases; by default the model
            set.
        lookback_bars : int, optional
            Rows wanted, 500 by default. As many bars more as the features need to settle are
            fetched and cut off again, so the first row is as good as the last.
        end : Instant, optional
            Only bars that close by then.

        Returns
        -------
        pandas.DataFrame
            Columns in the order asked for, float64 without NaN; the index is the open time of each
            bar, UTC. Fewer rows if the source has fewer bars. ``attrs`` tell symbol, timeframe,
            source and whether it is simulated.

        Raises
        ------
        UnknownFeature
            A name that nobody defined.
        NotEnoughHistory
            The source has too few bars for a single settled row.
        market.errors.MarketError
            The candles could not be had.
        """
        symbol, timeframe = parse_symbol(symbol), parse_timeframe(timeframe)
        rows = DEFAULT_BARS if lookback_bars is None else int(lookback_bars)
        if rows < 1:
            raise FeatureError(f"lookback_bars is {rows}; ask for 1 row or more")
        program = self._program(
            tuple(MODEL_SET if feature_list is None else feature_list), timeframe
        )
        candles = self._candles(symbol, timeframe, rows + program.settle, end)
        if len(candles) <= program.settle:
            slowest = max(program.settles, key=program.settles.__getitem__)
            raise NotEnoughHistory(
                f"{slowest} takes {program.settle} bars to settle, and {self.source.name} has "
                f"{len(candles)} {timeframe} bars of {symbol} before that moment; leave it out or "
                "choose a later end"
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
        return frame

    def list_features(self) -> list[str]:
        """Return the names of the catalogue."""
        return list(FEATURES)

    def describe_features(self, feature_list: Iterable[str] | None = None) -> pd.DataFrame:
        """Return group, unit, look-back, settling, hash and meaning by name (all by default)."""
        names = list(FEATURES if feature_list is None else feature_list)
        program = FeatureProgram(names)
        return pd.DataFrame(
            {
                "group": [FEATURES[name].group for name in names],
                "unit": [program.units[name] for name in names],
                "lookback": [program.lookbacks[name] for name in names],
                "settle": [program.settles[name] for name in names],
                "hash": [program.hashes[name] for name in names],
                "text": [FEATURES[name].text for name in names],
            },
            index=pd.Index(names, name="name"),
        )

    def _program(self, names: tuple[str, ...], timeframe: str) -> FeatureProgram:
        """Return a program nobody else is using."""
        known = self._programs.get((names, timeframe))
        if known is None:
            if len(self._programs) >= _PROGRAMS_KEPT:
                self._programs.clear()
            known = self._programs[names, timeframe] = FeatureProgram(names, timeframe)
        return known.fork()

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
