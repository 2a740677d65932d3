"""The light tracking of a replay: aliases, statuses and tags in one SQLite file, nothing else.

A replay judges thousands of versions that nobody will look at one by one. It needs to know which of
them serves, and no run, picture or second copy of any: those cost half of a turn.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from orchestration.tracking.errors import TrackingDown, TrackingError, UnknownVersion
from orchestration.tracking.registered import (
    CHALLENGER,
    CHAMPION,
    STATUS_TAG,
    RegisteredVersion,
    texts,
)

_BUSY_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    number INTEGER PRIMARY KEY, slot TEXT NOT NULL, version TEXT NOT NULL, run_id TEXT NOT NULL,
    tags TEXT NOT NULL, UNIQUE (slot, version)
);
CREATE TABLE IF NOT EXISTS aliases (
    slot TEXT NOT NULL, alias TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (slot, alias)
);
"""


class LightTracking:
    """A `Tracker` without MLflow; safe to share between threads and processes.

    Runs are only names here: what a replay found lies in its own documents. Bundles have no second
    copy: a damaged one is refused, not brought back.

    Parameters
    ----------
    path
        The file, made if absent.

    Raises
    ------
    TrackingDown
        It cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)

    def turn_run(
        self, turn_id: str, params: Mapping[str, Any], tags: Mapping[str, Any] | None = None
    ) -> str:
        """Return the name of a turn's run."""
        return turn_id

    def model_run(
        self,
        parent_run_id: str,
        version: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, Any],
        pictures: Iterable[Path],
        bundle: Path,
        *,
        slot: object = None,
        tags: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the name of a model's run."""
        return f"{slot}/{version}"

    def log_members(self, run_id: str, members: Mapping[str, Mapping[str, Any]]) -> None:
        """Do nothing: there is no run."""

    def finish_run(self, run_id: str, status: str = "FINISHED") -> None:
        """Do nothing: there is no run."""

    def log_metrics(self, run_id: str, metrics: Mapping[str, Any]) -> None:
        """Do nothing: there is no run."""

    def log_figure(self, run_id: str, picture: Path, folder: str = "pictures") -> None:
        """Do nothing: there is no run."""

    def log_text(self, run_id: str, text: str, file: str) -> None:
        """Do nothing: there is no run."""

    def register(
        self,
        slot: object,
        version: str,
        run_id: str,
        bundle: Path,
        tags: Mapping[str, Any] | None = None,
    ) -> int:
        """Return the number of a version, registered now unless it was before."""
        first = json.dumps({STATUS_TAG: "candidate"})
        with self._open() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO versions (slot, version, run_id, tags) VALUES (?, ?, ?, ?)",
                (str(slot), version, run_id, first),
            )
            self._tag(connection, slot, version, tags or {})
            return int(self._row(connection, slot, version)[0])

    def champion(self, slot: object) -> str | None:
        """Return the version in service in a slot, None when there is none."""
        return self._aliases(slot).get(CHAMPION)

    def challenger(self, slot: object) -> str | None:
        """Return the version that predicts in shadow, None when there is none."""
        return self._aliases(slot).get(CHALLENGER)

    def set_alias(self, slot: object, alias: str, version: str | None) -> None:
        """Give an alias to a version, taking it from any other; None takes it away.

        Raises
        ------
        UnknownVersion
            The version is not registered in that slot.
        """
        with self._open() as connection:
            if version is None:
                connection.execute(
                    "DELETE FROM aliases WHERE slot = ? AND alias = ?", (str(slot), alias)
                )
                return
            self._row(connection, slot, version)
            connection.execute(
                "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (str(slot), alias, version)
            )

    def set_status(self, slot: object, version: str, status: str) -> None:
        """Tag a version with its status; as `set_tags`."""
        self.set_tags(slot, version, {STATUS_TAG: status})

    def set_tags(self, slot: object, version: str, tags: Mapping[str, Any]) -> None:
        """Write tags of a version over those that are there.

        Raises
        ------
        UnknownVersion
            The version is not registered in that slot.
        """
        with self._open() as connection:
            self._tag(connection, slot, version, tags)

    def is_pinned(self, slot: object, version: str) -> bool:
        """Return whether a version is tagged ``pinned=true``; False for one not registered."""
        return any(found.pinned for found in self.versions(slot) if found.version == version)

    def versions(self, slot: object) -> list[RegisteredVersion]:
        """Return the versions of a slot, the newest first."""
        aliases = self._aliases(slot)
        with self._open() as connection:
            rows = connection.execute(
                "SELECT number, version, run_id, tags FROM versions WHERE slot = ? "
                "ORDER BY number DESC",
                (str(slot),),
            ).fetchall()
        return [
            RegisteredVersion(
                slot_key=str(slot),
                version=version,
                number=int(number),
                run_id=run_id,
                status=json.loads(tags).get(STATUS_TAG, ""),
                aliases=tuple(sorted(a for a, named in aliases.items() if named == version)),
                tags=json.loads(tags),
            )
            for number, version, run_id, tags in rows
        ]

    def fetch_bundle(self, slot: object, version: str, folder: str | os.PathLike[str]) -> Path:
        """Refuse: a replay keeps one copy of a bundle.

        Raises
        ------
        TrackingError
            Always.
        """
        raise TrackingError(f"{slot}, {version}: a replay keeps no second copy of its bundles")

    def _aliases(self, slot: object) -> dict[str, str]:
        with self._open() as connection:
            query = "SELECT alias, version FROM aliases WHERE slot = ?"
            return dict(connection.execute(query, (str(slot),)).fetchall())

    def _tag(
        self, connection: sqlite3.Connection, slot: object, version: str, tags: Mapping[str, Any]
    ) -> None:
        known = json.loads(self._row(connection, slot, version)[1])
        connection.execute(
            "UPDATE versions SET tags = ? WHERE slot = ? AND version = ?",
            (json.dumps(known | texts(tags)), str(slot), version),
        )

    def _row(self, connection: sqlite3.Connection, slot: object, version: str) -> tuple[int, str]:
        row = connection.execute(
            "SELECT number, tags FROM versions WHERE slot = ? AND version = ?", (str(slot), version)
        ).fetchone()
        if row is None:
            raise UnknownVersion(f"{slot} has no registered version {version!r}")
        return int(row[0]), str(row[1])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Hold a connection for one transaction: whole, or not at all."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as connection, connection:
                # A killed process loses nothing that the kernel has; a replay can be run again.
                connection.execute("PRAGMA synchronous=OFF")
                yield connection
        except sqlite3.Error as error:
            raise TrackingDown(f"{self._path} cannot be used: {error}") from error
