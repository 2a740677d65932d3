"""The work folder of a turn: what each step left, whole or not at all, and who may write there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.common.files import replace_file
from orchestration.service.errors import PredictRunning, TurnRunning
from orchestration.service.refs import Failure, Json, Ref, TurnRef, from_json, to_json
from orchestration.settings import Settings

PREDICT_WAIT_S = 120.0
"""Seconds that a turn waits for predictions between turns."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")


class Work:
    """Results of the steps of one turn, one JSON file each.

    A file holds the result, the seconds it took and the SHA-256 of the result; one that is cut,
    altered or shaped otherwise counts as absent, and the step is done again.

    Parameters
    ----------
    folder
        ``<home>/work/<turn_id>``; made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return where the result of the step called `name` lies, or would lie."""
        return self.folder / f"{_UNSAFE.sub('_', name)}.json"

    def load(self, name: str, kind: type[Ref]) -> Ref | None:
        """Return a stored result, or None when it is absent or not valid."""
        stored = self._read(self.path(name))
        if stored is None or stored.get("sha256") != _digest(stored.get("result")):
            return None
        try:
            return from_json(kind, stored["result"])
        except ValueError:
            return None

    def save(self, name: str, ref: Any, seconds: float = 0.0) -> None:
        """Store a result: readers see none or the whole of it, also after a power cut."""
        result = to_json(ref)
        content = {"result": result, "seconds": round(seconds, 4), "sha256": _digest(result)}
        replace_file(self.path(name), json.dumps(content, indent=1).encode())

    def drop(self, name: str) -> None:
        """Forget a result, so that its step is done again."""
        self.path(name).unlink(missing_ok=True)

    def count(self, name: str) -> int:
        """Count one more of something and return how many there were."""
        known = self._read(self.path(name)) or {}
        number = int(known.get("count", 0)) + 1
        replace_file(self.path(name), json.dumps({"count": number}).encode())
        return number

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each stage, all its symbols or kinds together."""
        total: dict[str, float] = {}
        for path in sorted(self.folder.glob("*.json")):
            stored = self._read(path)
            if stored is not None and "seconds" in stored and not path.stem.startswith("failure-"):
                stage = path.stem.split("-", 1)[0]
                if stage == "fits":  # counted in fit
                    continue
                total[stage] = round(total.get(stage, 0.0) + float(stored["seconds"]), 4)
        return total

    def failures(self) -> tuple[Failure, ...]:
        """Return what failed, in the order of stage and subject."""
        names = sorted(path.stem for path in self.folder.glob("failure-*.json"))
        found = (self.load(name, Failure) for name in names)
        return tuple(failure for failure in found if failure is not None)

    def fail(self, failure: Failure) -> None:
        """Note that a step failed."""
        self.save(_failure_name(failure.stage, failure.subject), failure)

    def succeed(self, stage: str, subject: str) -> None:
        """Forget that a step once failed."""
        self.drop(_failure_name(stage, subject))

    @staticmethod
    def _read(path: Path) -> Json | None:
        try:
            stored = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return stored if isinstance(stored, dict) else None


def once(
    turn: TurnRef,
    stage: str,
    subject: str,
    kind: type[Ref],
    make: Callable[[], Ref],
    valid: Callable[[Ref], bool] = lambda ref: True,
) -> Ref:
    """Return the stored result of a step where it is present and valid; else make and store it.

    Parameters
    ----------
    turn, stage, subject
        Whose result: the file is called ``<stage>-<subject>``, or ``<stage>`` without a subject.
    kind
        What the step returns.
    make
        Does the work.
    valid
        Whether what a stored result refers to is still there.
    """
    work = Work(turn.folder)
    name = f"{stage}-{subject}" if subject else stage
    found = work.load(name, kind)
    if found is not None and valid(found):
        return found
    started = time.perf_counter()
    made = make()
    work.save(name, made, time.perf_counter() - started)
    work.succeed(stage, subject)
    return made


@contextmanager
def turn_lock(settings: Settings) -> Iterator[None]:
    """Hold the lock of all turns of a home; the kernel releases it when its holder dies.

    A turn waits for predictions between turns (see `predict_lock`), which take seconds.

    Raises
    ------
    TurnRunning
        Another turn holds it.
    """
    lock = _lock(settings, "turn")
    deadline = time.monotonic() + PREDICT_WAIT_S
    while True:
        # Looked at before the lock is: who ends its predictions in between has freed both.
        predicts = _is_held(_lock(settings, "predict"))
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if not predicts or time.monotonic() > deadline:
                raise _running(settings, lock) from None
        time.sleep(0.05)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def predict_lock(settings: Settings) -> Iterator[None]:
    """Hold the lock of predictions between turns, and with it that of turns.

    Raises
    ------
    PredictRunning
        Another process predicts.
    TurnRunning
        A turn runs.
    """
    own, turns = _lock(settings, "predict"), _lock(settings, "turn")
    try:
        own.acquire(timeout=1)  # a turn that begins looks at it for a moment
    except Timeout:
        raise PredictRunning(
            f"another process predicts in {settings.home} (it holds {own.lock_file})"
        ) from None
    with own:
        try:
            turns.acquire(timeout=0)
        except Timeout:
            raise _running(settings, turns) from None
        try:
            yield
        finally:
            turns.release()


def _lock(settings: Settings, name: str) -> FileLock:
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.work_dir / f"{name}.lock")


def _is_held(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _running(settings: Settings, lock: FileLock) -> TurnRunning:
    return TurnRunning(
        f"another turn is running in {settings.home} (it holds {lock.lock_file}); wait until it "
        "has ended, or use another --home"
    )


def prune(settings: Settings, keep: TurnRef) -> None:
    """Remove the work folders of completed turns older than `keep`, and the bulk of `keep`'s own.

    What the next turn needs lies in the store, the registry and the candle store. The pictures of
    the last turn stay for those who look at them.
    """
    for bulk in ("panel", "long-panel", "fits"):
        shutil.rmtree(keep.folder / bulk, ignore_errors=True)
    suffix = keep.turn_id.partition("_")[2]
    for folder in settings.work_dir.glob(f"*_{suffix}"):
        if folder.is_dir() and folder.name < keep.turn_id:
            shutil.rmtree(folder, ignore_errors=True)


def _failure_name(stage: str, subject: str) -> str:
    return f"failure-{stage}-{subject}" if subject else f"failure-{stage}"


def _digest(result: Mapping[str, Any] | None) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()
