"""Fits of later turns, made ahead in worker processes while earlier turns are decided in order.

What a fit comes to follows from candles, recipe and seed, never from a decision. So workers leave
candles, panel and fits of coming turns in the very work folders in which the turns will look for
them, and a turn that finds them takes the same steps as one that does not.

One thing does depend on decisions: the panel holds the columns of the versions in service, and rows
that lack one of them are left out. `confirm` compares, before a turn begins, the columns of what
was made ahead with those the turn wants, and where they differ it is thrown away and made in order.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

from market.timeframes import utc
from ml_pipeline.errors import PanelError
from ml_pipeline.isolated import end_with
from ml_pipeline.panel import Panel
from orchestration.service import data as turn_data
from orchestration.service import steps
from orchestration.service.beginning import turn_at
from orchestration.service.refs import Dataset, TurnRef
from orchestration.service.replays.cost import cpu_seconds
from orchestration.service.replays.plan import Plan
from orchestration.service.staging import names_of, preload
from orchestration.service.work import Work
from orchestration.settings import Settings

_ENV = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
_IDLE_S = 600
_SPARE = 1
"""Turns made ahead beyond one a worker: each keeps a panel on disk until its turn has come."""


class Ahead:
    """Keeps workers busy with the turns that come next.

    Parameters
    ----------
    plan
        The replay.
    moments
        Turns still to come, in order, epoch milliseconds.
    """

    def __init__(self, plan: Plan, moments: tuple[int, ...]) -> None:
        self._plan, self._todo = plan, list(moments)
        self._pool: Any = None
        self._running: dict[int, Future[float]] = {}

    def wait(self, moment: int) -> float:
        """Return when all that can be made ahead of a turn is there; the CPU seconds it took.

        With one worker it is made here and now. A worker that died leaves its work to the turn.
        """
        workers = self._plan.settings.workers
        if workers == 1:
            return make(self._plan.settings, moment)
        self._todo = [later for later in self._todo if later >= moment]
        try:
            for later in self._todo[: workers + _SPARE]:
                if later not in self._running:
                    self._running[later] = self._submit(later)
            return self._running.pop(moment).result()
        except BrokenProcessPool:
            self.close()
            return 0.0

    def close(self) -> None:
        """End the workers at once: what they leave half done is done again."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
        self._pool, self._running = None, {}

    def _submit(self, moment: int) -> Future[float]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                max_workers=self._plan.settings.workers,
                timeout=_IDLE_S,
                env=_ENV,
                initializer=end_with,
                initargs=(os.getpid(),),
            )
        found: Future[float] = self._pool.submit(make, self._plan.settings, moment)
        return found


@contextmanager
def ahead_of(plan: Plan, moments: tuple[int, ...]) -> Iterator[Ahead]:
    """Run workers for as long as the block lasts."""
    workers = Ahead(plan, moments)
    try:
        yield workers
    finally:
        workers.close()


def make(settings: Settings, moment: int) -> float:
    """Fetch, build and fit what the turn at `moment` will ask for; return the CPU seconds.

    What fails is left to the turn: there it fails again, is recorded, and the others go on.
    """
    started = cpu_seconds()
    turn = turn_at(settings.at(utc(moment).to_pydatetime()), moment)
    preload(turn)
    for symbol in settings.symbols:
        _try(steps.fetch, turn, symbol)
    if not _try(steps.dataset, turn):
        return cpu_seconds() - started
    data = Work(turn.folder).load("dataset", Dataset)
    for kind in (kind for kind in steps.LONGEST_FIRST if kind in settings.kinds):
        for name in names_of(turn, kind, data)[0] if data else ():
            _try(steps.fit_one, turn, kind, name, data)
    return cpu_seconds() - started


def confirm(turn: TurnRef) -> bool:
    """Return whether what was made ahead of a turn is what the turn asks for; else remove it.

    A turn that has begun to judge is past this: its data are fixed.
    """
    work = Work(turn.folder)
    data = work.load("dataset", Dataset)
    if data is None or any(turn.folder.glob("judge-*.json")):
        return True
    try:
        names = Panel.load(data.folder).names
    except PanelError:
        return True  # the step sees that too, and makes it again
    if set(names) == set(turn_data.columns(turn)):
        return True
    shutil.rmtree(turn.folder)
    return False


def _try(step: Any, *arguments: object) -> bool:
    try:
        step(*arguments)
    except Exception:  # noqa: BLE001 - whatever it is, the turn meets it again and records it
        return False
    return True
