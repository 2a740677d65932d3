"""Columns of signals: what is wished for at the close of each bar, known for a whole history.

A row is labelled like its candle, by the open, and is decided on at its close. One column a symbol;
a Series where there is one symbol. What is missing or NaN is no new wish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.symbols import parse_symbol
from strategies.codes import Floats, Whole
from strategies.errors import BadTerms

Frame: TypeAlias = pd.DataFrame | pd.Series


@dataclass(frozen=True, eq=False)
class Targets:
    """Shares of equity to hold.

    Parameters
    ----------
    exposure : DataFrame or Series
        Signed notional / equity to be aimed at: 0.5 holds half of the account long, -0.5 short, 0
        nothing, NaN what is held. A wish that is repeated in each row trades in each row.
    tolerance : float
        How far a position may be off before a wish for the same side corrects it, as a share of
        itself.
    """

    exposure: Frame
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < np.inf:
            raise BadTerms(f"a tolerance of {self.tolerance} cannot be; 0 corrects always")


@dataclass(frozen=True, eq=False)
class Entries:
    """Where to go in and out, as `strategies.desk.Desk` does with ``OppositeSignal``.

    An entry opens where nothing is held, is not heard where that side is, and turns the other
    side around.

    Parameters
    ----------
    long : DataFrame or Series
        True where a wish for long begins.
    short : DataFrame or Series, optional
        The same for short.
    exits : DataFrame or Series, optional
        True where a position ends; without, only the other side ends it.
    fraction : float
        Of equity, that each entry takes.
    """

    long: Frame
    short: Frame | None = None
    exits: Frame | None = None
    fraction: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.fraction < np.inf:
            raise BadTerms(f"fraction is {self.fraction}; it must be a positive number")


@dataclass(frozen=True, eq=False)
class Quantities:
    """Orders.

    Parameters
    ----------
    quantity : DataFrame or Series
        Signed, base currency, to be bought or sold; 0 and NaN are no order.
    """

    quantity: Frame


Columns: TypeAlias = Targets | Entries | Quantities


def matrix(frame: Frame, what: str, symbols: tuple[str, ...], opens_ms: Whole) -> Floats:
    """Return a frame's values at the rows and columns of candles, float64[T, S], else NaN.

    Parameters
    ----------
    frame : DataFrame or Series
        Indexed by the open times of candles; without a zone they are read as UTC.
    what : str
        What errors call it.
    symbols : tuple of str
        Canonical, the columns of the result.
    opens_ms : int64[T]
        Open times, increasing, the rows of the result.

    Raises
    ------
    BadTerms
        Times or symbols without candles, times that are double, or numbers that are infinite.
    """
    table = _table(frame, what, symbols)
    times = _times(table.index, what)
    rows = _rows(times, what, opens_ms)
    values = np.full((len(opens_ms), len(symbols)), np.nan)
    for j, symbol in enumerate(symbols):
        if symbol in table.columns:
            values[rows, j] = table[symbol].to_numpy(np.float64, na_value=np.nan)
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise BadTerms(f"{what}: {infinite} values are infinite; NaN is no wish")
    return values


def sides(entries: Entries, symbols: tuple[str, ...], opens_ms: Whole) -> Floats:
    """Return entries as one matrix: 1 long, -1 short, NaN neither.

    Raises
    ------
    BadTerms
        As `matrix`, and where both sides begin at once.
    """
    long = _truths(entries.long, "long", symbols, opens_ms)
    short = np.zeros_like(long)
    if entries.short is not None:
        short = _truths(entries.short, "short", symbols, opens_ms)
    both = int((long & short).sum())
    if both:
        raise BadTerms(f"{both} bars begin long and short at once; a bar has one wish")
    return np.where(long, 1.0, np.where(short, -1.0, np.nan))


def leavings(entries: Entries, symbols: tuple[str, ...], opens_ms: Whole) -> NDArray[np.bool_]:
    """Return exits as bool[T, S]; of no rows where there are none."""
    if entries.exits is None:
        return np.zeros((0, len(symbols)), np.bool_)
    return _truths(entries.exits, "exits", symbols, opens_ms)


def _truths(
    frame: Frame, what: str, symbols: tuple[str, ...], opens_ms: Whole
) -> NDArray[np.bool_]:
    values = matrix(frame, what, symbols, opens_ms)
    other = int(((values != 0.0) & (values != 1.0) & ~np.isnan(values)).sum())
    if other:
        raise BadTerms(f"{what}: {other} values are neither true nor false")
    return np.asarray(values == 1.0)


def _rows(times: Whole, what: str, opens_ms: Whole) -> Whole | slice:
    """Return at which candles the times are."""
    if np.array_equal(times, opens_ms):
        return slice(None)
    rows = np.minimum(np.searchsorted(opens_ms, times), len(opens_ms) - 1)
    unknown = int((opens_ms[rows] != times).sum())
    double = int((np.diff(np.sort(times)) == 0).sum())
    if unknown or double:
        raise BadTerms(
            f"{what}: {unknown} of {len(times)} rows have no candle that opens then, "
            f"{double} are double; index signals like their candles"
        )
    return rows


def _table(frame: Frame, what: str, symbols: tuple[str, ...]) -> pd.DataFrame:
    if isinstance(frame, pd.Series):
        if len(symbols) > 1:
            raise BadTerms(f"{what}: one column for {len(symbols)} symbols; pass a column a symbol")
        return frame.to_frame(symbols[0])
    table = frame.rename(columns=lambda name: parse_symbol(str(name)))
    strangers = [name for name in table.columns if name not in symbols]
    if strangers or not table.columns.is_unique:
        raise BadTerms(f"{what}: columns {list(table.columns)}, candles of {list(symbols)}")
    return table


def _times(index: pd.Index, what: str) -> Whole:
    if not isinstance(index, pd.DatetimeIndex):
        raise BadTerms(f"{what}: the index is {index.dtype}; index signals like their candles")
    utc = index.tz_localize("UTC") if index.tz is None else index
    return np.asarray(utc.as_unit("ms").asi8)
