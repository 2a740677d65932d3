"""Bring the stored candles of one symbol up to date: fetch what is missing, repair, append."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from market.candles import RepairReport, empty_candles, open_ms, repair
from market.errors import NoCandles
from market.gaps import find_gaps, flat_runs
from market.source import CandleSource
from market.store import CandleStore
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe, timeframe_ms, utc

# Holes with fewer stored bars between them are fetched as one: a page of any exchange costs more
# than the bars on it.
_NEAR = 500


@dataclass(frozen=True)
class FetchResult:
    """What one update did and what is stored now.

    Parameters
    ----------
    symbol, timeframe : str
        Canonical.
    rows_new : int
        Bars that were not stored before.
    rows : int
        Bars stored in the window now.
    first, last : pandas.Timestamp
        Open times of the first and the last of them.
    conflicts : int
        Bars that came again with other values; the stored ones stay.
    report : RepairReport
        Rows fetched and dropped. Its gaps and flat bars are those of the whole window in the store,
        including bars missing at its start and end.
    """

    symbol: str
    timeframe: str
    rows_new: int
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    conflicts: int
    report: RepairReport


def update(
    source: CandleSource,
    store: CandleStore,
    symbol: str,
    timeframe: str,
    start: Instant,
    end: Instant,
) -> FetchResult:
    """Make the store hold what the source has of ``[start, end)``.

    Only bars that are not stored are asked for, so a second call asks for nothing but the holes
    that the source itself has.

    Parameters
    ----------
    source, store : CandleSource, CandleStore
        Where from and where to. The store should carry the source's name.
    symbol, timeframe : str
        In any spelling.
    start, end : Instant
        The window; bars that close after `end` are not fetched.

    Raises
    ------
    SourceError
        The source failed, or (`NoCandles`) neither it nor the store has a bar in the window.
    StoreError
        The store failed.
    """
    symbol, timeframe = parse_symbol(symbol), parse_timeframe(timeframe)
    step = timeframe_ms(timeframe)
    low, high = -(-instant_ms(start) // step) * step, instant_ms(end) // step * step
    known = store.read(symbol, timeframe, low, high)
    fetched, reason = _fetch_holes(source, symbol, timeframe, _holes(known, step, low, high))
    candles, report = repair(fetched, timeframe, end)
    merged = store.merge(symbol, timeframe, candles)
    stored = store.read(symbol, timeframe, low, high)
    if stored.empty:
        raise NoCandles(
            f"no {timeframe} candle of {symbol} from {utc(low)} to {utc(high)}: "
            + (reason or f"{source.name} answered with none; choose another window")
        )
    gaps = find_gaps(open_ms(stored), step, low, high)
    flat_bars, longest_flat = flat_runs(stored.to_numpy())
    return FetchResult(
        symbol=symbol,
        timeframe=timeframe,
        rows_new=merged.rows_new,
        rows=len(stored),
        first=stored.index[0],
        last=stored.index[-1],
        conflicts=merged.conflicts,
        report=replace(
            report,
            gaps=gaps,
            missing_bars=sum(gap.bars for gap in gaps),
            flat_bars=flat_bars,
            longest_flat=longest_flat,
        ),
    )


def _holes(known: pd.DataFrame, step: int, low: int, high: int) -> list[tuple[int, int]]:
    """Return the windows to ask for: what is not stored, near holes taken together."""
    holes: list[tuple[int, int]] = []
    for gap in find_gaps(open_ms(known), step, low, high):
        first, last = instant_ms(gap.start), instant_ms(gap.end)
        if holes and first - holes[-1][1] <= _NEAR * step:
            first = holes.pop()[0]
        holes.append((first, last))
    return holes


def _fetch_holes(
    source: CandleSource, symbol: str, timeframe: str, holes: list[tuple[int, int]]
) -> tuple[pd.DataFrame, str]:
    """Return all rows of the holes, and why a hole stayed empty where the source said so."""
    rows, reason = [empty_candles()], ""
    for first, last in holes:
        try:
            rows.append(source.fetch(symbol, timeframe, first, last))
        except NoCandles as error:  # a hole that cannot be filled is a gap, not a failure
            reason = str(error)
    return pd.concat(rows), reason
