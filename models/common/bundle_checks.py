"""Bundle checks: checksums, documents and probe, each refused with the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.common.errors import BadName, BundleError, FeatureError, PredictionError
from models.common.heads import make_head
from models.common.reading import list_plain, read_plain
from models.common.runner import OnnxRunner
from models.common.schema import FeatureSchema
from models.common.slot import Slot, check_word

FILES = (
    "README.md",
    "feature_schema.json",
    "metadata.json",
    "metrics.json",
    "model.onnx",
    "probe.json",
)
CHECKSUMS = "checksums.json"
REQUIRED = (
    "name",
    "type",
    "description",
    "created_ts",
    "kind",
    "scope",
    "timeframe",
    "version_name",
    "recipe",
    "baseline",
    "simulated",
    "trained_through",
    "head",
)
FIGURES = ("skill", "lower", "upper", "z", "n", "times", "effective_n", "loss", "base_loss")
"""Figures of the verdict: numbers, or None where there is no verdict."""

# Answers may differ by this between processors, which sum float32 in another order.
PROBE_RTOL, PROBE_ATOL = 1e-4, 1e-6
_MOST = 1e300  # what is larger is no figure, and may be no float


def to_json(content: Mapping[str, Any]) -> bytes:
    """Return `content` as JSON; NaN and infinity, which JSON does not know, are refused."""
    try:
        return (json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"cannot be kept as JSON: {error}") from error


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object in `content`, the file `name`; NaN and infinity are refused."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number")

    try:
        parsed = json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is unreadable: {error}") from error
    if not isinstance(parsed, dict):
        raise BundleError(f"{name} holds a {type(parsed).__name__}, not an object")
    return parsed


def checksums_of(contents: Mapping[str, bytes]) -> bytes:
    """Return ``checksums.json`` for the files `contents`."""
    sums = {name: hashlib.sha256(contents[name]).hexdigest() for name in sorted(contents)}
    return to_json(sums)


def read_checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 that each file of `folder` should have, all being there and no others."""
    present = list_plain(folder)
    if CHECKSUMS not in present:
        raise BundleError(f"{CHECKSUMS} is missing")
    content = read_plain(folder, CHECKSUMS)
    sums = parse_json(content, CHECKSUMS)
    if not all(isinstance(digest, str) for digest in sums.values()):
        raise BundleError(f"{CHECKSUMS} holds something else than checksums")
    if to_json(sums) != content:
        raise BundleError(f"{CHECKSUMS} is not written as bundles are; it was changed by hand")
    missing = sorted({*FILES, *sums} - present)
    if missing:
        raise BundleError(f"{', '.join(missing)} missing")
    unlisted = sorted(({*FILES} | present) - {CHECKSUMS, *sums})
    if unlisted:
        raise BundleError(
            f"{', '.join(unlisted)} not listed in {CHECKSUMS}; remove what is foreign"
        )
    return sums


def read_listed(folder: Path, name: str, checksums: Mapping[str, str]) -> bytes:
    """Return the content of a file of the bundle if it has its checksum."""
    content = read_plain(folder, name)
    found = hashlib.sha256(content).hexdigest()
    if found != checksums[name]:
        raise BundleError(
            f"{name} is damaged: its SHA-256 begins {found[:12]}, "
            f"{CHECKSUMS} says {str(checksums[name])[:12]}"
        )
    return content


def check_metadata(metadata: Mapping[str, Any], schema: FeatureSchema) -> None:
    """Refuse `metadata` that lacks a field, contradicts the schema, or names nothing possible."""
    missing = [field for field in REQUIRED if field not in metadata]
    if missing:
        raise BundleError(f"metadata.json lacks {', '.join(missing)}")
    if metadata.get("features") != list(schema.names):
        raise BundleError("metadata.json and feature_schema.json list different columns")
    try:
        Slot(str(metadata["scope"]), str(metadata["kind"]), str(metadata["timeframe"]))
        check_word(str(metadata["version_name"]), "version")
    except BadName as error:
        raise BundleError(f"metadata.json: {error}") from error
    for field in ("created_ts", "trained_through"):
        _check_instant(field, metadata[field])
    if not isinstance(metadata["head"], dict):
        raise BundleError("metadata.json: head must be an object of parameters")
    for field in ("baseline", "simulated"):  # "false" would count as true
        if not isinstance(metadata[field], bool):
            raise BundleError(f"metadata.json: {field} is {metadata[field]!r}, not true or false")
    _check_symbols(metadata.get("training", {}))
    make_head(metadata["kind"], metadata["head"])


def check_metrics(metrics: Mapping[str, Any]) -> None:
    """Refuse a verdict whose figures are no numbers."""
    for name in FIGURES:
        value = metrics.get(name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (number and abs(value) < _MOST):
            raise BundleError(f"metrics.json: {name} is {str(value)[:20]!r}, not a number")


def _check_symbols(training: object) -> None:
    symbols = training.get("symbols", ()) if isinstance(training, Mapping) else None
    if not isinstance(symbols, (list, tuple)) or not all(isinstance(one, str) for one in symbols):
        raise BundleError("metadata.json: training must be an object whose symbols are a list")


def _check_instant(field: str, text: object) -> None:
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError:
        raise BundleError(f"metadata.json: {field} is {text!r}, not an ISO time") from None
    if instant.utcoffset() != timedelta(0):
        raise BundleError(f"metadata.json: {field} {text!r} is not in UTC; write it with a Z")


def make_probe(runner: OnnxRunner, rows: NDArray[Any]) -> dict[str, Any]:
    """Return `rows` and the graph's answers to them, as ``probe.json`` keeps them."""
    matrix = np.asarray(rows, dtype=np.float32)
    answers = {name: found.tolist() for name, found in _answers(runner, matrix).items()}
    return {"input": matrix.tolist(), **answers}


def check_probe(runner: OnnxRunner, probe: Mapping[str, Any]) -> None:
    """Refuse a graph that no longer answers its probe as it did."""
    rows = _matrix(probe, "input")
    for name, found in _answers(runner, rows).items():
        expected = _matrix(probe, name)
        if found.shape != expected.shape:
            raise BundleError(
                f"probe.json has for {name} {expected.shape}, the graph {found.shape}"
            )
        if not _close(found, expected):
            raise BundleError(
                "the graph answers its probe otherwise than when it was written: max abs "
                f"difference of {name} {np.abs(found - expected).max():.3g}, allowed "
                f"{PROBE_ATOL:.0e} + {PROBE_RTOL:.0e}·|y|"
            )


def _answers(runner: OnnxRunner, rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return the graph's answers to all rows at once, which each row alone must get too."""
    try:
        together = _forecast(runner, rows)
        alone = [_forecast(runner, row[None]) for row in rows]
    except (FeatureError, PredictionError) as error:
        raise BundleError(f"probe.json: {error}") from error
    for name, found in together.items():
        if not _close(np.concatenate([one[name] for one in alone]), found):
            raise BundleError(
                f"the graph answers a row alone otherwise than among others ({name}); rows leak"
            )
    return together


def _forecast(runner: OnnxRunner, rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    raw, novelty = runner.forecast(rows)
    answers = {"output": raw.astype(np.float32)}
    return (
        answers if novelty is None else answers | {"novelty": novelty[:, None].astype(np.float32)}
    )


def _close(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return np.allclose(a, b, rtol=PROBE_RTOL, atol=PROBE_ATOL)


def _matrix(probe: Mapping[str, Any], name: str) -> NDArray[np.float32]:
    try:
        matrix = np.array(probe.get(name), dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0, dtype=np.float32)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise BundleError(f"probe.json: {name} must be rows of finite numbers")
    return matrix
