"""What a killed promotion has begun is finished by whoever starts next."""

from __future__ import annotations

from orchestration.lifecycle.errors import LifecycleError, NotRecovered
from orchestration.lifecycle.intent import pending
from orchestration.service.resources import places_of, registry_of
from orchestration.settings import Settings
from orchestration.store.errors import RecordError


def recover(settings: Settings) -> list[str]:
    """Finish what a killed promotion has begun; return a sentence for each.

    As cheap as listing a folder where nothing was begun: neither MLflow nor the store is asked.

    Raises
    ------
    NotRecovered
        MLflow or the database cannot be asked, or the folder not be written; it is tried again the
        next time.
    """
    if not pending(registry_of(settings)):
        return []
    from orchestration.lifecycle import moving  # only now: it brings MLflow
    from orchestration.tracking.errors import TrackingError

    try:
        return moving.recover(places_of(settings))
    except (TrackingError, RecordError, LifecycleError, OSError) as error:
        raise NotRecovered(f"a promotion that was cut off waits to be finished: {error}") from error
