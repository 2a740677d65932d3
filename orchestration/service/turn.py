"""A whole turn in one process: the steps in their order, one failure at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from orchestration.service import steps
from orchestration.service.errors import TurnFailed
from orchestration.service.refs import Json, TurnRef
from orchestration.service.resources import store_of
from orchestration.service.work import Work, turn_lock
from orchestration.settings import Settings
from orchestration.store.records import FAILED

WATCH = ("ledger", "drift")
"""Steps of one kind that look back, in order."""

CHAIN = ("judge", "publish", "decide", "serve")
"""Steps of one kind after its fit, in order."""


def run_turn(settings: Settings, now: datetime | str | int) -> Json:
    """Run a turn from fetch to finish; run again for the same moment it changes nothing.

    Parameters
    ----------
    settings
        All that a turn can be told.
    now
        The moment of the turn: a time with a zone, or epoch milliseconds.

    Returns
    -------
    dict
        The report (see `orchestration.service.report.report`) with ``changed`` (bool) and
        ``sentence``.

    Raises
    ------
    TurnRunning
        Another turn runs in the same home.
    OtherParameters
        This turn was begun with other parameters.
    TurnFailed
        No symbol could be fetched. The same command tries again.
    """
    with turn_lock(settings):
        begun = steps.begin(settings, now)
        if begun.idle:
            return {**begun.summary, "changed": False, "sentence": begun.sentence}
        return {**_run(begun.turn), "changed": True, "sentence": begun.sentence}


def _run(turn: TurnRef) -> Json:
    for symbol in turn.settings.symbols:
        attempt(turn, "fetch", symbol, steps.fetch)
    try:
        steps.dataset(turn)
    except TurnFailed:
        close_failed(turn)
        raise
    kinds = turn.settings.kinds
    for kind in kinds:
        _conclude(turn, kind, WATCH)
    attempt(turn, "drift_pooled", "", lambda turn, _: steps.drift_pooled(turn))
    first = [kind for kind in steps.LONGEST_FIRST if kind in kinds]
    with ThreadPoolExecutor(turn.settings.workers) as pool:
        fitted = dict(
            zip(first, pool.map(lambda k: attempt(turn, "fit", k, steps.fit), first), strict=True)
        )
    for kind in kinds:
        if fitted[kind] and turn.settings.backfill_days:
            attempt(turn, "back_fill", kind, steps.back_fill)
        if fitted[kind]:
            _conclude(turn, kind, CHAIN)
    attempt(turn, "ensembles", "", lambda turn, _: steps.ensembles(turn))
    return steps.finish(turn)


def _conclude(turn: TurnRef, kind: str, chain: Sequence[str]) -> None:
    for stage in chain:
        if not attempt(turn, stage, kind, getattr(steps, stage)):
            return


def attempt(turn: TurnRef, stage: str, subject: str, step: Callable[[TurnRef, str], Any]) -> bool:
    """Run one step; record what it raises and return whether it succeeded.

    One symbol that cannot be fetched or one kind that cannot be fitted does not stop the others.
    """
    try:
        step(turn, subject)
    except Exception as error:  # noqa: BLE001 - whatever a library raises, the others go on
        steps.fail(turn, stage, subject, error)
        return False
    return True


def close_failed(turn: TurnRef) -> None:
    """Note that nothing could be done, so that the turn shows as failed until it is run again."""
    failures = [{"subject": f.subject, "message": f.message} for f in Work(turn.folder).failures()]
    store_of(turn.settings).finish_turn(turn.turn_id, FAILED, {"failures": failures})
