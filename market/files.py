"""Candle files in a folder as a source: Parquet or CSV, one file a symbol and timeframe."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from market.candles import as_candles, open_ms, repair
from market.errors import (
    BadAnswer,
    BadCandles,
    BadSpec,
    MarketError,
    NoCandles,
    UnknownSymbol,
    UnsupportedTimeframe,
)
from market.gaps import Millis
from market.resample import resample
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe, timeframe_ms, utc

_SUFFIXES = (".parquet", ".csv")  # where both are there, the first is read


class FilesSource:
    """Candles from a folder of files named ``<SYMBOL>_<timeframe>.parquet`` or ``.csv``.

    Symbol and timeframe may have any spelling (``BTC-USDT_1m``, ``btcusdt_1min``). A file holds the
    columns ``timestamp`` (open time: with a zone, or UTC, or epoch milliseconds), ``open``,
    ``high``, ``low``, ``close``, ``volume``; more columns are ignored. A timeframe without a file
    is made of a shorter one that fits. Where several files can serve a window, the one with the
    most bars in it does, and of those the one with the longest.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Raises
    ------
    BadSpec
        There is no such folder.
    """

    simulated: ClassVar[bool] = False

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser().resolve()
        if not self.folder.is_dir():
            raise BadSpec(f"there is no folder {self.folder}; write files:<folder of candle files>")
        slug = re.sub(r"[^A-Za-z0-9]+", "-", self.folder.name).strip("-").lower() or "root"
        # Two folders called "data" hold different candles, and must not share a store.
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:6]
        self.name = f"files-{slug}-{digest}"

    def listing(self) -> dict[tuple[str, str], Path]:
        """Return the candle files of the folder by (symbol, timeframe); other files are ignored."""
        found: dict[tuple[str, str], Path] = {}
        for suffix in _SUFFIXES:
            for path in sorted(self.folder.glob(f"*{suffix}")):
                key = _key(path)
                if key is not None:
                    found.setdefault(key, path)
        return found

    def fetch(self, symbol: str, timeframe: str, start: Instant, end: Instant) -> pd.DataFrame:
        """Return the candles that open at or after `start` and close by `end`.

        Rows without a readable time come along, so that `repair` counts them.

        Raises
        ------
        UnknownSymbol, UnsupportedTimeframe
            No file of the symbol, or none that the timeframe can be made of.
        NoCandles
            The files cover no part of the window.
        BadAnswer
            A file that cannot be read, or that does not hold candles.
        """
        symbol, timeframe = parse_symbol(symbol), parse_timeframe(timeframe)
        low, high = instant_ms(start), instant_ms(end) - timeframe_ms(timeframe)
        best, spans = None, []
        for stored, path in self._fitting(symbol, timeframe):
            rows = _as_timeframe(_read(path), stored, timeframe, instant_ms(end))
            times, unknown = open_ms(rows), np.asarray(rows.index.isna())
            inside = rows[unknown | ((times >= low) & (times <= high))]
            if best is None or len(inside) > len(best):
                best = inside
            if not unknown.all():
                spans.append(f"{path.name} {_span(times[~unknown])}")
        if best is None or best.empty:
            raise NoCandles(
                f"the files of {symbol} cover other times ({'; '.join(spans)}); "
                "choose a window within them"
            )
        return best

    def _fitting(self, symbol: str, timeframe: str) -> list[tuple[str, Path]]:
        """Return the files that can serve a timeframe, the longest bars first."""
        files = self.listing()
        mine = {tf: path for (name, tf), path in files.items() if name == symbol}
        if not mine:
            names = ", ".join(sorted({name for name, _ in files})) or "no candle file at all"
            raise UnknownSymbol(
                f"{self.folder} has no candles of {symbol}; it has {names} "
                "(files are named like BTC-USDT_1m.parquet)"
            )
        step = timeframe_ms(timeframe)
        fitting = [(tf, path) for tf, path in mine.items() if step % timeframe_ms(tf) == 0]
        if not fitting:
            raise UnsupportedTimeframe(
                f"{self.folder} has {symbol} as {', '.join(mine)}, "
                f"of which {timeframe} bars cannot be made"
            )
        return sorted(fitting, key=lambda item: -timeframe_ms(item[0]))


def _as_timeframe(rows: pd.DataFrame, stored: str, timeframe: str, end: int) -> pd.DataFrame:
    """Make longer bars; only repaired ones can be used, and what was dropped leaves a gap."""
    if stored == timeframe:
        return rows
    return resample(repair(rows, stored, end)[0], stored, timeframe)


def _span(times: Millis) -> str:
    return f"{utc(int(times.min())):%Y-%m-%dT%H:%MZ} to {utc(int(times.max())):%Y-%m-%dT%H:%MZ}"


def _key(path: Path) -> tuple[str, str] | None:
    symbol, _, timeframe = path.stem.rpartition("_")
    try:
        return parse_symbol(symbol), parse_timeframe(timeframe)
    except MarketError:
        return None


def _read(path: Path) -> pd.DataFrame:
    """Return the rows of a file in canonical shape, unrepaired."""
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        return as_candles(table)
    except (pa.ArrowException, OSError, ValueError, BadCandles) as error:
        raise BadAnswer(f"{path} does not hold candles: {error}") from error
