"""What the command line prints: JSON on stdout and only there, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

BAD_INPUT = 2
NOT_DONE = 1
_WIDE = 1000  # characters: no table is wider

_stderr = Console(stderr=True, highlight=False)
_stdout = Console(highlight=False)


def say(text: str) -> None:
    """Tell the person at the terminal something."""
    _stderr.print(text, soft_wrap=True)


def show(table: Table | str) -> None:
    """Print an answer that somebody asked for; a pipe gets one line a row, however long."""
    Console(highlight=False, width=room()).print(table, soft_wrap=isinstance(table, str))


def room() -> int:
    """Return how many characters a line of an answer may have."""
    piped = not (_stdout.is_terminal or "COLUMNS" in os.environ)
    return _WIDE if piped else Console().width


def table(title: str, caption: str | None = None) -> Table:
    """Return an empty table in the house's style."""
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def progress_console() -> Console:
    """Return the console for what moves."""
    return _stderr


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
    sys.stdout.flush()


def print_settings(values: Mapping[str, Any], prefix: str = "") -> None:
    """Print settings as lines of ``name = value``, nested ones with their section."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            print_settings(value, f"{prefix}{name}.")
        else:
            show(f"{prefix}{name} = {escape(json.dumps(value, default=str))}")


def explain(error: Exception, debug: bool = False) -> int:
    """Print an error as one sentence and return the exit status it stands for.

    What a caller passed in wrongly is a ``ValueError`` all over the house, and gives 2.
    """
    if debug:
        traceback.print_exception(error)
    _stderr.print(f"[red]{type(error).__name__}:[/red] {escape(str(error))}", soft_wrap=True)
    known = type(error).__module__.split(".")[0] in _HOUSE
    if not known and not debug:
        say("This was not foreseen; TIDEWHEEL_DEBUG=1 shows where it came from.")
    return BAD_INPUT if known and isinstance(error, ValueError) else NOT_DONE


_HOUSE = frozenset(
    (
        "market",
        "features",
        "ml_pipeline",
        "models",
        "strategies",
        "orchestration",
        "flows",
        "serving",
    )
)
