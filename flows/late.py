"""Scheduled runs that come late: one does the work of all, the others find it done.

After a night without a worker its runs are still there, and they start in no particular order. A
turn works on the newest bars whatever it was scheduled for, so a run is done when a turn at its
moment or after it has ended; one of fewer kinds, as a person may ask for, has not done it.
"""

from __future__ import annotations

from datetime import datetime

from prefect.runtime import flow_run

from market.symbols import scope_of
from orchestration.service.resources import store_of
from orchestration.settings import Settings
from orchestration.store.records import COMPLETED, WITH_FAILURES, Turn

_BY_SCHEDULE = "auto-scheduled"  # the tag that Prefect gives to runs made by a schedule


def scheduled_for() -> datetime | None:
    """Return the moment for which a schedule made this flow run; None when a person made it."""
    moment: datetime | None = flow_run.get_scheduled_start_time()
    return moment if _BY_SCHEDULE in flow_run.get_tags() else None


def turn_since(settings: Settings, moment: datetime) -> Turn | None:
    """Return a completed turn since `moment` that did all that these settings ask for."""
    suffix = f"_{scope_of(settings.symbols)}_{settings.timeframe}"
    earliest = f"{moment:%Y-%m-%dT%H%MZ}{suffix}"
    for turn in store_of(settings).list_turns():
        ended = turn.status in (COMPLETED, WITH_FAILURES)
        due = turn.turn_id.endswith(suffix) and turn.turn_id >= earliest
        if ended and due and _covers(turn, settings):
            return turn
    return None


def _covers(turn: Turn, settings: Settings) -> bool:
    """Tell whether a turn worked on this market, all these kinds and recipes."""
    kinds, recipes = set(settings.kinds), set(settings.recipes)
    same = turn.params.get("source", settings.source) == settings.source
    had = set(turn.params.get("recipes", recipes))
    whole = "all" in had or recipes <= had
    return same and whole and kinds <= set(turn.params.get("kinds", kinds))
