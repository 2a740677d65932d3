"""Writing a bundle: whole or not at all, and verified before anybody sees it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from models.common.bundle import named, read_bundle
from models.common.bundle_checks import (
    CHECKSUMS,
    check_metadata,
    check_metrics,
    checksums_of,
    make_probe,
    parse_json,
    to_json,
)
from models.common.errors import BundleError
from models.common.files import locked, write_folder
from models.common.heads import make_head
from models.common.onnx_header import read_header
from models.common.runner import OnnxRunner
from models.common.schema import FeatureSchema
from models.common.slot import check_word


def write_bundle(
    folder: str | os.PathLike[str],
    *,
    onnx: bytes,
    metadata: Mapping[str, Any],
    schema: FeatureSchema,
    metrics: Mapping[str, Any],
    readme: str,
    probe: NDArray[Any],
    extras: Mapping[str, bytes] | None = None,
) -> Path:
    """Write one version as a bundle: whole or not at all, verified before it is seen.

    Writing the same version again (same graph, schema and head) keeps the bundle that is there, so
    that a turn that was killed can be run again. A damaged one is replaced.

    Parameters
    ----------
    folder : path
        Where to; its name is the version's, its parent is made if absent.
    onnx : bytes
        The graph, see `models.common.heads` for its output.
    metadata : mapping
        At least the fields of `models.common.bundle_checks.REQUIRED`; ``features``,
        ``feature_count`` and ``onnx`` (format and operator versions) are added here. Values are
        what JSON can hold, NaN excluded.
    schema : FeatureSchema
        Columns of the graph's input.
    metrics : mapping
        Figures of the verdict.
    readme : str
        The model card.
    probe : float array [n, F], n >= 1
        Rows that the graph answers now, and must answer alike whenever the bundle is read.
    extras : mapping of str to bytes, optional
        Further files to keep (pictures, a booster's own text form). Nothing here reads them.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    BundleError
        When the parts do not make a valid bundle, or another version lies there already.
    """
    place = Path(folder)
    check_word(place.name, "version")
    with named(place):
        header = read_header(onnx)
        full = {
            **metadata,
            "features": list(schema.names),
            "feature_count": len(schema),
            "onnx": header.as_dict(),
        }
        check_metadata(full, schema)
        runner = OnnxRunner(onnx, schema.names, make_head(full["kind"], full["head"]))
        contents = {
            **(extras or {}),
            "model.onnx": onnx,
            "metadata.json": to_json(full),
            "feature_schema.json": to_json(schema.as_dict()),
            "metrics.json": to_json(metrics),
            "README.md": readme.encode(),
            "probe.json": to_json(make_probe(runner, probe)),
        }
        check_metrics(metrics)
        for name in contents:
            check_word(name, "file of a bundle")
        contents[CHECKSUMS] = checksums_of(contents)
        with locked(place.parent):
            if not _is_written(place, contents):
                write_folder(place, contents)
    return place


def _is_written(folder: Path, contents: Mapping[str, bytes]) -> bool:
    """Return whether this version is there already, and sound."""
    try:
        there = read_bundle(folder)
    except BundleError:
        return False
    new = parse_json(contents[CHECKSUMS], CHECKSUMS)
    same = all(there.checksums[name] == new[name] for name in ("model.onnx", "feature_schema.json"))
    head = parse_json(contents["metadata.json"], "metadata.json")["head"]
    if not same or there.metadata["head"] != head:
        raise BundleError(
            "another model has this version name already; versions never change, "
            "write under a new name"
        )
    return True
