"""Keeping: what the engine says, in the database, behind the back of who asks.

Nobody who asks for a prediction waits for a database. One thread keeps the answers in memory and
those in the table alike; another, the recorder's, writes the ledger. While the database is down
both go on without it, and catch up when it is back.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from models.common.bundle import Bundle
from orchestration.engine.cache import Cache, Key
from orchestration.engine.config import PredictionConfig
from orchestration.engine.prediction import Prediction
from orchestration.recorder import EVERY_S, Recorder
from orchestration.store.errors import BadRecord, DatabaseError
from orchestration.store.records import AnswerRecord

if TYPE_CHECKING:
    from orchestration.store.store import Store

FIRST_S = 0.5
"""Seconds until the first: to import SQLAlchemy meanwhile would slow the first answer down."""
_log = logging.getLogger(__name__)


class LateStore:
    """A store that is opened when it is first asked, and asked again when it could not be.

    Parameters
    ----------
    url : str
        See `orchestration.store.database.open_database`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: Store | None = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._open(), name)

    def _open(self) -> Store:
        with self._lock:
            if self._store is None:
                from orchestration.store.store import Store  # a second that nobody waits for

                self._store = Store(self._url)
            return self._store

    def close(self) -> None:
        """Give its connections back."""
        with self._lock:
            if self._store is not None:
                self._store.close()


class Keeper:
    """Keeps answers in the database, and takes over those of others.

    Parameters
    ----------
    config : PredictionConfig
        With a database.
    cache : Cache or None
        Answers in memory.
    every_s : float
        Seconds between two looks.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        config: PredictionConfig,
        cache: Cache | None,
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert config.database_url is not None
        self._cache, self._every_s, self._clock = cache, every_s, clock
        self._late = LateStore(config.database_url)
        self._store = cast("Store", self._late)
        self._recorder: Recorder | None = None
        if config.record:
            spool = Path(str(config.home)) / "spool"
            self._recorder = Recorder(self._store, spool=spool, every_s=every_s, clock=clock)
        self._known, self._down = 0, False
        self._on: dict[str, str | None] = {}
        self._turn, self._end, self._wake = threading.Lock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="predictions", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def note(self, bundle: Bundle, symbol: str, ts_ms: int, raw: Any) -> None:
        """Put an answer on its way to the ledger, if answers are recorded."""
        if self._recorder is not None:
            self._recorder.note(bundle, symbol, ts_ms, raw)

    def ensemble_on(self, slot_key: str) -> str | None:
        """Return the ensemble that is on in a slot, as of the last look; None before the first."""
        return self._on.setdefault(slot_key, None)

    def sync(self) -> bool:
        """Write what is new, look what others wrote; return whether the database was there."""
        recorded = self._recorder is None or self._recorder.flush()
        with self._turn:
            try:
                self._exchange()
            except DatabaseError as error:
                if not self._down:
                    _log.warning("%s; answers are kept in memory", error)
                self._down = True
                return False
            self._down = False
        return recorded

    def close(self) -> None:
        """Write what waits, as far as the database takes it, and end."""
        if self._end.is_set():
            return
        self._end.set()
        self._wake.set()
        self._thread.join()
        atexit.unregister(self.close)
        if not self._down:
            self.sync()
        if self._recorder is not None:
            self._recorder.close()
        self._late.close()

    def health(self) -> dict[str, Any]:
        """Return how it stands: ``database`` (up, down) and rows that wait, were written, lost."""
        recorder = self._recorder
        told: dict[str, Any] = {"database": "down" if self._down else "up"}
        if recorder is not None:
            told |= {"waiting": recorder.waiting, "written": recorder.written}
            told |= {"dropped": recorder.dropped, "refused": dict(recorder.refused)}
        return told

    # ------------------------------------------------------------------ inside

    def _run(self) -> None:
        self._wake.wait(FIRST_S)
        while not self._end.is_set():
            self.sync()
            self._wake.wait(self._every_s)

    def _exchange(self) -> None:
        if self._cache is not None:
            self._write(self._cache)
            self._take_over(self._cache)
        for slot_key in list(self._on):
            found = self._store.active_ensemble(slot_key)
            self._on[slot_key] = None if found is None else found.name

    def _write(self, cache: Cache) -> None:
        taken = cache.fresh()
        if not taken:
            return
        made = int(self._clock() * 1000)
        rows = [AnswerRecord(*key, said.as_dict(), made) for key, said in taken]
        try:
            self._store.keep_answers(rows, cache.rows)
        except DatabaseError:
            cache.back(taken)
            raise
        except BadRecord as error:  # of a model that answers what has no form in JSON
            _log.warning("%d answers are kept in memory only: %s", len(rows), error)

    def _take_over(self, cache: Cache) -> None:
        for row in self._store.kept_answers(self._known, cache.rows):
            self._known = row.id
            key = Key(row.version, row.symbol, row.ts_ms, row.features)
            try:
                said = Prediction.from_dict(row.answer)
            except (TypeError, ValueError, KeyError, AttributeError):  # of another time
                continue
            cache.put(key, said, noted=False, new=False)
