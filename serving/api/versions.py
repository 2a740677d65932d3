"""Versions of the five kinds: what there is, and who serves."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Path, Query

from market.timeframes import instant_ms
from models.common.slot import Slot
from orchestration.lifecycle.intent_by_hand import By
from orchestration.lifecycle.transitions import TRANSITIONS
from orchestration.service.listing import UNREGISTERED, list_versions
from orchestration.service.promoting import promote as promote_version
from orchestration.settings import Settings
from orchestration.store.encoding import plain
from serving.api.documents import Moved, Promotion, Version
from serving.api.problems import told

Json = dict[str, Any]
Kind = Literal["direction", "risk", "price", "momentum", "volatility"]
Status = Annotated[
    str | None,
    Query(
        pattern=f"^({'|'.join([*TRANSITIONS, UNREGISTERED])})$", description="only this status",
        examples=["champion"],
    ),
]  # fmt: skip
SlotKey = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*/(direction|risk|price|momentum|volatility)/"
        r"[1-9][0-9]{0,2}[mhdw]$",
        max_length=200, description="scope/kind/timeframe", examples=["majors/direction/1m"],
    ),
]  # fmt: skip


def router(settings: Settings) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/models", tags=["models"])

    @routes.get("/versions", response_model=list[Version])
    def versions(
        kind: Annotated[Kind | None, Query(description="only this kind")] = None,
        status: Status = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="how many at most")] = 100,
    ) -> list[Json]:
        """List versions by slot: champion, challenger, and then the newest first."""
        rows = list_versions(settings, kind=kind, status=status)
        return cast(list[Json], plain(rows[:limit]))

    @routes.post("/{slot:path}/promote", response_model=Moved, responses=told(404, 409))
    def promote(slot: SlotKey, wish: Promotion) -> Json:
        """Make a version the champion of its slot, as `tidewheel models promote` does.

        A version whose skill is not proven is refused (409) unless `force` is true.
        """
        place = Slot.parse(slot)
        by = By(wish.by, instant_ms(datetime.now(UTC)), wish.reason, wish.force)
        moved = promote_version(
            settings, place.scope, place.kind, wish.version, by,
            timeframe=place.timeframe, scope=place.scope,
        )  # fmt: skip
        return asdict(moved)

    return routes
