"""The hook before a swap, whatever its command is: it ends in time, and every failure is one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestration.lifecycle.errors import HookFailed
from orchestration.lifecycle.hook import close_positions
from orchestration.settings import Settings


def _settings(home: Path, hook: str, timeout_s: float = 30) -> Settings:
    return Settings(home=home, close_positions_hook=hook, close_positions_timeout_s=timeout_s)


def test_one_that_leaves_its_group_does_not_outlast_the_limit(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(HookFailed, match=r"longer than 0\.5 s"):
        close_positions(_settings(tmp_path, "sh -c 'setsid sleep 15 & wait'", 0.5), {})
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("hook", ["close --all 'BTC", "  ", "no-such-command-anywhere"])
def test_what_is_no_command_cannot_be_started(tmp_path: Path, hook: str) -> None:
    with pytest.raises(HookFailed, match="cannot be started"):
        close_positions(_settings(tmp_path, hook), {})


def test_output_that_is_no_text_is_told_all_the_same(tmp_path: Path) -> None:
    said = close_positions(_settings(tmp_path, r"printf 'closed \377'"), {})
    assert said == "closed \N{REPLACEMENT CHARACTER}"
