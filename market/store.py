"""Candles on disk: one Parquet file per source, symbol and timeframe, replaced as a whole.

A reader never sees half a file and needs no lock; two writers take turns. What was stored stays:
a bar that comes again with other values is counted as a conflict and not written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from market.candles import COLUMNS, as_candles, check_candles, empty_candles, open_ms
from market.errors import StoreCorrupt, StoreError, StoreLocked
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe, utc

_SCHEMA = pa.schema(
    [("timestamp", pa.timestamp("ms", tz="UTC")), *((name, pa.float64()) for name in COLUMNS)]
)
_ROWS_PER_GROUP = 20_000  # two weeks of 1m: a read of some days touches one or two groups


@dataclass(frozen=True)
class Merged:
    """What one write to the store did.

    Parameters
    ----------
    rows_new : int
        Bars that were not stored before and are now.
    conflicts : int
        Bars that were stored with other values; the stored ones stay.
    """

    rows_new: int
    conflicts: int


class CandleStore:
    """Parquet files under ``<root>/<source_name>/<SYMBOL>/<timeframe>.parquet``.

    Parameters
    ----------
    root : str or Path
        Folder of all candles; made on the first write.
    source_name : str
        `CandleSource.name`: candles of different sources never mix.
    lock_timeout_s : float
        How long a writer waits for another one.
    """

    def __init__(
        self, root: str | os.PathLike[str], source_name: str, *, lock_timeout_s: float = 60.0
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", source_name):
            raise StoreError(
                f"{source_name!r} cannot name a folder; use letters, digits, '.', '_' and '-'"
            )
        self.folder = Path(root) / source_name
        self.lock_timeout_s = lock_timeout_s

    def path(self, symbol: str, timeframe: str) -> Path:
        """Return where the candles of a symbol and timeframe lie, or would lie."""
        return self.folder / parse_symbol(symbol) / f"{parse_timeframe(timeframe)}.parquet"

    def append(self, symbol: str, timeframe: str, candles: pd.DataFrame) -> int:
        """Store the bars that are not stored yet and return how many they were.

        See `merge`, which also says how many disagreed with what is stored.
        """
        return self.merge(symbol, timeframe, candles).rows_new

    def merge(self, symbol: str, timeframe: str, candles: pd.DataFrame) -> Merged:
        """Store the bars that are not stored yet.

        Parameters
        ----------
        symbol, timeframe : str
            In any spelling.
        candles : pandas.DataFrame
            Canonical, repaired candles. They may lie before, after, between or on stored ones.

        Raises
        ------
        BadCandles
            The candles were not repaired.
        StoreLocked
            Another writer held the lock for `lock_timeout_s`.
        StoreCorrupt
            The stored file cannot be read; nothing was written.
        """
        check_candles(candles)
        if candles.empty:
            return Merged(0, 0)
        path = self.path(symbol, timeframe)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{path}.lock", timeout=self.lock_timeout_s):
                stored = self.read(symbol, timeframe)
                known = candles.index.isin(stored.index)
                again = candles[known]
                same = (stored.loc[again.index].to_numpy() == again.to_numpy()).all(axis=1)
                if not known.all():
                    _write(path, pd.concat([stored, candles[~known]]).sort_index())
        except Timeout as error:
            raise StoreLocked(
                f"another process has held {path}.lock for {self.lock_timeout_s:g} s; "
                "wait until it has written its candles, or end it"
            ) from error
        return Merged(int((~known).sum()), int((~same).sum()))

    def read(
        self,
        symbol: str,
        timeframe: str,
        start: Instant | None = None,
        end: Instant | None = None,
    ) -> pd.DataFrame:
        """Return the stored candles that open in ``[start, end)``; none is an empty frame.

        Raises
        ------
        StoreCorrupt
            The file cannot be read.
        """
        path = self.path(symbol, timeframe)
        if not path.exists():
            return empty_candles()
        bounds = [
            ("timestamp", sign, utc(instant_ms(edge)).to_pydatetime())
            for sign, edge in ((">=", start), ("<", end))
            if edge is not None
        ]
        try:
            table = pq.read_table(path, schema=_SCHEMA, filters=bounds or None)
        except (pa.ArrowException, OSError) as error:
            raise StoreCorrupt(
                f"{path} cannot be read ({error}); delete it and its candles are fetched again"
            ) from error
        return as_candles(table.to_pandas())

    def span(self, symbol: str, timeframe: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """Return the open times of the first and the last stored bar, or None."""
        candles = self.read(symbol, timeframe)
        return None if candles.empty else (candles.index[0], candles.index[-1])


def _write(path: Path, candles: pd.DataFrame) -> None:
    """Replace the file in one step: a crash leaves the old one or the new one."""
    columns = [pa.array(open_ms(candles)).cast(_SCHEMA.field(0).type)]
    columns += [pa.array(np.ascontiguousarray(candles[name])) for name in COLUMNS]
    table = pa.Table.from_arrays(columns, schema=_SCHEMA)
    # One name for all writers: the lock lets in one at a time, and the next one cleans up.
    unfinished = path.with_name(f".{path.name}.tmp")
    with open(unfinished, "wb") as file:
        pq.write_table(table, file, row_group_size=_ROWS_PER_GROUP, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
