"""Is the server well, and what does it count: `/health` and `/metrics`."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from market.errors import MarketError
from orchestration.service.resources import source_of, store_of
from orchestration.settings import Settings
from orchestration.store.errors import RecordError
from orchestration.store.records import FAILED, RUNNING, Turn
from serving.api.documents import Degraded, Health
from serving.api.metrics import Meters

_LATE_HOURS = 13.0
"""A turn is due every 12 hours; one more is time enough to run it."""


def router(settings: Settings, meters: Meters) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", response_model=Health)
    def health() -> Health:
        """Tell that the server is alive, and what is degraded.

        The status is 200 as long as it answers: restarting it would mend none of what is degraded.
        """
        return look(settings, datetime.now(UTC))

    @routes.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Give requests, latencies, predictions, champions' skill and drift in Prometheus' text."""
        text = generate_latest(meters.registry)
        return PlainTextResponse(text, media_type=CONTENT_TYPE_LATEST)

    return routes


def look(settings: Settings, now: datetime) -> Health:
    """Return what is degraded at a moment."""
    found: list[Degraded] = []
    try:
        turns = store_of(settings).list_turns(1)
        found += [] if not turns else _turn(turns[0], now)
    except RecordError as error:
        found.append(Degraded(what="database", sentence=str(error)))
    simulated = False
    try:
        simulated = source_of(settings).simulated
    except MarketError as error:
        found.append(Degraded(what="source", sentence=str(error)))
    waiting = len(list(settings.spool_dir.glob("*"))) if settings.spool_dir.is_dir() else 0
    if waiting:
        said = f"{waiting} files of predictions wait for the database; tidewheel predict takes them"
        found.append(Degraded(what="ledger", sentence=said))
    status = "degraded" if found else "ok"
    return Health(status=status, degraded=found, source=settings.source, simulated=simulated)


def _turn(last: Turn, now: datetime) -> list[Degraded]:
    if last.status == FAILED:
        return [Degraded(what="turns", sentence=f"the last turn, {last.turn_id}, failed")]
    since = last.finished_at or last.started_at
    hours = (now - since).total_seconds() / 3600
    if hours <= _LATE_HOURS:
        return []
    word = "runs since" if last.status == RUNNING else "ended"
    said = f"the last turn, {last.turn_id}, {word} {hours:.0f} h ago; one is due every 12 h"
    return [Degraded(what="turns", sentence=said)]
