"""A forecaster as a folder of text: boosters, what is known of each horizon, checksums.

::

    BTC_USDT_1m_300steps_multi_ohlc/
        config.json                     everything but the trees
        open/autoregressive_model.txt   a booster in LightGBM's own text form
        open/model.onnx                 the same as a graph, for whoever reads ONNX
        close/ … high/ … low/ …
        checksums.json                  SHA-256 of every other file

A forecaster of returns alone has its booster and graph beside ``config.json``. Nothing here is
code, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.common.errors import BundleError, ModelNotFound
from models.common.files import replace_file
from models.forecasters.cone import Cone
from models.forecasters.forecaster import AUTOREGRESSIVE, SUMS, Forecaster

CONFIG, CHECKSUMS, TREES, ONNX = (
    "config.json", "checksums.json", "autoregressive_model.txt", "model.onnx",
)  # fmt: skip
_FORMAT = "tidewheel-forecaster-1"


def save_forecaster(
    folder: str | Path, forecaster: Forecaster, onnx: Mapping[str, bytes] | None = None
) -> Path:
    """Write a forecaster to `folder` and return it; the checksums come last.

    Parameters
    ----------
    folder : path
        Made if absent; files of an older forecaster there are replaced.
    onnx : mapping of str to bytes, optional
        Graphs by the names of the boosters.
    """
    place = Path(folder)
    files = {_where(forecaster.type, n) / TREES: t.encode() for n, t in forecaster.texts.items()}
    files |= {_where(forecaster.type, n) / ONNX: graph for n, graph in (onnx or {}).items()}
    files[Path(CONFIG)] = (json.dumps(config(forecaster), indent=1) + "\n").encode()
    for name, content in files.items():
        replace_file(place / name, content)
    sums = {str(name): hashlib.sha256(content).hexdigest() for name, content in files.items()}
    replace_file(place / CHECKSUMS, (json.dumps(sums, indent=1) + "\n").encode())
    return place


def load_forecaster(folder: str | Path) -> Forecaster:
    """Return the forecaster in `folder`, every file that it needs verified.

    Raises
    ------
    ModelNotFound
        There is none.
    BundleError
        A file is missing, was changed, or says what no forecaster does.
    """
    place = Path(folder)
    if not (place / CHECKSUMS).is_file():
        raise ModelNotFound(f"no forecaster in {place}; save one there, or name another folder")
    sums = _json(place, (place / CHECKSUMS).read_bytes())
    stored = _json(place, _read(place, CONFIG, sums))
    kind = _kind(stored, place)
    names = {name: str(_where(kind, name) / TREES) for name in SUMS[kind]}
    return made(stored, {n: _read(place, file, sums).decode() for n, file in names.items()}, place)


def _kind(stored: Mapping[str, Any], place: Path) -> str:
    if stored.get("format") != _FORMAT or stored.get("predictor_type") not in SUMS:
        raise BundleError(
            f"forecaster {place} refused: format {stored.get('format')!r}, type "
            f"{stored.get('predictor_type')!r}; train and save it again"
        )
    return str(stored["predictor_type"])


def made(stored: Mapping[str, Any], texts: Mapping[str, str], place: Path) -> Forecaster:
    """Return the forecaster that `config` described, with its boosters' texts.

    Raises
    ------
    BundleError
        The description lacks something.
    """
    try:
        return Forecaster(
            type=_kind(stored, place),
            timeframe=stored["timeframe"],
            columns=tuple(stored["feature_names"]),
            texts=texts,
            cone=Cone.from_dict(stored["cone"]),
            wick=float(stored["wick"]),
            about={name: stored[name] for name in stored if name not in _FIELDS},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"forecaster {place} refused: {CONFIG} lacks {error}") from error


_FIELDS = {"format", "predictor_type", "timeframe", "feature_names", "cone", "wick"}


def config(one: Forecaster) -> dict[str, Any]:
    """Return everything of a forecaster but its boosters, as JSON can hold it."""
    return {
        "format": _FORMAT,
        "predictor_type": one.type,
        "timeframe": one.timeframe,
        "feature_names": list(one.columns),
        "cone": one.cone.as_dict(),
        "wick": one.wick,
        **one.about,
    }


def _where(kind: str, name: str) -> Path:
    return Path() if kind == AUTOREGRESSIVE else Path(name)


def _read(place: Path, name: str, sums: Mapping[str, Any]) -> bytes:
    try:
        content = (place / name).read_bytes()
    except OSError as error:
        raise BundleError(f"forecaster {place} refused: {name} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != sums.get(name):
        raise BundleError(
            f"forecaster {place} refused: {name} is not what {CHECKSUMS} says; it was changed or "
            "written halfway, save it again"
        )
    return content


def _json(place: Path, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise BundleError(f"forecaster {place} refused: it is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BundleError(f"forecaster {place} refused: its JSON is a {type(found).__name__}")
    return found
