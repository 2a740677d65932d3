"""Fitted, not yet judged: the fits of a turn as files in its work folder."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import BASELINE, Recipe, named
from ml_pipeline.trials import search_key
from ml_pipeline.workplace import Workplace, here, in_child
from models.common.files import locked, write_folder
from models.common.slot import version_name
from orchestration.service.data import competition_of, split_of
from orchestration.service.memory import at_rest
from orchestration.service.refs import Dataset, Fit, TurnRef

if TYPE_CHECKING:
    from ml_pipeline.tuning import Search

# Its loop holds the GIL and has no limit of its own: it gets a process that can be killed.
ISOLATED = ("torch",)


def preload(turn: TurnRef) -> None:
    """Import the learners' libraries, before anything runs beside anything.

    They import each other in circles; a thread that imports one while another thread is half-way
    through the next can see a half-made module.
    """
    for kind in turn.settings.kinds:
        for recipe in competition_of(turn, kind).recipes:
            if recipe.library not in ISOLATED:
                recipe.load_estimator()


def recipe_of(kind: str, name: str) -> Recipe | None:
    """Return a recipe by name; None for the baseline.

    Raises
    ------
    RecipeError
        This version has no such recipe.
    """
    return None if name == BASELINE else named(name, kind)


def fit_version(turn: TurnRef, kind: str, name: str, data: Dataset) -> Fit:
    """Fit one recipe, or the baseline, and leave it in the work folder.

    Raises
    ------
    PipelineError
        The fit failed, was killed at its limit, or its export does not equal it.
    """
    started = time.perf_counter()
    fitted = _fit(turn, kind, recipe_of(kind, name), data)
    # A replay's bundles are the same bytes at every run: what the clock says is kept out of them.
    replay = turn.settings.moment is not None
    seconds = 0.0 if replay else round(time.perf_counter() - started, 3)
    version = version_name(turn.at, turn.settings.timeframe, name)
    folder = turn.folder / "fits" / kind / version
    save_fitted(folder, fitted)
    return Fit(version, name, fitted.baseline, str(folder), fitted.parity, seconds)


def _fit(turn: TurnRef, kind: str, recipe: Recipe | None, data: Dataset) -> Fitted:
    settings = turn.settings
    panel = Panel.load(data.folder)
    if recipe is None:
        return fit_baseline(kind, panel, split_of(turn, panel, kind))
    split = split_of(turn, panel, kind, recipe.train_days)
    work = workplace(turn, kind, recipe, panel, data)
    if not settings.tune_seconds:
        return work(fit, recipe)
    # Optuna is imported by those who search.
    from ml_pipeline.tuning import Search, fit_tuned

    search = Search(
        seconds=settings.tune_seconds,
        seed=settings.seed,
        path=turn.folder / "tuning" / f"{kind}-{recipe.name}.json",
        key=search_key(recipe, panel, split, settings.seed),
    )
    return fit_tuned(recipe, work, search if settings.moment is None else without_clock(search))


def without_clock(search: Search) -> Search:
    """Return a search that is the same on every machine: a trial for each second it was given."""
    trials = max(1, round(search.seconds))
    return replace(search, seconds=math.inf, trials=trials, clock=lambda: 0.0)


def workplace(turn: TurnRef, kind: str, recipe: Recipe, panel: Panel, data: Dataset) -> Workplace:
    """Return where a recipe is fitted, on the slices that are its own."""
    settings, split = turn.settings, split_of(turn, panel, kind, recipe.train_days)
    if recipe.library in ISOLATED:
        return in_child(data.folder, split, settings.seed, settings.fit_timeout_s)
    return here(panel, split, settings.seed)


def names_of(turn: TurnRef, kind: str, data: Dataset) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is fitted for a kind, the baseline first, and a sentence for what is left out.

    Recipes whose line was archived rest; where all of them do, the baseline is fitted alone.
    """
    field = competition_of(turn, kind, Panel.load(data.folder))
    names = tuple(recipe.name for recipe in field.recipes)
    resting = at_rest(turn, kind, names)
    fitted = (name for name in names if name not in resting)
    return (BASELINE, *fitted), (*field.left_out, *resting.values())


def save_fitted(folder: Path, fitted: Fitted) -> None:
    """Write a fit as ``model.onnx`` and ``fitted.json``, both or none."""
    facts: dict[str, Any] = {
        "kind": fitted.kind,
        "recipe": fitted.recipe,
        "baseline": fitted.baseline,
        "head": fitted.head,
        "columns": list(fitted.columns),
        "parity": fitted.parity,
        "importance": fitted.importance,
        "facts": fitted.facts,
        "spec": fitted.spec,
        "sha256": hashlib.sha256(fitted.onnx).hexdigest(),
    }
    with locked(folder.parent):
        write_folder(
            folder,
            {"model.onnx": fitted.onnx, "fitted.json": json.dumps(facts, indent=1).encode()},
        )


def load_fitted(folder: str | Path) -> Fitted:
    """Read a fit that `save_fitted` wrote.

    Raises
    ------
    ValueError
        It is damaged.
    OSError
        It is not there.
    """
    place = Path(folder)
    onnx = (place / "model.onnx").read_bytes()
    facts = json.loads((place / "fitted.json").read_bytes())
    if hashlib.sha256(onnx).hexdigest() != facts.pop("sha256"):
        raise ValueError(f"{place / 'model.onnx'} is not what was fitted")
    return Fitted(**{**facts, "columns": tuple(facts["columns"]), "onnx": onnx})


def is_sound(ref: Fit) -> bool:
    """Return whether the files of a fit are there and whole."""
    try:
        load_fitted(ref.folder)
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return True
