"""Deployment package: one zip of a bundle, its validation report and a manifest of checksums.

::

    manifest.json            key of the version, when it was made, SHA-256 of every other file
    validation.json          what was checked, and the figures on unseen bars
    bundle/<file>            the bundle, file by file
    baseline/<file>          the baseline it was judged beside: the way back of a slot without one

It is read into memory and verified whole before anything of it is written. Checksums show damage;
they are no signature: take packages only from where you would take a model.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.common.bundle import Bundle
from models.common.errors import BadName
from models.common.files import replace_file
from models.common.slot import Slot, check_word
from orchestration.lifecycle.errors import PackageRefused

MANIFEST, REPORT = "manifest.json", "validation.json"
BUNDLE, BASELINE = "bundle/", "baseline/"
MOST_BYTES = 256 * 1024 * 1024
_MEMBER = re.compile(r"(?:bundle|baseline)/[A-Za-z0-9][A-Za-z0-9._+-]*")
_UNREADABLE = (OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


@dataclass(frozen=True)
class Package:
    """A package whose every checksum holds; `baseline` is another one inside, if there is one."""

    slot: Slot
    version: str
    report: dict[str, Any]
    files: dict[str, bytes] = field(repr=False)
    baseline: Package | None = None


def write_package(
    path: Path, bundle: Bundle, report: Mapping[str, Any], baseline: Bundle | None = None
) -> Path:
    """Write the package of a verified bundle: whole or not at all.

    Parameters
    ----------
    baseline
        What it was judged beside, verified too.

    Returns
    -------
    Path
        `path`.
    """
    contents = _files(bundle, BUNDLE)
    if baseline is not None:
        contents |= _files(baseline, BASELINE)
    contents[REPORT] = _json(report)
    manifest = {
        "key": bundle.key,
        "baseline": None if baseline is None else baseline.key,
        "created": bundle.metadata["created_ts"],
        "sha256": {name: _digest(content) for name, content in sorted(contents.items())},
    }
    contents[MANIFEST] = _json(manifest)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), contents[name], zipfile.ZIP_DEFLATED)
    replace_file(path, packed.getvalue())
    return path


def _files(bundle: Bundle, place: str) -> dict[str, bytes]:
    names = (*bundle.checksums, "checksums.json")
    return {f"{place}{name}": (bundle.folder / name).read_bytes() for name in names}


def read_package(path: Path) -> Package:
    """Return a package, every file verified against its manifest.

    Raises
    ------
    PackageRefused
        It is no zip, lacks a file or has one too many, a name leads elsewhere, a file is a link,
        larger than allowed, or not what the manifest says.
    """
    contents = _contents(path)
    manifest = _object(path, contents.pop(MANIFEST), MANIFEST)
    sums = manifest.get("sha256")
    if not isinstance(sums, dict) or set(sums) != set(contents):
        raise PackageRefused(f"{path}: its files are not those that {MANIFEST} lists")
    for name, content in contents.items():
        if _digest(content) != sums[name]:
            raise PackageRefused(f"{path}: {name} is damaged: its SHA-256 is not the manifest's")
    report, naive = _object(path, contents[REPORT], REPORT), manifest.get("baseline")
    baseline = None if naive is None else _part(path, naive, contents, BASELINE, {})
    return replace(_part(path, manifest.get("key"), contents, BUNDLE, report), baseline=baseline)


def _part(
    path: Path, key: object, contents: Mapping[str, bytes], place: str, report: dict[str, Any]
) -> Package:
    slot, version = _key(path, key)
    files = {
        name.removeprefix(place): content
        for name, content in contents.items()
        if name.startswith(place)
    }
    return Package(slot, version, report, files)


def _contents(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            for entry in entries:
                _check_member(path, entry)
            if sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise PackageRefused(f"{path}: it unpacks to more than {MOST_BYTES:,} bytes")
            found = {entry.filename: archive.read(entry) for entry in entries}
    except _UNREADABLE as error:
        raise PackageRefused(f"{path} cannot be read as a package: {error}") from error
    if len(found) != len(entries):
        raise PackageRefused(f"{path}: a name occurs twice")
    missing = sorted({MANIFEST, REPORT} - set(found))
    if missing:
        raise PackageRefused(f"{path}: {', '.join(missing)} missing")
    return found


def _check_member(path: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    if name not in (MANIFEST, REPORT) and not _MEMBER.fullmatch(name):
        raise PackageRefused(f"{path}: {name!r} is no name of a file of a package")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise PackageRefused(f"{path}: {name} is a link; a package holds plain files only")


def _key(path: Path, key: object) -> tuple[Slot, str]:
    slot, _, version = str(key).rpartition("/")
    try:
        return Slot.parse(slot), check_word(version, "version")
    except BadName as error:
        raise PackageRefused(f"{path}: {key!r} is no version's key: {error}") from error


def _object(path: Path, content: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PackageRefused(f"{path}: {name} is unreadable: {error}") from error
    if not isinstance(found, dict):
        raise PackageRefused(f"{path}: {name} is no object")
    return found


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, default=str) + "\n").encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
