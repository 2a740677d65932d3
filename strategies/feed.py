"""Feed: candles as moments. All bars that close at one time come together, and before the next."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.candles import COLUMNS, as_candles, check_candles, open_ms
from market.errors import BadCandles
from market.symbols import parse_symbol
from market.timeframes import parse_timeframe, timeframe_ms
from strategies.orders import Bar

Candles = pd.DataFrame | Mapping[str, pd.DataFrame]
Moment = tuple[int, dict[str, Bar], dict[str, list[float]]]
"""A close, the bars that close at it, and what their candles hold besides, by symbol."""


@dataclass(frozen=True, eq=False)
class Feed:
    """Candles of several symbols, checked.

    Parameters
    ----------
    candles : mapping of str to DataFrame
        Canonical candles by canonical symbol, in the order given.
    extra : mapping of str to float64 array [n, E]
        Further columns of numbers, row by row; NaN where a symbol lacks one.
    extra_columns : tuple of str
        Their names.
    timeframe : str
        Length of all bars.
    told : mapping
        What their attrs say that holds for all: ``source``, ``simulated``.
    """

    candles: Mapping[str, pd.DataFrame]
    extra: Mapping[str, NDArray[np.float64]]
    extra_columns: tuple[str, ...]
    timeframe: str
    told: Mapping[Hashable, Any]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Canonical, as given."""
        return tuple(self.candles)

    @property
    def step_ms(self) -> int:
        """Length of a bar."""
        return timeframe_ms(self.timeframe)

    def closes_ms(self) -> NDArray[np.int64]:
        """Return the times at which a bar of any symbol closes, int64 [T], increasing."""
        opens = [open_ms(frame) for frame in self.candles.values()]
        same = all(np.array_equal(opens[0], other) for other in opens[1:])
        union = opens[0] if same else np.unique(np.concatenate(opens))
        return np.asarray(union + self.step_ms)

    def closes(self) -> pd.DataFrame:
        """Return closes by symbol at `closes_ms`, the latest where a symbol has no bar."""
        ends, columns = self.closes_ms(), {}
        for symbol, frame in self.candles.items():
            place = np.searchsorted(open_ms(frame) + self.step_ms, ends, side="right") - 1
            close = frame["close"].to_numpy(np.float64)
            columns[symbol] = np.where(place >= 0, close[np.maximum(place, 0)], np.nan)
        return pd.DataFrame(columns)

    def tables(self) -> Iterator[tuple[pd.DataFrame, str]]:
        """Yield candles with all their columns, and whose they are."""
        for symbol, frame in self.candles.items():
            beside = pd.DataFrame(self.extra[symbol], frame.index, list(self.extra_columns))
            table = pd.concat([frame, beside], axis=1)
            table.attrs = dict(self.told)
            yield table, symbol

    def moments(self) -> Iterator[Moment]:
        """Yield one moment after the other; symbols in alphabetical order."""
        step = self.step_ms
        sources = [_Source(s, self.candles[s], self.extra[s]) for s in sorted(self.candles)]
        for close in self.closes_ms().tolist():
            bars: dict[str, Bar] = {}
            extra: dict[str, list[float]] = {}
            for source in sources:
                if source.next_ms == close - step:
                    bars[source.symbol], extra[source.symbol] = source.take(close)
            yield close, bars, extra


class _Source:
    """Candles of one symbol, taken bar by bar."""

    def __init__(self, symbol: str, candles: pd.DataFrame, extra: NDArray[np.float64]) -> None:
        self.symbol = symbol
        self._times = open_ms(candles)
        self._values = candles.to_numpy(np.float64)
        self._extra = extra
        self._at = 0
        self.next_ms: int | None = int(self._times[0])

    def take(self, close_ms: int) -> tuple[Bar, list[float]]:
        at = self._at
        o, h, low, c, v = self._values[at].tolist()
        bar = Bar(close_ms if self.next_ms is None else self.next_ms, o, h, low, c, v, close_ms)
        beside = self._extra[at].tolist() if self._extra.shape[1] else []
        self._at = at = at + 1
        self.next_ms = int(self._times[at]) if at < len(self._times) else None
        return bar, beside


def feed(candles: Candles, symbol: str | None = None, timeframe: str | None = None) -> Feed:
    """Return candles as a feed, or say what is wrong with them.

    Parameters
    ----------
    candles : DataFrame or mapping of str to DataFrame
        Of one symbol, or of several by symbol, in any shape that `market.candles.as_candles`
        accepts, repaired and oldest first. Further columns of numbers are kept.
    symbol : str, optional
        Whose candles, where it is one table; by default what ``attrs["symbol"]`` says.
    timeframe : str, optional
        Length of the bars, if it is to be checked; otherwise what lies between them.

    Raises
    ------
    BadCandles
        Columns are missing, rows are unsorted, double or cannot be; there are fewer than two; bars
        are off the grid of their length, or of another length than said.
    market.errors.BadSymbol
        A symbol is none, or none was named.
    """
    tables = _by_symbol(candles, symbol)
    frames: dict[str, pd.DataFrame] = {}
    for name, table in tables.items():
        frame = as_candles(table)
        try:
            check_candles(frame)
        except BadCandles as error:
            raise BadCandles(f"{name}: {error}") from error
        frames[name] = frame
    length = _length(frames, timeframe)
    told = [table.attrs for table in tables.values()]
    sources = dict.fromkeys(str(t["source"]) for t in told if "source" in t)
    said: dict[Hashable, Any] = {"source": ", ".join(sources)} if sources else {}
    if any("simulated" in t for t in told):
        said["simulated"] = any(bool(t.get("simulated")) for t in told)
    beside = tuple(dict.fromkeys(n for table in tables.values() for n in _numbers(table)))
    extra = {name: _besides(table, beside) for name, table in tables.items()}
    return Feed(frames, extra, beside, length, said)


def _by_symbol(candles: Candles, symbol: str | None) -> dict[str, pd.DataFrame]:
    if isinstance(candles, pd.DataFrame):
        name = symbol or candles.attrs.get("symbol")
        if name is None:
            raise BadCandles("whose candles are these? name the symbol: run(candles, 'BTC-USDT')")
        return {parse_symbol(name): candles}
    if not isinstance(candles, Mapping):
        raise BadCandles(
            f"candles are a DataFrame, or one for each symbol, not {type(candles).__name__}"
        )
    if symbol is not None:
        raise BadCandles(f"candles by symbol name their symbols; leave {symbol!r} out")
    tables = {parse_symbol(name): table for name, table in candles.items()}
    if len(tables) < len(candles) or not tables:
        raise BadCandles(f"one table a symbol is needed, and here are {list(candles)}")
    return tables


def _numbers(table: pd.DataFrame) -> list[str]:
    """Return the names of columns of numbers that are not candles."""
    known = {*COLUMNS, "timestamp"}
    names = [name for name in table.columns if str(name).strip().lower() not in known]
    return [name for name in names if pd.api.types.is_numeric_dtype(table[name].dtype)]


def _besides(table: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    values = np.full((len(table), len(names)), np.nan)
    for column, name in enumerate(names):
        if name in table:
            values[:, column] = table[name].to_numpy(np.float64, na_value=np.nan)
    return values


def _length(frames: Mapping[str, pd.DataFrame], timeframe: str | None) -> str:
    """Return the length of all bars."""
    short = [f"{name} ({len(frame)})" for name, frame in frames.items() if len(frame) < 2]
    if short:
        raise BadCandles(f"a backtest takes 2 bars or more of each symbol: {', '.join(short)}")
    steps = {name: int(np.diff(open_ms(frame)).min()) for name, frame in frames.items()}
    found = parse_timeframe(f"{min(steps.values()) // 1000}s")
    if timeframe is not None and parse_timeframe(timeframe) != found:
        raise BadCandles(
            f"the bars are {found} apart and were said to be {timeframe}; market.resample.resample "
            "makes longer ones"
        )
    step = timeframe_ms(found)
    off = [name for name, frame in frames.items() if (open_ms(frame) % step).any()]
    if off:
        raise BadCandles(f"bars of {', '.join(off)} open off the grid of {found}; call repair")
    return found
