"""Window: the bars up to now, as a strategy sees them. What has not closed is not in here.

A window is pushed bar by bar, in a backtest as live, so there is no later row to be found behind
whatever is handed out; and what is handed out is a copy, so that nobody can change it for others.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.candles import COLUMNS
from strategies.orders import Bar

if TYPE_CHECKING:
    from strategies.base_strategy import Features

Floats = NDArray[np.float64]
WINDOW_BARS = 1000
_CLOSE = 1 + COLUMNS.index("close")


class Window:
    """The latest closed bars of one symbol.

    Parameters
    ----------
    bars : int
        How many are shown at most.
    extra : sequence of str
        Columns that bars bring besides the candles' own.
    attrs : mapping, optional
        What frames say of themselves.
    """

    def __init__(
        self,
        bars: int = WINDOW_BARS,
        extra: Sequence[str] = (),
        attrs: Mapping[Hashable, Any] | None = None,
    ) -> None:
        self._bars = bars
        self._columns = pd.Index([*COLUMNS, *extra])
        self._attrs = dict(attrs or {})
        self._rows: Floats = np.empty((2 * bars + 64, 1 + len(self._columns)))
        self._stop = 0

    def __len__(self) -> int:
        """Return how many bars are shown."""
        return min(self._stop, self._bars)

    def push(self, bar: Bar, extra: Sequence[float] = ()) -> None:
        """Take a bar that has closed."""
        if self._stop == len(self._rows):
            self._begin_anew()
        row = self._rows[self._stop]
        row[:6] = bar[:6]
        if len(row) > 6:
            row[6:] = extra
        self._stop += 1

    def frame(self) -> pd.DataFrame:
        """Return the bars as a DataFrame of its own, made when something is first asked of it."""
        return LazyFrame(self._rows, max(0, self._stop - self._bars), self._stop, self)

    def closes(self, bars: int) -> Floats:
        """Return the latest closes, oldest first; fewer where history is short."""
        first = max(0, self._stop - min(bars, self._bars))
        return self._rows[first : self._stop, _CLOSE].copy()

    def build(self, rows: Floats) -> pd.DataFrame:
        """Return rows of this window as a DataFrame that shares no memory with them."""
        index = pd.DatetimeIndex(rows[:, 0].astype("M8[ms]"), tz="UTC", name="timestamp")
        # A view: whoever names the columns of his frame does not name those of later ones.
        return pd.DataFrame(rows[:, 1:].copy(), index, self._columns.view(), copy=False)

    @property
    def attrs(self) -> dict[Hashable, Any]:
        """A copy of what frames say of themselves."""
        return dict(self._attrs)

    def _begin_anew(self) -> None:
        """Move to new memory: frames not yet made still read the old, which never changes."""
        old, keep = self._rows, self._bars
        self._rows = np.empty_like(old)
        self._rows[:keep] = old[self._stop - keep : self._stop]
        self._stop = keep


class _Made:
    """The blocks of a lazy frame: made when pandas first looks for them, plain from then on."""

    def __get__(self, frame: LazyFrame | None, owner: type | None = None) -> Any:
        if frame is None:
            return self
        rows, start, stop, window = frame.__dict__["_later"]
        blocks = window.build(rows[start:stop])._mgr
        frame.__dict__["_mgr"] = blocks
        return blocks


class LazyFrame(pd.DataFrame):
    """A DataFrame that costs a microsecond until it is used.

    Rules that ask for features never look at candles, and to make a frame each bar would take
    longer than all the rest: 50 microseconds of a thousand bars, and 35 at best while it shares no
    memory with later bars. What is derived from it is plain DataFrames and Series.
    """

    _mgr = _Made()

    def __init__(self, rows: Floats, start: int, stop: int, window: Window) -> None:
        own = self.__dict__
        own["_later"] = rows, start, stop, window
        own["_attrs"] = window.attrs
        own["_flags"] = pd.Flags(  # type: ignore[attr-defined]
            self, allows_duplicate_labels=True
        )

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame


class Seen:
    """What can be known of a symbol when its bar has closed.

    Parameters
    ----------
    symbol, timeframe : str
        Which bars.
    fm : Features
        Whom to ask for features: knows bars closed by now only.
    window : Window
        The latest bars.
    """

    __slots__ = ("_window", "fm", "symbol", "timeframe")

    def __init__(self, symbol: str, timeframe: str, fm: Features, window: Window) -> None:
        self.symbol, self.timeframe, self.fm = symbol, timeframe, fm
        self._window = window

    @property
    def df(self) -> pd.DataFrame:
        """The latest candles, oldest first; a frame of the asker's own."""
        return self._window.frame()

    def closes(self, bars: int) -> Floats:
        """Return the latest closes, oldest first; fewer where history is short."""
        return self._window.closes(bars)
