"""Bundle: one version as a folder of data, written whole, verified on every read, never changed.

==================== ==========================================================================
model.onnx           the graph, calibration included: ``features`` [N, F] → ``output`` [N, K], and
                     how far each row lies from the training rows: ``novelty`` [N, 1]
feature_schema.json  columns: names, order, definition hashes, units
metadata.json        who, when, from what data, head parameters (`bundle_checks.REQUIRED` and more)
metrics.json         figures of the verdict
README.md            the model card
probe.json           rows and the graph's answers to them when it was written
checksums.json       SHA-256 of every other file
==================== ==========================================================================

Nothing in a bundle is code, and nothing outside its folder is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.common.bundle_checks import (
    check_metadata,
    check_metrics,
    check_probe,
    parse_json,
    read_checksums,
    read_listed,
)
from models.common.errors import BundleError
from models.common.heads import Head, make_head
from models.common.onnx_header import read_header
from models.common.rows import Seen
from models.common.runner import OnnxRunner
from models.common.schema import FeatureSchema
from models.common.slot import Slot

if TYPE_CHECKING:
    from models.forecasters.forecaster import Forecaster


@dataclass(frozen=True, eq=False)
class Bundle:
    """One version whose documents are verified; its graph is verified when `runner` is first used.

    Parameters
    ----------
    folder : Path
        Where it lies.
    metadata, metrics : dict
        Contents of ``metadata.json`` and ``metrics.json``.
    schema : FeatureSchema
        The columns it reads.
    checksums : dict of str to str
        SHA-256 by file name.
    """

    folder: Path
    metadata: dict[str, Any]
    metrics: dict[str, Any]
    schema: FeatureSchema
    checksums: dict[str, str]

    @cached_property
    def slot(self) -> Slot:
        """The slot that the version was trained for."""
        return Slot(self.metadata["scope"], self.kind, self.metadata["timeframe"])

    @property
    def kind(self) -> str:
        """Kind of model, one of `models.common.slot.KINDS`."""
        return str(self.metadata["kind"])

    @property
    def version_id(self) -> str:
        """Name of the version, unique in its slot."""
        return str(self.metadata["version_name"])

    @property
    def key(self) -> str:
        """Slot and version in one word: ``scope/kind/timeframe/version``."""
        return f"{self.slot.key}/{self.version_id}"

    @cached_property
    def seen(self) -> Seen:
        """The labels of the last frame that it was asked with."""
        return Seen()

    @cached_property
    def seen_anyhow(self) -> Seen:
        """The same of frames whose columns may stand in any order, as an ensemble's do."""
        return Seen()

    @cached_property
    def head(self) -> Head:
        """How the graph's output becomes an answer."""
        return make_head(self.kind, self.metadata["head"])

    @cached_property
    def forecaster(self) -> Forecaster:
        """What forecasts many steps; only bundles of forecasters hold it.

        Raises
        ------
        BundleError
            When this is none, or a file of it is damaged.
        """
        # Here, as only forecasters need the feature engine's compiled loops.
        from models.forecasters.bundled import read_forecaster

        with _reading(self.folder):
            return read_forecaster(self.folder, self.checksums)

    @cached_property
    def runner(self) -> OnnxRunner:
        """The graph, loaded and verified against its checksum, its contract and its probe.

        Raises
        ------
        BundleError
            When it is not what the bundle says.
        """
        with _reading(self.folder):
            onnx = read_listed(self.folder, "model.onnx", self.checksums)
            read_header(onnx)
            runner = OnnxRunner(onnx, self.schema.names, self.head, self.version_id)
            probe = parse_json(read_listed(self.folder, "probe.json", self.checksums), "probe.json")
            check_probe(runner, probe)
        return runner


def read_bundle(folder: str | os.PathLike[str], *, root: Path | None = None) -> Bundle:
    """Return the bundle in `folder`, with every document and the graph verified.

    Parameters
    ----------
    folder : path
        The version's folder, or a link to it.
    root : Path, optional
        Folder that the bundle must lie in once every link is followed.

    Raises
    ------
    BundleError
        When anything is missing, damaged, unlisted, not allowed or out of place; the message
        says which file and why.
    """
    bundle = read_documents(folder, root=root)
    _ = bundle.runner
    return bundle


def read_documents(folder: str | os.PathLike[str], *, root: Path | None = None) -> Bundle:
    """Return the bundle in `folder` with its documents verified, its graph not yet loaded.

    For listings: what `read_bundle` verifies besides, `Bundle.runner` verifies on first use.

    Raises
    ------
    BundleError
        As for `read_bundle`, as far as the documents tell.
    """
    with _reading(Path(folder)):
        place = Path(folder).resolve()
        if root is not None and not place.is_relative_to(root.resolve()):
            raise BundleError(f"lies outside of the models folder {root}, at {place}")
        checksums = read_checksums(place)
        read = {
            name: read_listed(place, name, checksums)
            for name in checksums
            if name not in ("model.onnx", "probe.json")
        }
        metadata = parse_json(read["metadata.json"], "metadata.json")
        schema = FeatureSchema.from_dict(
            parse_json(read["feature_schema.json"], "feature_schema.json")
        )
        check_metadata(metadata, schema)
        metrics = parse_json(read["metrics.json"], "metrics.json")
        check_metrics(metrics)
        return Bundle(place, metadata, metrics, schema, checksums)


@contextmanager
def named(folder: Path) -> Iterator[None]:
    """Say which bundle it is that is refused, read or written."""
    try:
        yield
    except BundleError as error:
        raise type(error)(f"bundle {folder} refused: {error}") from error


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Say which bundle is refused, also where the system does not let it be read."""
    try:
        with named(folder):
            yield
    except (OSError, RuntimeError) as error:  # forbidden, vanished; a link that leads to itself
        raise BundleError(f"bundle {folder} refused: it cannot be read: {error}") from error
