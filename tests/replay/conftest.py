"""Small replays: two days of 5m bars of a simulated market, one kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.service import resources
from orchestration.service.replays.plan import Plan, plan
from orchestration.settings import load_settings

SMALL = {
    "source": "simulated:seed=7",
    "symbols": "BTC-USDT,ETH-USDT",
    "timeframe": "5m",
    "days": 8,
    "kinds": "direction",
    "workers": 1,
}


@pytest.fixture
def new_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """The plan of a replay of four turns in a home of that name."""
    monkeypatch.delenv("TIDEWHEEL_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    resources.forget()

    def make(home: str = "home", **changes: object) -> Plan:
        asked = {"first": "2025-05-20", "end": "2025-05-22", "every": "12h"}
        further = ("name", "train_days", "predict_every")
        asked |= {k: changes.pop(k) for k in tuple(changes) if k in (*asked, *further)}
        settings = load_settings(**(SMALL | {"home": tmp_path / home} | changes))
        return plan(settings, **asked)  # type: ignore[arg-type]

    return make
