"""The staging folder: what was prepared and packed, and the checks before any of it goes live."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features import hashes
from models.common.bundle import Bundle, read_bundle
from models.common.bundle_checks import CHECKSUMS
from models.common.errors import ModelError
from models.common.files import locked, write_folder
from models.common.registry import PredictionModelRegistry
from models.common.slot import KINDS
from orchestration.lifecycle.checks import report
from orchestration.lifecycle.errors import NotStaged, PackageRefused, Unproven
from orchestration.lifecycle.packaging import Package
from orchestration.rules import Gates

Json = dict[str, Any]
_PACKAGE = re.compile(
    rf"(?P<scope>.+)\.(?P<kind>{'|'.join(KINDS)})\.(?P<timeframe>[1-9][0-9]*[mhdw])\."
    r"(?P<version>.+)\.zip"
)


class Staging:
    """Bundles and packages that do not serve yet.

    Parameters
    ----------
    folder
        Where they lie: ``models/`` and ``packages/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = PredictionModelRegistry(folder / "models")

    def package_path(self, bundle: Bundle) -> Path:
        """Return where the package of a bundle lies, or would lie."""
        slot = bundle.slot
        name = f"{slot.scope}.{slot.kind}.{slot.timeframe}.{bundle.version_id}.zip"
        return self.folder / "packages" / name

    def bundle(self, version: str | None) -> Bundle:
        """Return the prepared bundle that `version` begins, the last one made by default.

        Raises
        ------
        NotStaged
            None, or more than one, is meant.
        BundleError
            It is damaged.
        """
        bundles = [b for b in self._written() if not b.metadata["baseline"]]
        found = [b for b in bundles if version is None or b.version_id.startswith(version)]
        exact = [b for b in found if b.version_id == version]
        chosen = exact or (found[-1:] if version is None else found)
        if len(chosen) == 1:
            return self.registry.read(chosen[0].folder)
        there = ", ".join(b.key for b in found or bundles) or "nothing"
        raise NotStaged(
            f"{version or 'no version'} is not one prepared version in {self.registry.root}; there "
            f"is {there}; prepare one: tidewheel live train"
        )

    def baseline_of(self, bundle: Bundle) -> Bundle | None:
        """Return the baseline that a prepared bundle was judged beside, of exactly its rows.

        Raises
        ------
        BundleError
            It is damaged.
        """
        rows = ("source", "window", "turn_data_hash")
        for other in reversed(self._written()):
            same = all(other.metadata.get(name) == bundle.metadata.get(name) for name in rows)
            if other.metadata["baseline"] and other.slot == bundle.slot and same:
                return self.registry.read(other.folder)
        return None

    def _written(self) -> list[Bundle]:
        """Return all that lies here, the last one written last."""
        return sorted(self.registry.list_bundles(), key=_written)

    def package(self, version: str | Path | None) -> Path:
        """Return the path of a package: of the version that begins so, or the last one packed.

        Raises
        ------
        NotStaged
            None, or more than one, is meant.
        """
        version = None if version is None else str(version)
        if version is not None and version.endswith(".zip"):
            return Path(version)
        folder = self.folder / "packages"
        paths = [path for path in folder.glob("*.zip") if _PACKAGE.fullmatch(path.name)]
        paths.sort(key=lambda path: path.stat().st_mtime)
        found = [path for path in paths if version is None or _version(path).startswith(version)]
        found = [path for path in found if _version(path) == version] or found
        if found and (version is None or len(found) == 1):
            return found[-1]
        there = ", ".join(path.name for path in found or paths) or "none"
        raise NotStaged(
            f"{version or 'no version'} is not one package in {folder}; there are {there}; "
            f"prepare one: tidewheel live train"
        )

    def check(
        self, package: Package, gates: Gates, force: bool, rival: Callable[[Bundle], Json]
    ) -> Json:
        """Verify a package's bundle in the staging folder; return the report on it.

        Parameters
        ----------
        rival
            Compares it with what serves now.

        Raises
        ------
        PackageRefused
            Its bundle is refused, or reads features that mean something else now.
        Unproven
            It is not proven to beat its baseline, out of calibration, or provably worse than what
            serves, and nobody insists.
        """
        with self._unpacked(package) as bundle:
            found = report(bundle, gates, rival(bundle))
        if package.baseline is not None:
            self._check_baseline(package.baseline, bundle)
        failed = [f"{c['name']}: {c['sentence']}" for c in found["checks"] if not c["ok"]]
        if not found["sound"]:
            raise PackageRefused(f"{bundle.key} may not go live: {'; '.join(failed)}")
        if not found["ok"] and not force:
            raise Unproven(
                f"{bundle.key} is not deployed: {'; '.join(failed)}; --force deploys it all the "
                "same"
            )
        return found

    def _check_baseline(self, package: Package, bundle: Bundle) -> None:
        with self._unpacked(package) as naive:
            about, own = naive.metadata, bundle.metadata
            if naive.slot != bundle.slot or not about["baseline"]:
                raise PackageRefused(f"the package's {naive.key} is no baseline of {bundle.slot}")
            if hashes.changed(naive.schema.hashes) or about["simulated"] != own["simulated"]:
                raise PackageRefused(
                    f"the package's {naive.key} cannot stand behind {bundle.version_id}: it learnt "
                    "on another market, or its features mean something else now"
                )

    @contextmanager
    def _unpacked(self, package: Package) -> Iterator[Bundle]:
        """Write a package's bundle aside, verify it, and remove it again."""
        place = self.folder / "unpacked" / package.version
        try:
            with locked(place.parent):
                write_folder(place, package.files)
            bundle = read_bundle(place, root=self.folder)
            if bundle.slot != package.slot or bundle.version_id != package.version:
                raise PackageRefused(
                    f"the package says {package.slot}/{package.version}, its bundle {bundle.key}"
                )
            yield bundle
        except ModelError as error:
            raise PackageRefused(f"the package's bundle is refused: {error}") from error
        finally:
            shutil.rmtree(place, ignore_errors=True)


def install(package: Package, live: PredictionModelRegistry) -> Bundle:
    """Write a verified package's bundle to its place among those that serve, and return it.

    The same bundle may lie there already; a damaged one is replaced.

    Raises
    ------
    PackageRefused
        Another model has that version name.
    """
    folder = live.folder(package.slot, package.version)
    with locked(folder.parent):
        try:
            there = live.read(folder)
        except ModelError:
            write_folder(folder, package.files)
            return live.read(folder)
    if (there.folder / CHECKSUMS).read_bytes() != package.files[CHECKSUMS]:
        raise PackageRefused(
            f"another model has the name {there.key} already; versions never change"
        )
    return there


def _written(bundle: Bundle) -> float:
    return (bundle.folder / CHECKSUMS).stat().st_mtime


def _version(package: Path) -> str:
    match = _PACKAGE.fullmatch(package.name)
    return match["version"] if match else ""
