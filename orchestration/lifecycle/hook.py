"""The user's own hook, run before a live model is swapped: a child process with a time limit."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from orchestration.lifecycle.errors import HookFailed
from orchestration.settings import Settings

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
# The child imports the function from where its parent was started, as `python -m` would.
_CALL = (
    "import importlib, json, sys; module, _, name = sys.argv[1].partition(':'); "
    "getattr(importlib.import_module(module), name)(json.load(sys.stdin))"
)
_TOLD = 500  # characters of what it said


def close_positions(settings: Settings, about: Mapping[str, Any]) -> str:
    """Run the hook that closes positions; return what it printed.

    Parameters
    ----------
    about
        The deployment, as JSON: a command gets it on its standard input, a function as argument.

    Raises
    ------
    HookFailed
        None is set, it cannot be started, it failed, or it took too long and was killed.
    """
    hook = settings.close_positions_hook
    if not hook:
        raise HookFailed(
            "--close-positions needs a hook that closes them: set close_positions_hook in "
            "tidewheel.toml (or TIDEWHEEL_CLOSE_POSITIONS_HOOK) to a command or module:function; "
            "nothing was swapped"
        )
    command = _command(hook)
    return _run(hook, command, json.dumps(about, default=str), settings.close_positions_timeout_s)


def _command(hook: str) -> list[str]:
    if _FUNCTION.fullmatch(hook):
        return [sys.executable, "-c", _CALL, hook]
    try:
        words = shlex.split(hook)
    except ValueError as error:  # a quote that is never closed
        raise _unstartable(hook, error) from error
    if not words:
        raise _unstartable(hook, "it is empty")
    return words


def _unstartable(hook: str, why: object) -> HookFailed:
    return HookFailed(
        f"close_positions_hook {hook!r} cannot be started: {why}; nothing was swapped"
    )


def _run(hook: str, command: list[str], said: str, timeout_s: float) -> str:
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise _unstartable(hook, error) from error
    with child:  # which waits for its end, not for that of its output: others may hold that open
        try:
            output, _ = child.communicate(said, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # its own children too
            raise HookFailed(
                f"close_positions_hook {hook!r} took longer than {timeout_s:g} s and was killed; "
                "nothing was swapped, look after your positions"
            ) from None
    if child.returncode != 0:
        raise HookFailed(
            f"close_positions_hook {hook!r} ended with status {child.returncode}; nothing was "
            f"swapped, look after your positions. It said: {output.strip()[-_TOLD:]}"
        )
    return output.strip()
