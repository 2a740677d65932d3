"""Four slices of time, purged by the horizon: train, calibration, selection, holdout.

Everything is split by the clock, never by row: all symbols share one set of bounds, so BTC at noon
cannot train a model that is tested on ETH at noon. JUDGING.md, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from market.timeframes import (
    DAY_MS,
    Instant,
    bars_per_day,
    instant_ms,
    parse_timeframe,
    timeframe_ms,
    utc,
)
from ml_pipeline.errors import SplitError

SLICES = ("train", "calibration", "selection", "holdout")
EVALUATION_DAYS = (2.0, 3.0, 2.0)
"""Days of calibration, selection and holdout; see `evaluation_days` for long bars."""

MIN_BARS = 60
"""No slice is shorter than this, nor than four horizons: a verdict needs as much."""


class HasTimes(Protocol):
    """Anything with the opening times of its rows, epoch ms; a `Panel` is one."""

    @property
    def ts(self) -> NDArray[np.int64]:
        """Opening times, int64[n]."""


@dataclass(frozen=True)
class Block:
    """The bars opened in ``[start_ms, end_ms)``, epoch milliseconds."""

    start_ms: int
    end_ms: int

    @property
    def days(self) -> float:
        """Length in days."""
        return (self.end_ms - self.start_ms) / DAY_MS

    def mask(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the opening times `ts` lie inside."""
        return (ts >= self.start_ms) & (ts < self.end_ms)

    def __str__(self) -> str:
        return f"{utc(self.start_ms):%Y-%m-%d %H:%M} … {utc(self.end_ms):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class TurnSplit:
    """The slices of one turn, earliest first, with a purge after each of them.

    Attributes
    ----------
    train, calibration, selection, holdout : Block
        Bounds by opening time. A row belongs to a slice if its label is known before the next slice
        opens (for the holdout: by the end of the turn).
    timeframe : str
        Length of a bar.
    horizon_bars : int
        Bars until a label is known; so many, and the bar itself, are purged between slices.
    shrunk : float
        1.0 where the history was long enough, else the factor by which every slice is shorter.
    """

    train: Block
    calibration: Block
    selection: Block
    holdout: Block
    timeframe: str
    horizon_bars: int
    shrunk: float

    def block(self, name: str) -> Block:
        """Return a slice by name; SplitError if there is none of that name."""
        if name not in SLICES:
            raise SplitError(f"no slice is called {name!r}; the slices are {', '.join(SLICES)}")
        block: Block = getattr(self, name)
        return block

    def mask(self, panel: HasTimes, name: str) -> NDArray[np.bool_]:
        """Return which rows of `panel` belong to the slice called `name`, bool[n]."""
        return self.block(name).mask(panel.ts)

    @property
    def trained_through_ms(self) -> int:
        """The instant at which the last label used before the holdout was known, epoch ms."""
        return self.selection.end_ms + self.horizon_bars * timeframe_ms(self.timeframe)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values, with ISO times beside the milliseconds."""
        blocks = {
            name: {
                **asdict(self.block(name)),
                "start": utc(self.block(name).start_ms).isoformat(),
                "end": utc(self.block(name).end_ms).isoformat(),
            }
            for name in SLICES
        }
        return {
            "timeframe": self.timeframe,
            "horizon_bars": self.horizon_bars,
            "shrunk": self.shrunk,
            **blocks,
        }

    @classmethod
    def from_dict(cls, window: Mapping[str, Any]) -> TurnSplit:
        """Return the split that `window` describes, the inverse of `as_dict`."""
        blocks = {
            name: Block(int(window[name]["start_ms"]), int(window[name]["end_ms"]))
            for name in SLICES
        }
        return cls(
            **blocks,
            timeframe=str(window["timeframe"]),
            horizon_bars=int(window["horizon_bars"]),
            shrunk=float(window["shrunk"]),
        )


def evaluation_days(timeframe: str, horizon_bars: int) -> tuple[float, float, float]:
    """Return the days of calibration, selection and holdout.

    Where bars are so long that the shortest slice would hold fewer than it must, all three are
    longer by one factor.

    Examples
    --------
    >>> evaluation_days("5m", 12), evaluation_days("1h", 12)
    ((2.0, 3.0, 2.0), (2.5, 3.75, 2.5))
    """
    least = _least_bars(horizon_bars) / bars_per_day(timeframe)
    factor = max(1.0, least / min(EVALUATION_DAYS))
    calibration, selection, holdout = (days * factor for days in EVALUATION_DAYS)
    return calibration, selection, holdout


def turn_split(
    start: Instant,
    end: Instant,
    timeframe: str,
    horizon_bars: int,
    train_days: float,
    slices: tuple[float, float, float] | None = None,
) -> TurnSplit:
    """Return the slices of a turn that ends at `end`.

    Counted back from `end`, all in whole bars::

        [ train | purge | calibration | purge | selection | purge | holdout | purge ] end

    A row opened at `t` is legal for a slice that opens at `s` only if its label is known before:
    ``t + (horizon + 1) bars < s``. The last purge leaves out the bars whose label is not known at
    `end`. Where the history from `start` is too short, all four slices shrink by one factor; the
    purges do not.

    Parameters
    ----------
    start, end : datetime, str or int
        Opening time of the first usable row, and the instant of the turn: zoned times or epoch ms.
    timeframe : str
        Length of a bar.
    horizon_bars : int
        Bars until a label is known.
    train_days : float
        Days of training the recipe asks for.
    slices : tuple of three floats, optional
        Days of calibration, selection and holdout; by default `evaluation_days`.

    Raises
    ------
    SplitError
        The history cannot hold slices of `MIN_BARS` bars and of four horizons each.
    """
    step = timeframe_ms(timeframe)
    first, last = -(-instant_ms(start) // step), instant_ms(end) // step
    slices = slices or evaluation_days(timeframe, horizon_bars)
    if horizon_bars < 1 or train_days <= 0 or min(slices) <= 0:
        raise SplitError(
            f"horizon {horizon_bars} bars, train {train_days} days, slices {slices}: "
            "all of them must be above nought"
        )
    wanted = np.array([train_days, *slices]) * (DAY_MS / step)
    room = last - first - 4 * horizon_bars - 3
    shrunk = min(1.0, room / float(wanted.sum()))
    lengths = [int(bars) for bars in np.floor(wanted * shrunk + 1e-9)]
    refuse_short(lengths, horizon_bars, timeframe, last - first)
    blocks: list[Block] = []
    stop = last - horizon_bars
    for length in reversed(lengths):
        blocks.insert(0, Block((stop - length) * step, stop * step))
        stop -= length + horizon_bars + 1
    train, calibration, selection, holdout = blocks
    return TurnSplit(
        train, calibration, selection, holdout, parse_timeframe(timeframe), horizon_bars, shrunk
    )


def refuse_short(lengths: list[int], horizon: int, timeframe: str, history: int) -> None:
    """Raise unless every slice is long enough to be fitted or judged on."""
    least = _least_bars(horizon)
    if min(lengths) < least:
        name = SLICES[int(np.argmin(lengths))]
        raise SplitError(
            f"{history} bars of {timeframe} leave {max(min(lengths), 0)} for the {name} slice, "
            f"which needs {least} (four horizons of {horizon} bars, at least {MIN_BARS}); "
            "fetch more days, after the look-back of the features"
        )


def _least_bars(horizon: int) -> int:
    return max(MIN_BARS, 4 * horizon)
