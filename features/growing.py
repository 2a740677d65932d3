"""A table that grows at its end; old rows may be forgotten, and what was shown stays as it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST = 1024


class Growing:
    """Rows of numbers, to which rows are added and whose latest are shown.

    Parameters
    ----------
    width : int
        Numbers a row.
    kept : int, optional
        How many of the latest rows are certainly remembered; by default all.
    """

    def __init__(self, width: int, kept: int | None = None) -> None:
        self._kept = kept
        self._table = np.empty((_LEAST if kept is None else 2 * kept, width))
        self._first = 0  # number of the row that stands at the table's beginning
        self._end = 0  # rows in the table

    def __len__(self) -> int:
        """Return how many rows were ever added."""
        return self._first + self._end

    @property
    def all(self) -> Floats:
        """The rows that are remembered, a view."""
        return self._table[: self._end]

    @property
    def last(self) -> Floats:
        """The latest row, a view."""
        row: Floats = self._table[self._end - 1]
        return row

    def between(self, first: int, stop: int) -> Floats:
        """Return rows by their numbers, a view that cannot be written to."""
        if first < self._first:
            raise IndexError(f"row {first} is forgotten; {self._first} is the oldest")
        rows = self._table[first - self._first : stop - self._first]
        rows.flags.writeable = False
        return rows

    def add(self, rows: Floats) -> None:
        """Add rows [n, width] at the end."""
        if self._end + len(rows) > len(self._table):
            self._make_room(len(rows))
        self._table[self._end : self._end + len(rows)] = rows
        self._end += len(rows)

    def _make_room(self, rows: int) -> None:
        # A new table: views of the old one that somebody holds keep their values.
        kept = self._end if self._kept is None else min(self._end, self._kept)
        table = np.empty((max(2 * (kept + rows), _LEAST), self._table.shape[1]))
        table[:kept] = self.all[self._end - kept :]
        self._table, self._first, self._end = table, self._first + self._end - kept, kept
