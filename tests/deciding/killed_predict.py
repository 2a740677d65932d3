"""Predict in this process and kill it at its n-th lasting change; n = 0 lets it live.

Usage: killed_predict.py HOME NOW N, as killed_turn.py.
"""

from __future__ import annotations

import sys

from orchestration.service.predicting import predict
from orchestration.settings import load_settings
from tests.deciding.killed_turn import Killer


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
    print("changed" if predict(settings, now)["changed"] else "unchanged")


if __name__ == "__main__":
    main(*sys.argv[1:])
