"""Promote a version again and again, each time in a copy of a home and killed one change later.

Usage: killed_promotions.py HOME FOLDER VERSION STRIDE. Everything is imported once; each promotion
runs in a fork of this process, which opens its own databases and dies by kill -9 at its n-th
lasting change, n growing by STRIDE. Prints what each was about to do; ends with one that survives.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import orchestration.service.promoting  # all that a promotion needs, before the first fork
import orchestration.tracking  # noqa: F401
from orchestration.service.resources import places_of
from orchestration.settings import load_settings
from tests.deciding.killed_turn import Killer
from tests.doors.desk import LATER, MARKET

_MOST = 200


def main(home: str, folder: str, version: str, stride: str) -> None:
    for at in range(1, _MOST, int(stride)):
        copy = Path(folder) / f"{at:03d}"
        shutil.copytree(home, copy, symlinks=True)
        child = os.fork()
        if child == 0:
            promote(copy, version, at)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))
        assert os.WTERMSIG(status) == signal.SIGKILL
        os.write(1, b"\n")


def promote(home: Path, version: str, at: int) -> None:
    from orchestration.service.promoting import promote as ask
    from serving.models import by

    settings = load_settings(home=home, **MARKET)
    places_of(settings)  # opened before: what opening changes is not what is tested here
    Killer(at).arm()
    ask(settings, "BTCUSDT", "direction", version, by("somebody", "tested", True, LATER))


if __name__ == "__main__":
    main(*sys.argv[1:])
