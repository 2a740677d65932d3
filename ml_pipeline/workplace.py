"""Where a fit is made: in this process, or in a child that can be killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from ml_pipeline.isolated import run_isolated
from ml_pipeline.panel import Panel
from ml_pipeline.recipe import Recipe
from ml_pipeline.splits import TurnSplit

T = TypeVar("T")
Job = Callable[[Recipe, Panel, TurnSplit, int], T]


class Workplace(Protocol):
    """Does jobs on one panel, with one split and one seed."""

    def __call__(self, job: Job[T], recipe: Recipe) -> T:
        """Return ``job(recipe, panel, split, seed)``."""


def here(panel: Panel, split: TurnSplit, seed: int) -> Workplace:
    """Return the workplace that is this process."""

    def work(job: Job[T], recipe: Recipe) -> T:
        return job(recipe, panel, split, seed)

    return work


def in_child(folder: str | Path, split: TurnSplit, seed: int, timeout_s: float) -> Workplace:
    """Return the workplace that is a child process; it opens the panel saved in `folder`.

    Each job has `timeout_s` seconds, or it is killed as `run_isolated` tells; jobs must be
    importable by the child.
    """

    def work(job: Job[T], recipe: Recipe) -> T:
        answer: T = run_isolated(on_saved, job, recipe, folder, split, seed, timeout_s=timeout_s)
        return answer

    return work


def on_saved(job: Job[T], recipe: Recipe, folder: str | Path, split: TurnSplit, seed: int) -> T:
    """Do `job` with the panel saved in `folder`: what the child is asked to do."""
    return job(recipe, Panel.load(folder), split, seed)
