"""What candles are, what makes them bad, and the report of what was repaired.

Canonical candles are a DataFrame with

* index: ``DatetimeIndex`` named ``timestamp``, UTC, milliseconds, strictly increasing; it is the
  *open* time of each bar;
* columns ``open high low close volume``, float64; prices in quote units, volume in base units.

`as_candles` gives any table of candles this shape without touching a value, `repair` drops what
cannot be true and counts it, `check_candles` refuses what was not repaired. Nothing is ever
filled in: a gap stays a gap.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from market.errors import BadCandles
from market.gaps import Gap, Millis, find_gaps, flat_runs
from market.timeframes import Instant, instant_ms, timeframe_ms

COLUMNS = ("open", "high", "low", "close", "volume")
_NAT = np.iinfo(np.int64).min
# 1973 and 5138 in epoch milliseconds: outside, the numbers are seconds or microseconds.
_EPOCH_MS = (10**11, 10**14)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RepairReport:
    """What `repair` was given, what it dropped and why, and what it left standing.

    A row is counted once, under the first reason that holds, in the order of the fields.

    Parameters
    ----------
    rows_in, rows_out : int
        Rows given and rows kept.
    nan_rows, non_positive, impossible, off_grid, future, unfinished : int
        Rows dropped: a missing number or time; a price that is not positive or a negative volume;
        high and low that do not enclose open and close; an open time that is not a multiple of the
        bar length; a bar that opens after now; a bar that has not closed yet.
    duplicates, conflicting_duplicates : int
        Rows dropped because an earlier row has the same time: with the same, or with other values.
    unsorted : int
        Rows that stood before an earlier one; they were put in order, not dropped.
    missing_bars : int
        Bars missing between the first and the last one kept.
    gaps : tuple of Gap
        Where they are missing.
    flat_bars, longest_flat : int
        Bars kept whose four prices are equal, and the longest run of them: an outage looks so.
    """

    rows_in: int = 0
    rows_out: int = 0
    nan_rows: int = 0
    non_positive: int = 0
    impossible: int = 0
    off_grid: int = 0
    future: int = 0
    unfinished: int = 0
    duplicates: int = 0
    conflicting_duplicates: int = 0
    unsorted: int = 0
    missing_bars: int = 0
    gaps: tuple[Gap, ...] = ()
    flat_bars: int = 0
    longest_flat: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing was dropped, reordered or missing. Flat bars are allowed."""
        return self.rows_in == self.rows_out and not (self.unsorted or self.missing_bars)

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain JSON values; times as ISO text."""
        plain: dict[str, object] = asdict(self)
        plain["gaps"] = [
            {"start": gap.start.isoformat(), "end": gap.end.isoformat(), "bars": gap.bars}
            for gap in self.gaps
        ]
        return plain | {"clean": self.clean}

    def summary(self) -> str:
        """Return one line for people: rows kept, and every count that is not zero."""
        skip = {"rows_in", "rows_out", "gaps"}
        counts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in skip}
        found = [f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count]
        head = f"{self.rows_out} of {self.rows_in} rows kept"
        return f"{head}; {', '.join(found)}" if found else f"{head}; clean"


def empty_candles() -> pd.DataFrame:
    """Return canonical candles with no row."""
    return candle_frame(np.empty(0, np.int64), np.empty((0, len(COLUMNS))))


def as_candles(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table of candles the canonical shape; no value is changed and no row dropped.

    Parameters
    ----------
    table : pandas.DataFrame
        With the five columns (any case, others are ignored) and the open time either as a column
        ``timestamp`` or as the index: datetimes (without a zone they are read as UTC, as candle
        files mean them), ISO text, or epoch milliseconds.

    Returns
    -------
    pandas.DataFrame
        Canonical index and columns; rows in the given order, what cannot be read as NaT or NaN.

    Raises
    ------
    BadCandles
        A column is missing, or the numbers of ``timestamp`` are not milliseconds.
    """
    table = table.rename(columns=lambda name: str(name).strip().lower())
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise BadCandles(
            f"candles lack the columns {', '.join(missing)} (found: {', '.join(table.columns)}); "
            f"needed are timestamp, {', '.join(COLUMNS)}"
        )
    times = table["timestamp"] if "timestamp" in table.columns else table.index.to_series()
    values = np.column_stack(
        [pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64) for name in COLUMNS]
    )
    return candle_frame(_open_ms(times), values)


def open_ms(candles: pd.DataFrame) -> Millis:
    """Return the open times of canonical candles as epoch milliseconds, int64 [n]."""
    return pd.DatetimeIndex(candles.index).asi8


def check_candles(candles: pd.DataFrame) -> None:
    """Refuse a frame that is not canonical.

    Raises
    ------
    BadCandles
        Says which rule is broken and by how many rows.
    """
    index = candles.index
    if not isinstance(index, pd.DatetimeIndex) or str(index.dtype) != "datetime64[ms, UTC]":
        raise BadCandles(f"the index is {index.dtype}, not datetime64[ms, UTC]; call as_candles")
    if tuple(candles.columns) != COLUMNS:
        raise BadCandles(f"the columns are {list(candles.columns)}, not {list(COLUMNS)}")
    backwards = int((np.diff(index.asi8) <= 0).sum())
    bad_values = int(_bad_values(open_ms(candles), candles.to_numpy(np.float64)).any(axis=0).sum())
    if backwards or bad_values:
        raise BadCandles(
            f"{backwards} rows do not follow the one before and {bad_values} hold values that "
            "cannot be; call repair"
        )


def repair(
    candles: pd.DataFrame, timeframe: str, now: Instant
) -> tuple[pd.DataFrame, RepairReport]:
    """Drop the rows that cannot be true, sort the rest, and say what was found.

    Parameters
    ----------
    candles : pandas.DataFrame
        Any table `as_candles` accepts.
    timeframe : str
        Length of a bar; open times must be multiples of it.
    now : Instant
        Bars that close after this moment are dropped.

    Returns
    -------
    (pandas.DataFrame, RepairReport)
        Canonical candles and the report. Of rows with the same time the first given is kept.
    """
    frame = as_candles(candles)
    step, now_ms = timeframe_ms(timeframe), instant_ms(now)
    times, values = open_ms(frame), frame.to_numpy(np.float64)
    nan_rows, non_positive, impossible = _bad_values(times, values)
    reasons = {
        "nan_rows": nan_rows,
        "non_positive": non_positive,
        "impossible": impossible,
        "off_grid": times % step != 0,
        "future": times >= now_ms,
        "unfinished": times > now_ms - step,
    }
    bad = np.zeros(len(times), dtype=bool)
    counts: dict[str, int] = {}
    for name, mask in reasons.items():
        counts[name] = int((mask & ~bad).sum())
        bad |= mask
    unsorted = _out_of_order(times[~bad])
    order = np.flatnonzero(~bad)[np.argsort(times[~bad], kind="stable")]
    first, same = _first_of_each(times[order], values[order])
    kept = order[first]
    gaps = find_gaps(times[kept], step)
    flat_bars, longest_flat = flat_runs(values[kept])
    report = RepairReport(
        rows_in=len(frame),
        rows_out=len(kept),
        **counts,
        duplicates=int((~first & same).sum()),
        conflicting_duplicates=int((~first & ~same).sum()),
        unsorted=unsorted,
        missing_bars=sum(gap.bars for gap in gaps),
        gaps=gaps,
        flat_bars=flat_bars,
        longest_flat=longest_flat,
    )
    return candle_frame(times[kept], values[kept]), report


def candle_frame(times: Millis, values: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Return a frame of canonical shape from epoch milliseconds [n] and values [n, 5]."""
    stamps = pd.DatetimeIndex(times.astype("datetime64[ms]"), name="timestamp").tz_localize("UTC")
    return pd.DataFrame(values, index=stamps, columns=list(COLUMNS), copy=True)


def _open_ms(times: pd.Series) -> Millis:
    """Read datetimes, ISO text or epoch milliseconds; what is neither becomes NaT."""
    if pd.api.types.is_numeric_dtype(times.dtype):
        numbers = times.to_numpy(np.float64)
        known = numbers[np.isfinite(numbers)]
        if known.size and not ((known >= _EPOCH_MS[0]) & (known < _EPOCH_MS[1])).all():
            raise BadCandles(
                f"timestamps run from {known.min():.0f} to {known.max():.0f}, which are not epoch "
                "milliseconds; convert them (seconds × 1000, microseconds ÷ 1000)"
            )
        return np.where(np.isfinite(numbers), numbers, _NAT).astype(np.int64)
    stamps = pd.to_datetime(times, utc=True, errors="coerce", format="ISO8601")
    return np.asarray(stamps.to_numpy("datetime64[ms]").astype(np.int64))


def _bad_values(times: Millis, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return three masks [3, n]: not a number, not positive, impossible."""
    o, h, low, c, volume = values.T
    return np.stack(
        [
            (times == _NAT) | ~np.isfinite(values).all(axis=1),
            (values[:, :4] <= 0).any(axis=1) | (volume < 0),
            (h < np.maximum(o, c)) | (low > np.minimum(o, c)) | (h < low),
        ]
    )


def _out_of_order(times: Millis) -> int:
    if not len(times):
        return 0
    return int((times < np.maximum.accumulate(times)).sum())


def _first_of_each(times: Millis, values: npt.NDArray[np.float64]) -> tuple[Mask, Mask]:
    """Return which sorted rows are the first of their time, and which equal that first row."""
    first = np.diff(times, prepend=_NAT) != 0
    leader = np.maximum.accumulate(np.where(first, np.arange(len(times)), 0))
    return first, (values == values[leader]).all(axis=1)
