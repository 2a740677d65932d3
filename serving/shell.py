"""Command lines as a person can type them: programs by their path, the home when it is told."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

# A turn sets this variable for its own parts; a person's shell has what it had before.
_HOME_BEFORE = os.environ.get("TIDEWHEEL_HOME")


def program(name: str, folder: Path) -> str:
    """Return how `name` is called in `folder`: by path where its environment is not activated."""
    if shutil.which(name):
        return name
    installed = Path(sys.executable).parent / name
    inside = installed.is_relative_to(folder)
    return shlex.quote(str(installed.relative_to(folder) if inside else installed))


def up_command(home: Path, folder: Path) -> str:
    """Return the command that opens both UIs on this home, as it can be typed in `folder`."""
    usual = Path(_HOME_BEFORE).expanduser() if _HOME_BEFORE else folder / "var"
    told = "" if home == usual.resolve() else f" --home {shlex.quote(str(home))}"
    return f"{program('tidewheel', folder)} up{told}"
