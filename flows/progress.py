"""What a turn tells those who watch it: one small record per finished step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step that has begun or ended.

    Parameters
    ----------
    stage, subject
        "fit", "direction".
    state
        ``begun``, ``done`` or ``failed``.
    sentence
        What it found, or the error's message.
    done, total
        Steps of the turn that have ended, and how many there are.
    """

    stage: str
    subject: str
    state: str
    sentence: str
    done: int
    total: int


Listener = Callable[[Step], None]
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` with each step of the turns that run in this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(step: Step) -> None:
    """Pass a step on to all who listen."""
    for listener in tuple(_listeners):
        listener(step)
