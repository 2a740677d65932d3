"""Run functions in warm child processes that can be killed: the only hard limit for a fit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as FutureTimeout
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from loky.process_executor import BrokenProcessPool, ProcessPoolExecutor, ShutdownExecutorError

from ml_pipeline.errors import FitCrashed, FitTimeout

T = TypeVar("T")

_IDLE_S = 120
_START_S = 60.0
_ENV = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def end_with(parent: int) -> None:
    """Let this process end within a second of `parent`: nobody waits for an orphan's answer.

    The kernel's own "die with parent" looks at the thread that started the child, which is one of
    a pool and ends earlier. A terminal's Ctrl-C reaches children too: it is the parent's to answer,
    and would break a learner's native code in its middle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


class _WarmChild:
    """One child process, started on first use, killed when it will not end, started again.

    loky's own reusable executor is one per thread; fits come from many threads and share this one.
    One child each, rather than a pool of several: what runs too long can be killed by itself.
    """

    def __init__(self) -> None:
        self._turn = Lock()
        self._executor: Any = None

    def run(self, function: Callable[..., T], args: tuple[object, ...], timeout_s: float) -> T:
        """Return ``function(*args)`` computed by the child, when its turn has come."""
        name = getattr(function, "__name__", repr(function))
        with self._turn:
            try:
                executor = self._started()
                result: T = executor.submit(function, *args).result(timeout=timeout_s)
                return result
            except FutureTimeout:
                self._kill()
                raise FitTimeout(
                    f"{name} had not ended after {timeout_s:g} s and was killed; "
                    "raise the limit or give it less data"
                ) from None
            except (BrokenProcessPool, ShutdownExecutorError) as error:
                self._kill()
                raise FitCrashed(f"the process that ran {name} died: {error}") from error

    def end(self) -> None:
        """Kill the child, whatever it does; whoever waits for its answer gets `FitCrashed`."""
        executor = self._executor
        if executor is not None:
            executor.shutdown(wait=False, kill_workers=True)

    def _started(self) -> Any:
        """Return an executor whose child answers; the start does not count as time of the fit."""
        if self._executor is not None:
            try:
                self._executor.submit(os.getpid).result(timeout=_START_S)
                return self._executor
            except (BrokenProcessPool, ShutdownExecutorError):
                self._kill()
        self._executor = ProcessPoolExecutor(
            max_workers=1,
            timeout=_IDLE_S,
            env=_ENV,
            initializer=end_with,
            initargs=(os.getpid(),),
        )
        self._executor.submit(os.getpid).result(timeout=_START_S)
        return self._executor

    def _kill(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None


_CHILD = _WarmChild()


def run_isolated(function: Callable[..., T], *args: object, timeout_s: float) -> T:
    """Return ``function(*args)``, computed in a child process.

    The child is started once, stays warm for two minutes between calls, and takes one call at a
    time. Callers in several threads queue; the limit of each counts from when its turn comes.
    Pass references (paths, recipes), not frames: arguments and answer are copied between
    processes. What `function` raises is raised here.

    Parameters
    ----------
    function
        Importable by the child.
    timeout_s
        Seconds the call may take, once the child runs.

    Raises
    ------
    FitTimeout
        The limit passed; the child was killed and the next call starts a new one.
    FitCrashed
        The child died by itself, of memory for instance.
    """
    return _CHILD.run(function, args, timeout_s)


_BESIDE: list[_WarmChild] = []
_BESIDE_TURN = Lock()


def run_beside(
    function: Callable[..., T],
    jobs: Sequence[tuple[object, ...]],
    *,
    workers: int,
    timeout_s: float,
) -> Generator[tuple[int, T | BaseException], None, None]:
    """Do many jobs in `workers` child processes; yield each answer as it comes.

    Each child computes on one thread and takes the next job when it is free, in the order of
    `jobs`: put the longest first. Answers come in any order, and do not depend on the number of
    children. They stay warm between calls as `run_isolated`'s does; callers in several threads
    queue. An iteration that is broken off kills what has begun, so that Ctrl-C ends at once; who
    may be interrupted between two answers closes it (`contextlib.closing`).

    Parameters
    ----------
    function
        Importable by the children.
    jobs
        Its arguments, references rather than frames.
    workers
        Children.
    timeout_s
        Seconds that each job may take.

    Yields
    ------
    tuple of int and answer
        Which job, and what the function returned, or the error that it raised or that ended it
        (`FitTimeout`, `FitCrashed`): one job that fails leaves the others alone.
    """
    if not jobs:
        return
    with _BESIDE_TURN:
        _BESIDE.extend(_WarmChild() for _ in range(workers - len(_BESIDE)))
        free: SimpleQueue[_WarmChild] = SimpleQueue()
        for child in _BESIDE[:workers]:
            free.put(child)

        def one(job: tuple[object, ...]) -> T:
            child = free.get()
            try:
                return child.run(function, job, timeout_s)
            finally:
                free.put(child)

        pool = ThreadPoolExecutor(workers)
        try:
            places = {pool.submit(one, job): place for place, job in enumerate(jobs)}
            for future in as_completed(places):
                error = future.exception()
                yield places[future], future.result() if error is None else error
        except (GeneratorExit, KeyboardInterrupt):  # nobody waits for the answers any more
            pool.shutdown(wait=False, cancel_futures=True)
            # Again and again: a child that is only starting cannot be ended yet.
            while not all(future.done() for future in places):
                for child in _BESIDE[:workers]:
                    child.end()
                time.sleep(0.1)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
