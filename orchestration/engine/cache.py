"""Answers that were given, in memory: the newest so many, by what they were an answer to."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import NamedTuple

from orchestration.engine.prediction import Prediction


class Key(NamedTuple):
    """What an answer is to: equal keys have equal answers, to the last bit."""

    version: str
    """Slot and version; of an ensemble its name and a digest of what it is made of."""
    symbol: str
    ts_ms: int
    features: str
    """Digest of the row, the close, and whatever else the answer depends on."""


class Entry:
    """An answer as it is given the second time, and whether it went to the ledger."""

    __slots__ = ("again", "noted")

    def __init__(self, again: Prediction, noted: bool) -> None:
        self.again, self.noted = again, noted


class Cache:
    """The newest answers; safe for threads.

    Parameters
    ----------
    rows : int
        How many are kept.

    Attributes
    ----------
    hits, misses : int
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.hits = self.misses = 0
        self._held: OrderedDict[Key, Entry] = OrderedDict()
        self._new: deque[tuple[Key, Prediction]] = deque(maxlen=rows)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Key) -> Entry | None:
        """Return what was answered, if it is still known."""
        with self._lock:
            entry = self._held.get(key)
            if entry is None:
                self.misses += 1
            else:
                self.hits += 1
            return entry

    def put(self, key: Key, prediction: Prediction, *, noted: bool, new: bool = True) -> None:
        """Keep an answer; a `new` one is also handed to whoever asks `fresh`."""
        entry = Entry(prediction.again(), noted)
        with self._lock:
            if key in self._held:
                return
            self._held[key] = entry
            if len(self._held) > self.rows:
                self._held.popitem(last=False)
            if new:
                self._new.append((key, prediction))

    def fresh(self) -> list[tuple[Key, Prediction]]:
        """Take the answers that are new since this was last asked, oldest first."""
        with self._lock:
            taken = list(self._new)
            self._new.clear()
            return taken

    def back(self, taken: list[tuple[Key, Prediction]]) -> None:
        """Put answers back that could not be written, the oldest of too many left out."""
        with self._lock:
            self._new = deque([*taken, *self._new], maxlen=self.rows)
