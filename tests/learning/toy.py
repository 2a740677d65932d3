"""A learner whose hyper-parameters decide where it looks, and whether it fails or falls asleep."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.errors import FitError
from ml_pipeline.lesson import Lesson
from ml_pipeline.onnx_graph import Graph
from ml_pipeline.recipes import RECIPES, Recipe
from tests.learning.planted import PLANTED

Floats = NDArray[np.float64]
WRONG = "eom_14"


@dataclass(frozen=True)
class Stare:
    """The margin is one column, bent."""

    place: int
    columns: int

    @property
    def importance(self) -> Floats:
        return np.eye(self.columns)[self.place]

    def __call__(self, X: NDArray[np.float32]) -> Floats:
        return np.tanh(X[:, [self.place]].astype(np.float64))

    def nodes(self, graph: Graph, names: tuple[str, ...]) -> str:
        return graph.add("Tanh", graph.take([names[self.place]]))


def fit_toy(lesson: Lesson, hyperparams: Mapping[str, Any], seed: int) -> Stare:
    if hyperparams["mood"] == "bad":
        raise FitError("not today")
    time.sleep(60.0 if hyperparams["mood"] == "asleep" else float(hyperparams["nap"]))
    place = lesson.names.index(PLANTED if hyperparams["place"] > 0.5 else WRONG)
    return Stare(place, len(lesson.names))


def toy(nap: float = 0.0, moods: tuple[str, ...] = ()) -> Recipe:
    """Return a recipe of direction that looks at the wrong column unless it is tuned."""
    return replace(
        RECIPES["direction"][0],
        name="toy",
        estimator="tests.learning.toy:fit_toy",
        hyperparams={"place": 0.0, "mood": "good", "nap": nap},
        space={"place": (0.0, 1.0, "float")} | ({"mood": (*moods, "choice")} if moods else {}),
    )
