"""What turns left: turns, leaderboard, drift, decisions."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Query

from orchestration.service.decisions import list_decisions
from orchestration.service.facade import Service
from orchestration.settings import Settings
from orchestration.store.encoding import plain
from serving import drift as drifted
from serving.api.documents import Decision, Drift, Rank, Turn
from serving.past import board_rows

Limit = Annotated[int, Query(ge=1, le=1000, description="how many, the last first")]
Slot = Annotated[
    str | None,
    Query(
        max_length=200, description="majors/direction/1m, or a word of it", examples=["direction"]
    ),
]
Json = dict[str, Any]
_OF_DISK = ("pictures", "fit_seconds", "run_ids")  # of this machine, not of the market


def router(settings: Settings) -> APIRouter:
    """Return the routes."""
    routes, service = APIRouter(prefix="/api", tags=["records"]), Service(settings)

    @routes.get("/turns", response_model=list[Turn])
    def turns(limit: Limit = 20) -> list[Json]:
        """List past turns, the last begun first: when, how they ended, seconds of each stage."""
        return service.list_turns(limit)

    @routes.get("/leaderboard", response_model=list[Rank])
    def leaderboard() -> list[Json]:
        """Rank the champions of the last completed turn by the lower bound of their skill."""
        rows = board_rows(service.report())
        shown = [{n: v for n, v in row.items() if n not in _OF_DISK} for row in rows]
        return cast(list[Json], plain(shown))

    @routes.get("/drift", response_model=list[Drift])
    def drift(slot: Slot = None) -> list[Json]:
        """Show the latest drift verdict of every slot, and of several slots pooled."""
        return cast(list[Json], plain(drifted.latest(settings, slot)))

    @routes.get("/decisions", response_model=list[Decision])
    def decisions(slot: Slot = None, limit: Limit = 20) -> list[Json]:
        """List who was made champion, kept or archived, and the figures that decided it."""
        return cast(list[Json], plain(list_decisions(settings, slot, limit)))

    return routes
