"""One recipe: kind + library + hyper-parameters + features + training window, as data."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from threading import Lock
from typing import Any, cast

import numpy as np

from features.errors import FeatureError
from features.twins import refusal, with_units
from ml_pipeline.errors import RecipeError
from ml_pipeline.feature_sets import NO_CALENDAR
from ml_pipeline.lesson import Estimator
from ml_pipeline.tasks import TASKS

# Fits start in several threads. Libraries that import each other in circles (scikit-learn, joblib,
# LightGBM) can see half of one another when two threads import them at the same moment.
_IMPORTING = Lock()
_RESERVED = ("baseline", "ensemble")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Recipe:
    """How one kind of model is made.

    Attributes
    ----------
    kind
        A key of `TASKS`.
    name
        Short name; the last part of a version's name.
    type
        The seeds' word for the learner, stored in the metadata.
    library
        Where the learner comes from.
    hyperparams
        Passed to the estimator.
    features
        Columns the learner sees; the baseline reads its own.
    train_days
        Length of the training window.
    estimator
        ``module:function`` of the learner; empty for the kind's own in `TASKS`.
    keep
        How many of the features are kept, by permutation importance over time folds of the
        training slice; None keeps all.
    space
        What tuning may search, by hyper-parameter: ``(low, high, "float")``, ``(…, "log")``,
        ``(…, "int")``, or choices and at last ``"choice"``.
    tuned
        Whether its hyper-parameters were found on the selection slice, which then may not weigh
        the learner as well.

    Raises
    ------
    RecipeError
        For a name that cannot be part of a version's; for features that nobody defined, or in
        price or volume units: those by name, with their scale-free twins; for fewer than one
        column to keep; for a space that is misshapen or of a hyper-parameter that is not there; for
        a value that JSON has no words for.
    """

    kind: str
    name: str
    type: str
    library: str
    hyperparams: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[str, ...] = NO_CALENDAR
    train_days: float = 7.0
    estimator: str = ""
    keep: int | None = None
    space: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    tuned: bool = False

    def __post_init__(self) -> None:
        if self.name in _RESERVED:
            raise RecipeError(f"{self.name} means something else; call the recipe otherwise")
        if not _NAME.fullmatch(self.name):
            raise RecipeError(
                f"a recipe cannot be called {self.name!r}; a name is lower-case words and hyphens"
            )
        try:
            refused = with_units(self.features)
        except FeatureError as error:
            raise RecipeError(f"recipe {self.name}: {error}") from error
        if refused:
            raise RecipeError(f"recipe {self.name}: {refusal(refused)}")
        if self.keep is not None and self.keep < 1:
            raise RecipeError(f"recipe {self.name} would keep {self.keep} columns; keep 1 at least")
        for searched, bounds in self.space.items():
            self._refuse_space(searched, bounds)
        self.spec()

    def _refuse_space(self, searched: str, bounds: tuple[Any, ...]) -> None:
        if searched not in self.hyperparams:
            raise RecipeError(
                f"recipe {self.name} has no hyper-parameter {searched} to search; "
                f"it has {', '.join(sorted(self.hyperparams))}"
            )
        sort = bounds[-1] if bounds else None
        chosen = sort == "choice" and len(bounds) > 1
        ranged = sort in ("float", "log", "int") and len(bounds) == 3 and bounds[0] < bounds[1]
        if not (chosen or ranged) or (sort == "log" and bounds[0] <= 0):
            raise RecipeError(
                f"recipe {self.name}: the space {bounds!r} of {searched} is none; write "
                '(low, high, "float"), (low, high, "log"), (low, high, "int") or '
                '(one, another, …, "choice")'
            )

    @property
    def chooses(self) -> bool:
        """Whether columns are still to be chosen: more are offered than kept."""
        return self.keep is not None and self.keep < len(self.features)

    def load_estimator(self) -> Estimator:
        """Import and return the learner's fit function."""
        module, name = (self.estimator or TASKS[self.kind].estimator).split(":")
        with _IMPORTING:
            return cast(Estimator, getattr(import_module(module), name))

    def columns(self, timeframe: str) -> tuple[str, ...]:
        """Return all columns of the model's input: the features, then what the baseline reads."""
        return tuple(dict.fromkeys([*self.features, *TASKS[self.kind].columns(timeframe)]))

    def with_hyperparams(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe with some hyper-parameters replaced.

        Raises
        ------
        RecipeError
            For a name that the recipe does not know.
        """
        unknown = sorted(set(changes) - set(self.hyperparams))
        if unknown:
            raise RecipeError(
                f"recipe {self.name} has no hyper-parameter {', '.join(unknown)}; "
                f"it has {', '.join(sorted(self.hyperparams))}"
            )
        return replace(self, hyperparams={**self.hyperparams, **changes})

    def spec(self) -> dict[str, Any]:
        """Return the whole recipe as JSON-able values; `from_spec` is the inverse."""
        spec = {part.name: getattr(self, part.name) for part in fields(self)}
        try:
            plain: dict[str, Any] = json.loads(json.dumps(spec, default=_plain))
        except TypeError as error:
            raise RecipeError(f"recipe {self.name} cannot be written down: {error}") from error
        return plain

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Recipe:
        """Return the recipe that `spec` describes.

        Raises
        ------
        RecipeError
            It has other fields than a recipe, or values that no recipe can have.
        """
        known = {part.name for part in fields(cls)}
        if set(spec) != known:
            other = ", ".join(sorted(set(spec) ^ known))
            raise RecipeError(f"this is no recipe of this version: {other} missing or unknown")
        return cls(**{name: _tuples(value) for name, value in spec.items()})

    def hash(self) -> str:
        """Return a SHA-256 of everything that makes the recipe, 16 hexadecimal digits."""
        content = json.dumps(self.spec(), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Return what JSON has no words for as something it has: mappings and numpy's numbers."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is no number, text, list or mapping")


def _tuples(value: Any) -> Any:
    """Return a JSON value with tuples for its lists, as recipes are written."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, Mapping):
        return {name: _tuples(item) for name, item in value.items()}
    return value
