"""The board of a running turn: its progress in the Prefect UI, in the log, and to listeners."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from flows.progress import Step, tell


class Board:
    """Counts the steps of one turn and tells of each.

    Parameters
    ----------
    total
        How many steps the turn has.
    title
        Shown above the progress bar in the Prefect UI.
    """

    def __init__(self, total: int, title: str) -> None:
        self.total = total
        self.done = 0
        self._title = title
        self._log = get_run_logger()
        made: Any = create_progress_artifact(0.0, key="progress", description=title)
        self._artifact: UUID = made

    def begin(self, stage: str, subject: str = "") -> None:
        """Tell that a step has begun."""
        tell(Step(stage, subject, "begun", "", self.done, self.total))

    def end(self, stage: str, subject: str, sentence: str) -> None:
        """Tell that a step is done."""
        self._log.info("%s: %s", f"{stage} {subject}".strip(), sentence or "done")
        self._count(stage, subject, "done", sentence)

    def fail(self, stage: str, subject: str, sentence: str) -> None:
        """Tell that a step failed; the turn goes on without it."""
        self._log.warning("%s failed: %s", f"{stage} {subject}".strip(), sentence)
        self._count(stage, subject, "failed", sentence)

    def skip(self, steps: int) -> None:
        """Count steps that cannot be taken because one before them failed."""
        self.done += steps

    def close(self) -> None:
        """Fill the bar: the turn has ended."""
        self.done = self.total
        self._show()

    def _count(self, stage: str, subject: str, state: str, sentence: str) -> None:
        self.done += 1
        tell(Step(stage, subject, state, sentence, self.done, self.total))
        self._show()

    def _show(self) -> None:
        percent = min(100.0, round(100 * self.done / self.total, 1))
        update_progress_artifact(self._artifact, percent, description=self._title)
