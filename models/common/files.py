"""Files that appear whole or not at all: fsync, rename, links, and a lock against two writers."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` (made if absent), against other processes and threads.

    The kernel releases it when the holder dies, so that nobody cleans up after a kill.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write `contents` as the files of `folder`, which appears complete and synced or not at all.

    A folder that is there already is replaced. The caller holds the lock of its parent.
    """
    new, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for left in (new, old):  # by a writer that was killed
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    for name, content in contents.items():
        write_synced(new / name, content)
    sync_folder(new)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        new = path.with_name(f".{path.name}.new")
        write_synced(new, content)
        new.replace(path)
        sync_folder(path.parent)


def replace_link(link: Path, target: str) -> None:
    """Point the symbolic link `link` at `target`: readers see the old target or the new one.

    The caller holds the lock of its folder.
    """
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    sync_folder(link.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Write `content` to `path` and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in `folder`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
