"""The five models of the run, as bundles and as the estimators of their libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.program import FeatureProgram
from market.timeframes import utc
from ml_pipeline.bundling import schema_of
from ml_pipeline.fit import compose, fit
from ml_pipeline.history import History
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.splits import TurnSplit, turn_split
from ml_pipeline.tasks import TASKS
from models.common.bundle_writing import write_bundle
from models.common.model import Model, open_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot

DAY_MS = 86_400_000
DAYS = 14
SYMBOLS = ["BTC-USDT", "ETH-USDT", "XRP-USDT"]
VERSION = "measured"


@dataclass(frozen=True)
class Team:
    """Five fitted models.

    Attributes
    ----------
    home
        Holds their bundles, each the champion of its slot.
    panel, split
        Rows that they were fitted on.
    recipes
        By kind.
    columns
        All columns that any of them reads.
    candles
        Of the first symbol, with enough before the last for a cold start.
    """

    home: Path
    panel: Panel
    split: TurnSplit
    recipes: Mapping[str, Recipe]
    columns: tuple[str, ...]
    candles: pd.DataFrame

    def model(self, kind: str) -> Model:
        """Return the kind's champion."""
        return open_model(kind, home=self.home)

    def training(self, columns: tuple[str, ...]) -> NDArray[np.float32]:
        """Return the training rows."""
        rows: NDArray[np.float32] = self.panel.columns(columns)[
            self.split.mask(self.panel, "train")
        ]
        return rows


def make_team(home: Path, source: str | None, end: str) -> Team:
    """Fit the first recipe of each kind on two weeks of three symbols."""
    history = History.open(source or "simulated", home=home, end=pd.Timestamp(end))
    end_ms = history.now_ms("1m")
    recipes = {kind: replace(RECIPES[kind][0], train_days=7.0) for kind in TASKS}
    columns = tuple(dict.fromkeys(n for r in recipes.values() for n in r.columns("1m")))
    start_ms = end_ms - DAYS * DAY_MS
    panel = history.panel(SYMBOLS, "1m", columns, start_ms, end_ms)
    registry = PredictionModelRegistry(home / "models")
    simulated = source is None
    for kind, recipe in recipes.items():
        split = turn_split(start_ms, end_ms, "1m", TASKS[kind].horizon_bars("1m"), 7)
        fitted = fit(recipe, panel, split, seed=0)
        slot = Slot("majors", kind, "1m")
        write_bundle(
            registry.folder(slot, VERSION),
            onnx=fitted.onnx,
            metadata=_metadata(slot, recipe, fitted.head, end_ms, simulated),
            schema=schema_of(fitted.columns),
            metrics={},
            readme=f"# {kind}, for measuring\n",
            probe=panel.columns(fitted.columns)[:8],
        )
        registry.promote(slot, VERSION)
    warm = FeatureProgram(columns).settle * 60_000
    candles = history.candles(SYMBOLS[0], "1m", end_ms - warm - 2 * DAY_MS, end_ms)
    return Team(home, panel, split, recipes, columns, candles)


def _metadata(
    slot: Slot, recipe: Recipe, head: dict[str, Any], end_ms: int, simulated: bool
) -> dict[str, Any]:
    now = utc(end_ms).isoformat()
    return {
        "name": VERSION, "type": recipe.type, "description": "for measuring", "created_ts": now,
        "kind": slot.kind, "scope": slot.scope, "timeframe": slot.timeframe,
        "version_name": VERSION, "recipe": recipe.name, "baseline": False,
        "simulated": simulated, "trained_through": now, "head": head,
    }  # fmt: skip


@dataclass(frozen=True)
class Native:
    """An estimator as its library hands it out.

    Attributes
    ----------
    names
        Its columns.
    on_array, on_frame
        Its own prediction for a row [1, F]; None where the library takes no frame.
    """

    names: tuple[str, ...]
    on_array: Callable[[Any], Any]
    on_frame: Callable[[Any], Any] | None = None


def natives(team: Team) -> dict[str, Native]:
    """Fit the five learners again, on the same rows, by their libraries' usual classes."""
    import xgboost
    from lightgbm import LGBMRegressor
    from sklearn.pipeline import Pipeline

    found: dict[str, Native] = {}
    for kind, recipe in team.recipes.items():
        model, train, _, _ = compose(recipe, team.panel, team.split, 0)
        names, learner = model.learnt, model.learner
        X, frame = train.matrix(names), pd.DataFrame(train.matrix(names), columns=list(names))
        settings = dict(recipe.hyperparams)
        if kind == "direction":
            estimator = xgboost.XGBClassifier(n_jobs=1, **settings).fit(X, train.y[:, 0])
            framed = xgboost.XGBClassifier(n_jobs=1, **settings).fit(frame, train.y[:, 0])
            found[kind] = Native(names, estimator.predict_proba, framed.predict_proba)
        elif kind == "risk":
            forest = learner.forest  # type: ignore[union-attr]
            found[kind] = Native(names, forest.predict_proba)
        elif kind == "price":
            found[kind] = Native(names, _network(len(names), settings["hidden"]))
        elif kind == "momentum":
            pipeline = Pipeline([("map", learner.kernel_map), ("svm", learner.svm)])  # type: ignore[union-attr]
            scaler = learner.scaler  # type: ignore[union-attr]
            found[kind] = Native(
                names, lambda row, p=pipeline, s=scaler: p.decision_function(s(row).astype(float))
            )
        else:
            quiet = {**settings, "verbosity": -1, "n_jobs": 1}
            one = LGBMRegressor(**quiet).fit(frame, train.y[:, 0])
            found[kind] = Native(names, one.booster_.predict, one.predict)
    return found


def _network(columns: int, hidden: Any) -> Callable[[Any], Any]:
    """Return a network of the recipe's shape; what its weights are costs no time."""
    import torch

    widths = [columns, *hidden, 2]
    layers: list[torch.nn.Module] = []
    for n, m in pairwise(widths):
        layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])

    def ask(row: Any) -> Any:
        with torch.no_grad():
            return network(torch.from_numpy(row)).numpy()

    return ask
