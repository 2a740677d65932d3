"""A real server over a home that a turn has been through, and clients that ask in turn."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from orchestration.service.ml_service import get_ml_service
from orchestration.service.turn import run_turn
from orchestration.settings import load_settings

MARKET = {
    "source": "simulated:seed=7", "symbols": "BTC-USDT,ETH-USDT", "timeframe": "1m", "days": 3,
    "kinds": "direction", "recipes": "direction/logistic",
}  # fmt: skip
FORECAST = "/api/predictions?symbol=BTC_USDT&timeframe=1m"
PAGES = {
    FORECAST: 10, "/api/models": 2, "/api/models/versions?limit=50": 1, "/api/leaderboard": 2,
    "/api/turns": 1, "/api/drift": 2, "/api/decisions": 1, "/health": 2, "/metrics": 1,
}  # fmt: skip
"""What is asked for, and how often among the others."""


def prepare(home: Path) -> None:
    """Run a turn and train a forecaster of 300 steps on seven days."""
    settings = load_settings(home=home, **MARKET)
    assert run_turn(settings, "2025-05-20T00:00:00Z")["failures"] == []
    get_ml_service(settings).train_model("BTC-USDT", "1m", 300, 7)


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Run `tidewheel serve` in a process of its own; yield its address."""
    environment = {
        **os.environ, "TIDEWHEEL_SOURCE": str(MARKET["source"]), "COLUMNS": "200",
        "TIDEWHEEL_SYMBOLS": str(MARKET["symbols"]), "TIDEWHEEL_API__RATE": "1000000",
        "TIDEWHEEL_API__BURST": "1000000",
    }  # fmt: skip
    command = [sys.executable, "-m", "serving.cli", "serve", "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "REST API" in line)
            yield said.split()[2]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


class Load:
    """What clients measured: milliseconds by page, statuses that were not 200."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = defaultdict(list)
        self.wrong: Counter[str] = Counter()

    def client(self, address: str, until: float, seed: int) -> None:
        """Ask one page after the other, drawn by weight."""
        draw, pages, weights = random.Random(seed), list(PAGES), list(PAGES.values())
        with httpx.Client(base_url=address, timeout=60) as http:
            while time.perf_counter() < until:
                page = draw.choices(pages, weights)[0]
                began = time.perf_counter()
                status = http.get(page).status_code
                self.ms[page].append(1000 * (time.perf_counter() - began))
                if status != 200:
                    self.wrong[f"{page} {status}"] += 1


def run(address: str, seconds: float, clients: int) -> Load:
    """Return what so many clients measured."""
    found = Load()
    for page in PAGES:  # the first of each imports and opens what it needs
        assert httpx.get(address + page, timeout=300).status_code == 200, page
    until = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=found.client, args=(address, until, seed))
        for seed in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
