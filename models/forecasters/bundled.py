"""A forecaster inside a bundle: its description and its boosters' texts beside the graph.

The graph answers one bar ahead, like any model's, and is what probe and runner verify. Many steps
need the boosters themselves, to be rolled out over a forked feature state: they are kept as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.common.bundle_checks import parse_json, read_listed, to_json
from models.common.errors import BundleError
from models.forecasters.folder import config, made
from models.forecasters.forecaster import Forecaster

DESCRIPTION = "forecaster.json"


def extras_of(forecaster: Forecaster) -> dict[str, bytes]:
    """Return the files that a bundle of this forecaster holds besides."""
    texts = {_file(name): text.encode() for name, text in forecaster.texts.items()}
    listed = {**config(forecaster), "boosters": list(forecaster.texts)}
    return {DESCRIPTION: to_json(listed), **texts}


def read_forecaster(folder: Path, checksums: Mapping[str, str]) -> Forecaster:
    """Return the forecaster in a bundle's folder, each file verified.

    Raises
    ------
    BundleError
        The bundle holds none, or a damaged one.
    """
    if DESCRIPTION not in checksums:
        raise BundleError(f"{DESCRIPTION} missing: this is no forecaster of many steps")
    stored = parse_json(read_listed(folder, DESCRIPTION, checksums), DESCRIPTION)
    names = stored.pop("boosters", None)
    if not isinstance(names, list) or any(_file(str(name)) not in checksums for name in names):
        raise BundleError(f"{DESCRIPTION} names boosters {names!r} that are not all there")
    texts = {name: read_listed(folder, _file(name), checksums).decode() for name in names}
    return made(stored, texts, folder)


def _file(name: str) -> str:
    return f"booster-{name}.txt"
