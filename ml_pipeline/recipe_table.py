"""The table of recipes: several a kind, the first of each is the seed's own.

A new recipe is one entry here. It competes in turns whose setting `recipes` names it or says
``all``; what ``default`` stands for is at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ml_pipeline.feature_sets import RELATIVE, RELATIVE_VOLATILITY
from ml_pipeline.recipe import Recipe

# Small signals want small steps, big leaves and strong penalties.
_BOOSTED: Mapping[str, Any] = {
    "n_estimators": 60,
    "max_depth": 3,
    "num_leaves": 8,
    "learning_rate": 0.03,
    "min_data_in_leaf": 500,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "feature_fraction": 0.25,
    "lambda_l2": 100.0,
    "max_bin": 63,
}
_TREES: Mapping[str, tuple[Any, ...]] = {
    "n_estimators": (20, 150, "int"),
    "num_leaves": (3, 12, "int"),
    "learning_rate": (0.01, 0.1, "log"),
    "min_data_in_leaf": (100, 2000, "int"),
    "lambda_l2": (10.0, 1000.0, "log"),
}
_RIDGE: Mapping[str, tuple[Any, ...]] = {"ridge": (0.1, 100.0, "log")}

XGBOOST = Recipe(
    kind="direction",
    name="xgboost",
    type="xgboost",
    library="xgboost",
    hyperparams={
        "n_estimators": 60,
        "max_depth": 3,
        "learning_rate": 0.03,
        "min_child_weight": 200,
        "reg_lambda": 100.0,
        "subsample": 0.5,
        "colsample_bytree": 0.25,
        "max_bin": 64,
    },
    space={
        "n_estimators": (20, 150, "int"),
        "max_depth": (2, 4, "int"),
        "learning_rate": (0.01, 0.1, "log"),
        "min_child_weight": (50, 1000, "int"),
        "reg_lambda": (10.0, 1000.0, "log"),
    },
)
FOREST = Recipe(
    kind="risk",
    name="forest",
    type="random_forest",
    library="scikit-learn",
    hyperparams={
        "n_estimators": 100,
        "max_depth": 10,
        "min_samples_leaf": 0.0067,  # share of all rows: 200 of a week of three symbols
        "max_samples": 0.1,
        "max_features": "sqrt",
    },
    space={
        "max_depth": (4, 14, "int"),
        "min_samples_leaf": (0.002, 0.03, "log"),
        "max_samples": (0.05, 0.5, "log"),
        "max_features": ("sqrt", 0.3, "choice"),
    },
    features=RELATIVE,
)
NETWORK = Recipe(
    kind="price",
    name="network",
    type="neural_net",
    library="torch",
    hyperparams={
        "hidden": (64, 32),
        "learning_rate": 1e-3,
        "weight_decay": 1.0,
        "batch": 512,
        "epochs": 20,
        "patience": 4,
        "watch_share": 0.2,
    },
    space={
        "hidden": ((32,), (64, 32), (128, 64), "choice"),
        "learning_rate": (3e-4, 3e-3, "log"),
        "weight_decay": (0.1, 10.0, "log"),
    },
)
SVM = Recipe(
    kind="momentum",
    name="svm",
    type="svm",
    library="scikit-learn",
    hyperparams={"n_components": 300, "gamma": 0.1, "C": 0.01, "tol": 1e-2, "row_step": 1},
    space={
        "n_components": (100, 400, "int"),
        "gamma": (0.02, 0.5, "log"),
        "C": (1e-3, 0.1, "log"),
    },
)
VOLATILITY_LIGHTGBM = Recipe(
    kind="volatility",
    name="lightgbm",
    type="gradient_boosting",
    library="lightgbm",
    hyperparams={
        "n_estimators": 60,
        "max_depth": 2,
        "num_leaves": 4,
        "learning_rate": 0.03,
        "min_data_in_leaf": 500,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "feature_fraction": 0.5,
        "lambda_l2": 100.0,
        "max_bin": 63,
    },
    features=RELATIVE_VOLATILITY,
    space=_TREES,
)
DIRECTION_LOGISTIC = Recipe(
    kind="direction",
    name="logistic",
    type="linear",
    library="numpy",
    estimator="ml_pipeline.linear:fit_logistic",
    hyperparams={"ridge": 1.0},
    space=_RIDGE,
)
RISK_LOGISTIC = Recipe(
    kind="risk",
    name="logistic",
    type="linear",
    library="numpy",
    estimator="ml_pipeline.linear:fit_logistic",
    hyperparams={"ridge": 1.0},
    features=RELATIVE,
    space=_RIDGE,
)
PRICE_RIDGE = Recipe(
    kind="price",
    name="ridge",
    type="linear",
    library="numpy",
    estimator="ml_pipeline.linear:fit_returns",
    hyperparams={"ridge": 10.0},
    space=_RIDGE,
)
MOMENTUM_LOGISTIC = Recipe(
    kind="momentum",
    name="logistic",
    type="linear",
    library="numpy",
    estimator="ml_pipeline.linear:fit_logistic",
    hyperparams={"ridge": 1.0},
    space=_RIDGE,
)
VOLATILITY_RIDGE = Recipe(
    kind="volatility",
    name="ridge",
    type="linear",
    library="numpy",
    estimator="ml_pipeline.linear:fit_variances",
    hyperparams={"ridge": 3.0},
    features=RELATIVE_VOLATILITY,
    space=_RIDGE,
)
DIRECTION_LIGHTGBM = Recipe(
    kind="direction",
    name="lightgbm",
    type="gradient_boosting",
    library="lightgbm",
    estimator="ml_pipeline.lightgbm_learner:fit_events",
    hyperparams=_BOOSTED,
    space=_TREES,
)
RISK_LIGHTGBM = Recipe(
    kind="risk",
    name="lightgbm",
    type="gradient_boosting",
    library="lightgbm",
    estimator="ml_pipeline.lightgbm_learner:fit_events",
    hyperparams=_BOOSTED,
    features=RELATIVE,
    space=_TREES,
)
PRICE_LIGHTGBM = Recipe(
    kind="price",
    name="lightgbm",
    type="gradient_boosting",
    library="lightgbm",
    estimator="ml_pipeline.lightgbm_learner:fit_returns",
    hyperparams=_BOOSTED,
    space=_TREES,
)
MOMENTUM_LIGHTGBM = Recipe(
    kind="momentum",
    name="lightgbm",
    type="gradient_boosting",
    library="lightgbm",
    estimator="ml_pipeline.lightgbm_learner:fit_events",
    hyperparams=_BOOSTED,
    space=_TREES,
)
VOLATILITY_XGBOOST = Recipe(
    kind="volatility",
    name="xgboost",
    type="xgboost",
    library="xgboost",
    estimator="ml_pipeline.xgboost_learner:fit_variances",
    hyperparams={**XGBOOST.hyperparams, "max_depth": 2, "colsample_bytree": 0.5},
    features=RELATIVE_VOLATILITY,
    space=XGBOOST.space,
)


def _month(recipe: Recipe, **changes: Any) -> Recipe:
    """Return the recipe on thirty days; `changes` are hyper-parameters that so many rows want."""
    longer = replace(recipe, name=f"{recipe.name}-30d", train_days=30.0)
    return longer.with_hyperparams(changes)


RECIPES: Mapping[str, tuple[Recipe, ...]] = MappingProxyType(
    {
        "direction": (
            XGBOOST,
            DIRECTION_LOGISTIC,
            DIRECTION_LIGHTGBM,
            _month(XGBOOST),
            _month(DIRECTION_LOGISTIC),
        ),
        # A month of the forest takes minutes, and says what the boosted trees say in seconds.
        "risk": (FOREST, RISK_LOGISTIC, RISK_LIGHTGBM, _month(RISK_LIGHTGBM)),
        "price": (NETWORK, PRICE_RIDGE, PRICE_LIGHTGBM, _month(NETWORK)),
        # Labels overlap by twelve bars: every third row of a month holds what all of them would.
        "momentum": (SVM, MOMENTUM_LOGISTIC, MOMENTUM_LIGHTGBM, _month(SVM, row_step=3)),
        "volatility": (
            VOLATILITY_LIGHTGBM,
            VOLATILITY_RIDGE,
            VOLATILITY_XGBOOST,
            _month(VOLATILITY_RIDGE),
            _month(VOLATILITY_LIGHTGBM),
        ),
    }
)
"""Every recipe by kind; the first is what the seed's class trains."""

DEFAULT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "direction": ("xgboost", "logistic"),
        "risk": ("forest", "logistic"),
        "price": ("network", "ridge"),
        "momentum": ("svm", "logistic"),
        "volatility": ("lightgbm", "ridge"),
    }
)
"""What the setting ``recipes = "default"`` stands for: the seed's own and a linear one."""
