"""Read files of a bundle: plain ones only, up to a size, and what was checked is what is used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from models.common.errors import BundleError

MIB = 1 << 20
LIMITS = {"model.onnx": 64 * MIB, "checksums.json": MIB // 4}
"""Bytes of a file that are read at most; `OTHERS` for those not named here."""
OTHERS = 8 * MIB
MOST_FILES = 64


def list_plain(folder: Path) -> set[str]:
    """Return the names of the files in `folder`.

    Raises
    ------
    BundleError
        When it is no folder, holds something that is no plain file, or too much.
    """
    if not folder.is_dir():
        raise BundleError("there is no such folder")
    with os.scandir(folder) as entries:
        plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    odd = sorted(name for name, is_plain in plain.items() if not is_plain)
    if odd:
        raise BundleError(
            f"{', '.join(odd[:8])} is a link, a folder or a pipe; a bundle holds plain files only"
        )
    if len(plain) > MOST_FILES:
        raise BundleError(f"it holds {len(plain)} files; a bundle has {MOST_FILES} at most")
    return set(plain)


def read_plain(folder: Path, name: str) -> bytes:
    """Return the content of one file, opened once: its kind and size are those of what is read.

    Nothing is waited for (a pipe has no end) and no link is followed, whatever took the file's
    place after it was listed.

    Raises
    ------
    BundleError
        When it cannot be read, is no plain file, or larger than its limit.
    """
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BundleError(f"{name} cannot be read: {error.strerror}") from error
    limit = LIMITS.get(name, OTHERS)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{name} is no plain file")
        if status.st_size > limit:
            raise BundleError(
                f"{name} has {status.st_size / MIB:.1f} MiB; at most {limit / MIB:g} are read"
            )
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BundleError(f"{name} grew beyond {limit / MIB:g} MiB while it was read")
    return content
