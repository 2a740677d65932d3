"""Replay: the whole process over history, with a virtual clock, in a home of its own.

Every turn is `orchestration.service.turn.run_turn`, the very one that runs live: candles up to its
moment, fits, judgement, decisions, ensembles. Between turns the versions in service predict. What
is decided follows from the parameters alone: twice the same is the same document, byte by byte,
however many workers there are and however often it was killed and started again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout

from market.errors import MarketError
from market.fetch import update
from market.timeframes import utc
from models.common.files import replace_file
from orchestration.service import data as turn_data
from orchestration.service.beginning import turn_at
from orchestration.service.errors import ReplayRunning, TurnFailed
from orchestration.service.refs import Json
from orchestration.service.replays import record
from orchestration.service.replays.ahead import Ahead, ahead_of, confirm
from orchestration.service.replays.between import look
from orchestration.service.replays.plan import Plan
from orchestration.service.replays.tidying import tidy
from orchestration.service.resources import candles_of, forget, source_of
from orchestration.service.turn import run_turn
from orchestration.store.records import FAILED


@dataclass(frozen=True)
class Progress:
    """How far a replay is.

    Attributes
    ----------
    done, total
        Turns that are over, and all of them.
    sentence
        What was just done.
    """

    done: int
    total: int
    sentence: str


Tell = Callable[[Progress], None]


def replay(plan: Plan, tell: Tell = lambda progress: None, *, fresh: bool = False) -> Json:
    """Run a replay to its end, or go on with one that was cut off.

    Parameters
    ----------
    plan
        Of `orchestration.service.replays.plan.plan`.
    tell
        Called after each turn.
    fresh
        Whether what an earlier run left is thrown away first.

    Returns
    -------
    dict
        The document of all decisions, also written to ``<home>/replays/<name>/decisions.json``.

    Raises
    ------
    OtherReplay
        A replay of that name was begun with other parameters.
    ReplayRunning
        Another process runs it.
    MarketError
        The source has none of the candles.
    """
    source_of(plan.settings)  # a mistake in it is told before anything is written
    with _alone(plan):
        if fresh:
            _clear(plan)
        plan.settle()
        _share_candles(plan)
        _fetch_all(plan)
        todo = tuple(at for at in plan.turns if record.turn_record(plan, at) is None)
        with ahead_of(plan, todo) as workers:
            for done, moment in enumerate(plan.turns, start=1):
                said = _turn(plan, moment, workers)
                for at in plan.between(moment):
                    _between(plan, at)
                tell(Progress(done, len(plan.turns), said))
        document = record.decisions(plan)
        replace_file(plan.folder / record.DECISIONS, record.text_of(document))
        return document


def _turn(plan: Plan, moment: int, workers: Ahead) -> str:
    """Run the turn at a moment, unless it is over; return a sentence."""
    settings = record.settings_at(plan, moment)
    turn = turn_at(settings, moment)
    if record.turn_record(plan, moment) is not None:
        return f"{turn.turn_id} was done before"
    begun = time.perf_counter()
    fits = workers.wait(moment)
    waited, cpu = time.perf_counter() - begun, _own_cpu()
    confirm(turn)
    try:
        summary = run_turn(settings, moment)
    except TurnFailed as error:
        summary = {"status": FAILED, "failures": [{"message": str(error)}], "slots": []}
    cost = {
        "fits_cpu": round(fits, 3),
        "rest_cpu": round(_own_cpu() - cpu, 3),
        "waited": round(waited, 3),
        "wall": round(time.perf_counter() - begun, 3),
        "stages": summary.get("seconds", {}),
        "versions": summary.get("versions_trained", 0),
    }
    record.keep(plan, turn, summary, cost)
    tidy(plan)
    moved = [
        f"{slot['kind']}: {slot['action']} {slot['recipe']}"
        for slot in summary["slots"]
        if slot["action"] not in ("keep", "refresh")
    ]
    return f"{turn.turn_id} {summary['status']}" + "".join(f"; {word}" for word in moved)


def _own_cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _between(plan: Plan, moment: int) -> None:
    if record.between_record(plan, moment) is None:
        record.keep_between(plan, moment, look(plan, moment))


def _fetch_all(plan: Plan) -> None:
    """Bring all candles at once, so that no turn waits for a source.

    A symbol that has none is left to the turns, which say so and go on without it.
    """
    settings = record.settings_at(plan, plan.first_ms)
    first, end = turn_at(settings, plan.first_ms), utc(plan.end_ms)
    warm = turn_data.warmup_ms(first)
    errors = []
    for symbol in settings.symbols:
        begin = utc(turn_data.start_ms(first) - warm)
        try:
            update(
                source_of(settings), candles_of(settings), symbol, settings.timeframe, begin, end
            )
        except MarketError as error:
            errors.append(error)
    if len(errors) == len(settings.symbols):
        raise errors[0]


def _share_candles(plan: Plan) -> None:
    """Let the replay read the candles that its house has: candles are the same in every home."""
    own, shared = plan.settings.candles_dir, plan.live.candles_dir
    shared.mkdir(parents=True, exist_ok=True)
    if own.is_symlink() and own.resolve() != shared.resolve():
        own.unlink()  # the house was moved
    if not own.exists():
        own.symlink_to(shared, target_is_directory=True)


def _clear(plan: Plan) -> None:
    forget()
    for path in plan.folder.iterdir():
        if path.name == _LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


_LOCK = "replay.lock"


@contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    plan.folder.mkdir(parents=True, exist_ok=True)
    path = plan.folder / _LOCK
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise ReplayRunning(
            f"another process runs the replay {plan.name} (it holds {path}); wait until it has "
            "ended, or give this one another --name"
        ) from None
