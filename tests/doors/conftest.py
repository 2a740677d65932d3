"""A home that two real turns have been through, copied for each test that moves something."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.service import resources
from orchestration.service.turn import run_turn
from orchestration.settings import Settings, load_settings
from tests.doors.desk import MARKET, NOW, SLOT, Desk


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after two turns on a small simulated market; nobody writes into it."""
    home = tmp_path_factory.mktemp("turned") / "home"
    for now in NOW:
        report = run_turn(load_settings(home=home, **MARKET), now)
        assert report["failures"] == []
    return home


@pytest.fixture(autouse=True)
def forget_resources() -> Callable[[], None]:
    """Homes come and go: none may be remembered from another test. Call it to forget at once."""

    def forget() -> None:
        for cached in (resources._store, resources._tracking, resources._source):
            cached.cache_clear()

    forget()
    return forget


@pytest.fixture
def settings(turned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a copy of the turned home, which the environment names too."""
    home = tmp_path / "home"
    shutil.copytree(turned, home, symlinks=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIDEWHEEL_CONFIG", raising=False)
    monkeypatch.setenv("TIDEWHEEL_HOME", str(home))
    monkeypatch.setenv("TIDEWHEEL_SOURCE", str(MARKET["source"]))
    monkeypatch.setenv("COLUMNS", "100")
    return load_settings(home=home, **MARKET)


@pytest.fixture
def desk(settings: Settings) -> Desk:
    """The three places that must agree about who serves."""
    return Desk(settings, SLOT)
