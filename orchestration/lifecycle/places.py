"""The three places that say who serves: MLflow's registry, the store, the folder of bundles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.common.registry import PredictionModelRegistry
from orchestration.store.store import Store

if TYPE_CHECKING:
    from orchestration.settings import Settings
    from orchestration.tracking import Tracker


@dataclass(frozen=True)
class Places:
    """Where a promotion shows: alias and tags, statuses and facts, links.

    Parameters
    ----------
    store, tracking, registry
        Of one home.
    """

    store: Store
    tracking: Tracker
    registry: PredictionModelRegistry

    @classmethod
    def open(cls, settings: Settings) -> Places:
        """Open the three places of a home.

        Raises
        ------
        DatabaseDown, TrackingDown
            One of them cannot be reached.
        """
        from orchestration.tracking import Tracking  # only now: MLflow takes a second to import

        settings.home.mkdir(parents=True, exist_ok=True)
        return cls(
            Store(settings.store_url),
            Tracking(settings.tracking_uri, settings.artifact_root),
            PredictionModelRegistry(settings.models_dir),
        )
