"""One turn at a time in a home: the service's lock, taken once however deep a process is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.service.work import turn_lock
from orchestration.settings import Settings

_held: set[Path] = set()


@contextmanager
def one_turn(settings: Settings) -> Iterator[None]:
    """Hold the turn lock of this home, or pass when this process holds it already.

    `tidewheel cycle` takes it before it starts a server and frees it after that server has ended,
    so that a second turn can never lean on a server that is about to go.

    Raises
    ------
    orchestration.service.errors.TurnRunning
        Another process holds it.
    """
    if settings.home in _held:
        yield
        return
    with turn_lock(settings):
        _held.add(settings.home)
        try:
            yield
        finally:
            _held.discard(settings.home)
