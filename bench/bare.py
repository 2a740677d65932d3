"""The library calls that a fit comes down to, as anyone would write them: same data, one thread."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

Fit = Callable[[], Any]


def bare(recipe: Any, lesson: Any) -> Fit:
    """Return the bare fit of a recipe's library on the rows and hyper-parameters of ours."""
    if recipe.library == "numpy":
        return _linear(recipe, lesson, _targets(recipe.kind, lesson))
    makers = {"xgboost": _xgboost, "lightgbm": _lightgbm, "torch": _network}
    if recipe.library in makers:
        return makers[recipe.library](recipe, lesson, _targets(recipe.kind, lesson))
    return {"random_forest": _forest, "svm": _svm}[recipe.type](recipe, lesson)


def _targets(kind: str, lesson: Any) -> Any:
    """Return events [n, 1], returns in units of σ [n, 1] or residuals of ln RV² [n, 2]."""
    from ml_pipeline import leftovers

    if kind == "price":
        return leftovers.of_returns(lesson)
    return leftovers.of_variances(lesson) if kind == "volatility" else lesson.y


def _is_event(kind: str) -> bool:
    return kind not in ("price", "volatility")


def _xgboost(recipe: Any, lesson: Any, y: Any) -> Fit:
    import xgboost as xgb

    make = xgb.XGBClassifier if _is_event(recipe.kind) else xgb.XGBRegressor

    def fit() -> Any:
        return [
            make(tree_method="hist", n_jobs=1, **recipe.hyperparams).fit(lesson.X, y[:, k])
            for k in range(y.shape[1])
        ]

    return fit


def _lightgbm(recipe: Any, lesson: Any, y: Any) -> Fit:
    import lightgbm as lgb

    given = {**recipe.hyperparams}
    rounds = int(given.pop("n_estimators"))
    objective = "binary" if _is_event(recipe.kind) else "regression"
    params = {"objective": objective, "num_threads": 1, "verbosity": -1, **given}

    def fit() -> Any:
        return [
            lgb.train(params, lgb.Dataset(lesson.X, y[:, k]), num_boost_round=rounds)
            for k in range(y.shape[1])
        ]

    return fit


def _forest(recipe: Any, lesson: Any) -> Fit:
    from sklearn.ensemble import RandomForestClassifier

    events = lesson.y[:, 0] > 0.5
    return lambda: RandomForestClassifier(n_jobs=1, **recipe.hyperparams).fit(lesson.X, events)


def _svm(recipe: Any, lesson: Any) -> Fit:
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    h = recipe.hyperparams
    rows = lesson.every(int(h["row_step"]))
    kernel = {"gamma": h["gamma"] / rows.X.shape[1], "n_components": int(h["n_components"])}

    def fit() -> Any:
        steps = StandardScaler(), Nystroem(**kernel), LinearSVC(C=h["C"], tol=h["tol"])
        return make_pipeline(*steps).fit(rows.X, rows.y[:, 0] > 0.5)

    return fit


def _linear(recipe: Any, lesson: Any, y: Any) -> Fit:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    strength = float(recipe.hyperparams["ridge"]) * len(lesson)

    def fit() -> Any:
        if _is_event(recipe.kind):
            return make_pipeline(StandardScaler(), LogisticRegression(C=1 / strength)).fit(
                lesson.X, y[:, 0] > 0.5
            )
        return make_pipeline(StandardScaler(), Ridge(alpha=strength)).fit(lesson.X, y)

    return fit


def _network(recipe: Any, lesson: Any, y: Any) -> Fit:
    """Return a plain torch loop: the same layers, likelihood, batches and early stopping."""
    import torch

    h = recipe.hyperparams
    spread = np.maximum(lesson.X.std(axis=0), 1e-6)
    x = torch.from_numpy(((lesson.X - lesson.X.mean(axis=0)) / spread).astype(np.float32))
    z = torch.from_numpy(y.astype(np.float32))
    cut = int(len(x) * (1 - float(h["watch_share"])))
    torch.set_num_threads(1)

    def fit() -> Any:
        widths = [x.shape[1], *h["hidden"]]
        layers: list[Any] = []
        for n, m in pairwise(widths):
            layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], 2))
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=h["learning_rate"], weight_decay=h["weight_decay"]
        )

        def loss(rows: Any) -> Any:
            out = network(x[rows])
            return torch.nn.functional.gaussian_nll_loss(out[:, :1], z[rows], out[:, 1:].exp())

        least, waited = float("inf"), 0
        for _ in range(int(h["epochs"])):
            for rows in torch.randperm(cut).split(int(h["batch"])):
                optimiser.zero_grad()
                loss(rows).backward()
                optimiser.step()
            with torch.no_grad():
                now = float(loss(slice(cut, None)))
            least, waited = (now, 0) if now < least else (least, waited + 1)
            if waited >= int(h["patience"]):
                break
        return network

    return fit
