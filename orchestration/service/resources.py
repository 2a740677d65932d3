"""What steps work with: store, tracking, registry and source, opened once in a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from market.source import CandleSource, open_source
from market.store import CandleStore
from models.common.registry import PredictionModelRegistry
from orchestration.lifecycle.places import Places
from orchestration.service.errors import NoHome
from orchestration.settings import Settings
from orchestration.store.store import Store

if TYPE_CHECKING:
    from orchestration.tracking import Tracker, Tracking

# One process seldom works in more homes than this; tests do.
_KEPT = 4
LIGHT = "versions.db"
"""File of a replay's light tracking in its home."""


def existing(settings: Settings) -> Settings:
    """Return `settings` if their home is there: who only looks must not make one.

    Raises
    ------
    NoHome
        It is not, and no database elsewhere is named that could tell of it.
    """
    if settings.database_url is None and not settings.home.is_dir():
        raise NoHome(
            f"there is no home at {settings.home}; `tidewheel cycle --home {settings.home}` makes "
            "one, --home or TIDEWHEEL_HOME names another"
        )
    return settings


def store_of(settings: Settings) -> Store:
    """Return the store, migrated at its first opening; in a replay its records bear its moment."""
    store = _store(settings.store_url)
    return store if settings.moment is None else store.at(settings.moment)


def tracking_of(settings: Settings) -> Tracker:
    """Return MLflow; in a replay the light tracking of its home."""
    return mlflow_of(settings) if settings.moment is None else _light(settings.home)


def mlflow_of(settings: Settings) -> Tracking:
    """Return MLflow."""
    return _tracking(settings.tracking_uri, settings.artifact_root)


def registry_of(settings: Settings) -> PredictionModelRegistry:
    """Return the registry folder."""
    return PredictionModelRegistry(settings.models_dir)


def places_of(settings: Settings) -> Places:
    """Return the three places in which a promotion shows."""
    return Places(store_of(settings), tracking_of(settings), registry_of(settings))


def source_of(settings: Settings) -> CandleSource:
    """Return the candle source."""
    return _source(settings.source)


def candles_of(settings: Settings) -> CandleStore:
    """Return the candle store of the settings' source."""
    return CandleStore(settings.candles_dir, source_of(settings).name)


def forget() -> None:
    """Close what was opened: homes come and go."""
    for opened in (_store, _tracking, _light, _source):
        opened.cache_clear()


@lru_cache(maxsize=_KEPT)
def _store(url: str) -> Store:
    return Store(url)


@lru_cache(maxsize=_KEPT)
def _tracking(uri: str, artifact_root: str | None) -> Tracking:
    from orchestration.tracking import Tracking  # only now: MLflow takes a second to import

    return Tracking(uri, artifact_root)


@lru_cache(maxsize=_KEPT)
def _light(home: Path) -> Tracker:
    from orchestration.tracking import LightTracking  # as above

    return LightTracking(home / LIGHT)


@lru_cache(maxsize=_KEPT)
def _source(spec: str) -> CandleSource:
    return open_source(spec)
