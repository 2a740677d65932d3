"""Run a turn in this process and kill it at its n-th lasting change; n = 0 lets it live.

Usage: killed_turn.py HOME NOW N. The kill comes just before or just after a file is renamed or just
before a database commits: a kill anywhere between two such moments leaves the same behind.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from orchestration.service.turn import run_turn
from orchestration.settings import load_settings


class Killer:
    """Counts lasting changes and kills its own process at one of them."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, what: str) -> None:
        self.left -= 1
        if self.left == 0:
            os.write(1, what.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            self.step(f"before {name} {os.path.basename(str(args[1]))}")
            result = change(*args, **kwargs)
            self.step(f"after {name} {os.path.basename(str(args[1]))}")
            return result

        return changed

    def arm(self) -> None:
        os.replace = self.around("replace", os.replace)
        os.rename = self.around("rename", os.rename)
        event.listen(Engine, "commit", lambda connection: self.step("before commit"))


def main(home: str, now: str, at: str) -> None:
    Killer(int(at)).arm()
    settings = load_settings(
        home=home,
        source="simulated:seed=7",
        symbols="BTC-USDT,ETH-USDT",
        timeframe="1m",
        days=3,
        kinds="direction",
    )
    report = run_turn(settings, now)
    print("changed" if report["changed"] else "unchanged")


if __name__ == "__main__":
    main(*sys.argv[1:])
