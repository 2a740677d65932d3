"""Back-fill in this process and kill it at its n-th lasting change; n = 0 lets it live.

Usage: killed_backfill.py HOME N. As in killed_turn.py, the kill comes around a rename or a commit.
"""

from __future__ import annotations

import sys

from orchestration.service.backfill import backfill
from orchestration.settings import load_settings
from tests.deciding.killed_turn import Killer

NOW = "2025-05-20T00:00:00Z"
DAYS = 1.5


def main(home: str, at: str) -> None:
    Killer(int(at)).arm()
    settings = load_settings(
        home=home,
        source="simulated:seed=7",
        symbols="BTC-USDT,ETH-USDT",
        timeframe="1m",
        days=3,
        kinds="direction",
        recipes="logistic,lightgbm",
    )
    print(backfill(settings, NOW, DAYS)["fitted"])


if __name__ == "__main__":
    main(*sys.argv[1:])
