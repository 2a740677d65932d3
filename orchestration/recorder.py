"""The recorder: what a strategy or an API predicts live goes into the ledger, off its hot path.

::

    from models.common.predictor import load_model
    from orchestration.recorder import Recorder

    recorder = Recorder.at_home("var")
    model = recorder.of(load_model("direction"))
    answer = model.predict(features, symbol="BTC-USDT", ts=bar_opened_ms)

A prediction puts a tuple into a queue and returns; one thread writes what has gathered every few
seconds. With the database down predictions go on and rows wait, at last in a file, from where the
next recorder or the next `tidewheel predict` takes them. Whoever writes a bar first has written it:
the recorder, the flow between turns or the turn.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from market.symbols import parse_symbol
from market.timeframes import instant_ms
from models.common.bundle import Bundle
from models.common.heads import Answer
from orchestration.said import Said, drain, write
from orchestration.spool import Spool
from orchestration.store.errors import BadRecord, DatabaseError

if TYPE_CHECKING:
    from orchestration.store.store import Store

EVERY_S = 5.0
"""Seconds between two writes."""
BATCH = 500
"""Rows that are written before that."""
ROOM = 100_000
"""Rows that wait in memory at most."""
_log = logging.getLogger(__name__)


class Telling(Protocol):
    """A model that tells what its answer was made of: what `load_model` returns, or a bound one."""

    def tell(self, features: Any, close: Any = None) -> tuple[Answer, Any, Bundle]:
        """Return answer, raw output and version."""


class Recorder:
    """Writes live predictions into the ledger, behind the back of who makes them.

    Parameters
    ----------
    store : Store
        Where to. It is asked by the recorder's own thread only.
    spool : Path, optional
        Folder of files in which rows survive the end of a process whose database was down; without
        one they are counted as dropped then.
    every_s : float
        Seconds between two writes.
    room : int
        Rows that may wait in memory: half of them go to the spool, what comes on top is dropped.
    clock : callable
        Seconds since 1970.

    Attributes
    ----------
    written : int
        Rows handed to the ledger; among them those that somebody else had written already.
    dropped : int
        Rows that were lost for want of room.
    refused : Counter
        Rows that do not belong into the ledger, by reason.
    """

    def __init__(
        self,
        store: Store,
        *,
        spool: Path | None = None,
        every_s: float = EVERY_S,
        room: int = ROOM,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.written = self.dropped = 0
        self.refused: Counter[str] = Counter()
        self._store, self._every_s, self._room, self._clock = store, every_s, room, clock
        self._spool = None if spool is None else Spool(spool)
        self._queue: deque[Said] = deque()
        self._wake, self._end = threading.Event(), threading.Event()
        self._writing, self._down = threading.Lock(), False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @classmethod
    def at_home(cls, home: str | Path | None = None, **options: Any) -> Recorder:
        """Return a recorder into the ledger of a home, by its settings."""
        from orchestration.settings import load_settings  # only here: others bring their store
        from orchestration.store.store import Store

        settings = load_settings(home=home)
        return cls(Store(settings.store_url), spool=settings.spool_dir, **options)

    def of(self, model: Telling) -> Recorded:
        """Return `model` as one whose predictions are recorded.

        Raises
        ------
        BadRecord
            It is no single version, such as an ensemble: its members' versions are in the ledger.
        """
        if not hasattr(model, "tell"):
            raise BadRecord(
                f"{model!r} is not one version, so that the ledger has no place for what it says; "
                "record its members"
            )
        return Recorded(self, model)

    def note(self, bundle: Bundle, symbol: str, ts: Any, raw: Any) -> None:
        """Put what a version said about a bar into the queue; a frame of bars row by row.

        Raises
        ------
        BadSymbol, BadInstant, BadRecord
            No symbol, no time with a zone, or not one time a row.
        """
        slot, version = bundle.slot.key, bundle.version_id
        name, made = _canonical(symbol), int(self._clock() * 1000)
        rows = [raw] if type(raw) is list else raw.tolist()
        bars = (ts,) if type(ts) is int or np.ndim(ts) == 0 else ts
        if len(bars) != len(rows):
            raise BadRecord(f"{len(rows)} rows and {len(bars)} times ts; give one for each row")
        for bar, numbers in zip(bars, rows, strict=True):
            opened = bar if type(bar) is int else instant_ms(bar)
            if len(self._queue) < self._room:
                self._queue.append(Said(slot, version, name, opened, numbers, made))
            else:  # nobody who predicts waits for a disk
                self.dropped += 1
        if len(self._queue) >= BATCH and not self._down:
            self._wake.set()

    @property
    def waiting(self) -> int:
        """Rows that wait to be written."""
        return len(self._queue)

    def flush(self) -> bool:
        """Write all that waits; return whether the database took it."""
        with self._writing:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                try:
                    self._write(batch)
                except DatabaseError as error:
                    self._queue.extendleft(reversed(batch))
                    if not self._down:
                        _log.warning("%s; predictions go on, their rows wait", error)
                    self._down = True
                    return False
                self._down = False
            return True

    def close(self) -> None:
        """Write all that waits, or spool it, and end; a second time it does nothing."""
        if self._end.is_set():
            return
        self._end.set()
        self._wake.set()
        self._thread.join()
        atexit.unregister(self.close)
        if not self.flush():
            self._keep_all()
        if self.dropped or self.refused:
            reasons = ", ".join(f"{n:,} {why}" for why, n in self.refused.items()) or "none"
            _log.warning("%d rows dropped, refused: %s", self.dropped, reasons)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ inside

    def _run(self) -> None:
        if self._spool is not None:
            self._take_back(self._spool)
        while not self._end.is_set():
            self._wake.wait(self._every_s)
            self._wake.clear()
            if not self._end.is_set() and not self.flush() and len(self._queue) > self._room // 2:
                self._keep_all()

    def _take_back(self, spool: Spool) -> None:
        try:
            drain(spool, self._store)
        except DatabaseError as error:
            _log.warning("%s; what waits in %s goes on waiting", error, spool.folder)

    def _keep_all(self) -> None:
        """Spool what is in the queue now; others may go on putting into it."""
        with self._writing:  # nobody else takes from it meanwhile
            rows = [self._queue.popleft() for _ in range(len(self._queue))]
        if self._spool is None:
            self.dropped += len(rows)
        elif rows:
            path = self._spool.keep(rows)
            _log.warning("the database is down: %d rows are kept in %s", len(rows), path)

    def _write(self, rows: list[Said]) -> None:
        written, refused = write(self._store, rows)
        self.written += written
        for reason in refused - self.refused.keys():
            _log.warning("a row is not recorded: %s; more of these are only counted", reason)
        self.refused.update(refused)


class Recorded:
    """A model whose predictions are recorded; in all else it is that model.

    Parameters
    ----------
    recorder : Recorder
        Where rows go.
    model : Model or BoundModel
        Who predicts.
    """

    def __init__(self, recorder: Recorder, model: Telling) -> None:
        self._recorder = recorder
        self._model = model

    def predict(self, features: Any, close: Any = None, *, symbol: str, ts: Any) -> Answer:
        """Return what the model's own `predict` does, unchanged, and record it.

        Parameters
        ----------
        features, close
            As the model's own.
        symbol : str
            Whose bar, in any spelling.
        ts : int, time with a zone, or a sequence of them
            When the bar opened: epoch milliseconds or a time, one for each row.
        """
        answer, raw, bundle = self._model.tell(features, close)
        self._recorder.note(bundle, symbol, ts, raw)
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


_canonical = lru_cache(maxsize=1024)(parse_symbol)
