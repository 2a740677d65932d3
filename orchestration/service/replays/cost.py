"""What a replay costs: CPU seconds of this process and of all that descend from it."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Of the fields of /proc/<pid>/stat after the name, counted from nought.
_PARENT, _UTIME, _CSTIME = 1, 11, 14


def cpu_seconds() -> float:
    """Return the CPU seconds that this process, its children and theirs have used so far.

    A child that has ended counts through its parent. Where there is no ``/proc`` to show the living
    ones, they count once they have ended.
    """
    family, spent = {os.getpid()}, sum(os.times()[:4])
    known = {pid: fields for path in Path("/proc").glob("[0-9]*/stat") if (fields := _stat(path))
             for pid in [int(path.parent.name)]}  # fmt: skip
    while found := {
        pid for pid, fields in known.items() if int(fields[_PARENT]) in family and pid not in family
    }:
        family |= found
        for pid in found:
            spent += sum(int(field) for field in known[pid][_UTIME : _CSTIME + 1]) / _TICKS
    return spent


def _stat(path: Path) -> list[str]:
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return []
