"""Recipes: kind + library + hyper-parameters + features + training window, one line each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from features.catalogue import FEATURES
from features.errors import FeatureError
from features.model_set import MODEL_SET
from features.twins import refusal, with_units
from ml_pipeline.errors import RecipeError
from ml_pipeline.tasks import TASKS

SEED_TYPES = MappingProxyType(
    {
        "xgboost": "direction",
        "random_forest": "risk",
        "neural_net": "price",
        "svm": "momentum",
        "gradient_boosting": "volatility",
    }
)
"""The seeds' words for the five types, and the kind each of them makes."""


def model_set(*groups: str) -> tuple[str, ...]:
    """Return the default model inputs of some groups of the catalogue."""
    return tuple(name for name in MODEL_SET if FEATURES[name].group in groups)


# A week of days cannot teach the calendar: with it, direction, momentum and price got worse on
# real candles. What the hour does to volatility can be learnt from two smooth columns.
NO_CALENDAR = tuple(name for name in MODEL_SET if FEATURES[name].group != "time")
TIME_OF_DAY = ("tod_sin", "tod_cos")

# Levels of volatility tell symbols and weeks apart, and trees learn those by heart. The baselines
# of risk and volatility have the levels; what they leave over is looked for in ratios and ranks.
_LEVELS = (
    "volatility_5", "volatility_10", "volatility_20", "volatility_60", "natr_14",
    "rogers_satchell_20", "downside_vol_20", "upside_vol_20", "bb_width_20", "har_rv_288",
    "ulcer_14", "hl_range_pct", "roll_spread_20", "corwin_schultz_20", "abdi_ranaldo_20",
    "range_per_volume_20", "kyle_lambda_rel_20", "return_zscore_20",
)  # fmt: skip
RELATIVE = (*(name for name in NO_CALENDAR if name not in _LEVELS), *TIME_OF_DAY)
_REGIMES = ("vol_regime_20_288", "trend_regime", "efficiency_ratio_50", "variance_ratio_5_100")
RELATIVE_VOLATILITY = (
    *(name for name in model_set("volatility", "volume") if name not in _LEVELS),
    *TIME_OF_DAY,
    *_REGIMES,
)


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

    Raises
    ------
    RecipeError
        For features that nobody defined, or in price or volume units: those by name, with their
        scale-free twins.
    """

    kind: str
    name: str
    type: str
    library: str
    hyperparams: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[str, ...] = NO_CALENDAR
    train_days: float = 7.0

    def __post_init__(self) -> None:
        try:
            refused = with_units(self.features)
        except FeatureError as error:
            raise RecipeError(f"recipe {self.name}: {error}") from error
        if refused:
            raise RecipeError(f"recipe {self.name}: {refusal(refused)}")

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

    def hash(self) -> str:
        """Return a SHA-256 of everything that makes the recipe, 16 hexadecimal digits."""
        content = json.dumps(asdict(self), sort_keys=True, default=list)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


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

BASELINE = "baseline"
"""The name that stands in a baseline's version where a recipe's would."""


def kind_of(word: str) -> str:
    """Return the kind that a seed's type, a kind or a library's name stands for.

    Raises
    ------
    RecipeError
        For a word that is none of them.
    """
    if word in TASKS:
        return word
    if word in SEED_TYPES:
        return SEED_TYPES[word]
    known = ", ".join([*SEED_TYPES, *TASKS])
    raise RecipeError(f"no model of type {word!r}; the types are {known}")


def panel_columns(timeframe: str, kinds: Sequence[str] = tuple(TASKS)) -> tuple[str, ...]:
    """Return every column that the recipes and baselines of `kinds` read, each once."""
    needed = [n for kind in kinds for recipe in RECIPES[kind] for n in recipe.columns(timeframe)]
    return tuple(dict.fromkeys(needed))
