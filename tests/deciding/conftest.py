"""Homes with empty, migrated databases: making those anew for every test costs seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.service import resources
from orchestration.settings import Settings, load_settings
from orchestration.store.store import Store
from orchestration.tracking import Tracking


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose databases have their tables and nothing in them."""
    home = tmp_path_factory.mktemp("blank")
    settings = load_settings(home=home)
    Store(settings.store_url)
    Tracking(settings.tracking_uri, settings.artifact_root, experiment="none")
    return home


@pytest.fixture
def store(blank: Path, tmp_path: Path) -> Store:
    """An empty store."""
    shutil.copytree(blank, tmp_path / "home")
    return Store(load_settings(home=tmp_path / "home").store_url)


@pytest.fixture
def new_settings(
    blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Settings]:
    """Settings of a fresh home on a small simulated market; one kind, unless told."""
    monkeypatch.delenv("TIDEWHEEL_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def make(**changes: object) -> Settings:
        home = tmp_path / "home"
        if not home.exists():
            shutil.copytree(blank, home)
        small = {
            "home": home,
            "source": "simulated:seed=7",
            "symbols": "BTC-USDT,ETH-USDT",
            "timeframe": "1m",
            "days": 3,
            "kinds": "direction",
        }
        return load_settings(**(small | changes))

    return make


@pytest.fixture(autouse=True)
def forget_resources() -> Callable[[], None]:
    """Homes come and go: none may be remembered from another test. Call it to forget at once."""

    def forget() -> None:
        for cached in (resources._store, resources._tracking, resources._source):
            cached.cache_clear()

    forget()
    return forget
