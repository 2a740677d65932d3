"""Rows that wait on disk until a database takes them: JSON files, each whole or not there."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.common.files import replace_file

_log = logging.getLogger(__name__)


class Spool:
    """A folder of files that hold rows.

    Parameters
    ----------
    folder : Path
        Made when the first file is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, rows: Sequence[Sequence[Any]]) -> Path:
        """Write rows as one file, safe against a power cut, and return its path."""
        path = self.folder / f"{time.time_ns()}-{os.getpid()}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps([list(row) for row in rows]).encode())
        return path

    def files(self) -> Iterator[tuple[Path, Any]]:
        """Yield each file with what it holds, the oldest first; what is no JSON is put aside."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                rows = json.loads(path.read_bytes())
            except FileNotFoundError:  # somebody else has taken it
                continue
            except ValueError:
                self.put_aside(path)
                continue
            yield path, rows

    def put_aside(self, path: Path) -> None:
        """Rename a file that cannot be read, so that it is looked at once only."""
        _log.warning("%s is damaged and put aside", path)
        with suppress(FileNotFoundError):  # somebody else has done so
            path.rename(path.with_suffix(".damaged"))
