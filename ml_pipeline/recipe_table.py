"""The table of recipes: several a kind, the first of each is the seed's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ml_pipeline.feature_sets import RELATIVE, RELATIVE_VOLATILITY
from ml_pipeline.recipe import Recipe

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
)
SVM = Recipe(
    kind="momentum",
    name="svm",
    type="svm",
    library="scikit-learn",
    hyperparams={"n_components": 300, "gamma": 0.1, "C": 0.01, "tol": 1e-2, "row_step": 1},
)
LIGHTGBM = Recipe(
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
)

RECIPES: Mapping[str, tuple[Recipe, ...]] = MappingProxyType(
    {recipe.kind: (recipe,) for recipe in (XGBOOST, FOREST, NETWORK, SVM, LIGHTGBM)}
)
"""The recipes that compete in each slot."""
