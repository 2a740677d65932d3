"""Opening: how models are opened inside a block, whoever opens them there.

A backtest runs strategies as they were written, with ``load_model("direction")`` somewhere in them.
Inside ``with opening(...)`` that call means what the backtest wants: the models of another home,
versions that stay as they are while it runs, or what was really served at each bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from models.common.base_model import BaseModel

Answering: TypeAlias = "Callable[[str, str | None], BaseModel]"
"""Takes what `load_model` was given, a name and a timeframe."""


@dataclass
class Opening:
    """How models are opened.

    Attributes
    ----------
    home
        Folder that holds ``models/``, where the caller names none.
    answering
        Who answers instead of any bundle. With one, no bundle can be opened at all: it could have
        learnt from the very bars that it is asked about.
    opened
        What was opened, by name; each stays the version that it was.
    """

    home: Path | None = None
    answering: Answering | None = None
    opened: dict[str, BaseModel] = field(default_factory=dict)


_now: ContextVar[Opening | None] = ContextVar("tidewheel_opening", default=None)


@contextmanager
def opening(how: Opening) -> Iterator[Opening]:
    """Open models in this way inside the block, in this thread.

    Examples
    --------
    >>> with opening(Opening(home=Path("var"))) as models:  # doctest: +SKIP
    ...     strategy = MLEnhancedStrategy()
    >>> list(models.opened)  # doctest: +SKIP
    ['model_001', 'model_002']
    """
    token = _now.set(how)
    try:
        yield how
    finally:
        _now.reset(token)


def opening_now() -> Opening | None:
    """Return how models are opened here and now; None outside of any block."""
    return _now.get()
