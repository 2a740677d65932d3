"""The table of what can be learnt: one line per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS
from ml_pipeline import baselines
from ml_pipeline.baselines import FitBaseline
from ml_pipeline.calibration import Curve
from ml_pipeline.losses import VARIANCE_FLOOR
from ml_pipeline.panel import Panel
from ml_pipeline.targets import horizon_bars

Floats = NDArray[np.float64]
Loss = Literal["log_loss", "brier", "squared", "qlike"]

EVENT_SHARE = 0.2
"""A risk event is a move among this share of the farthest moves of the training rows."""

EVENT_DAYS = 7
"""Days at the end of training that say how far that is."""

EVENT_THRESHOLD = "event_threshold"
"""Head parameter of risk that makes an event out of an excursion."""


@dataclass(frozen=True)
class Task:
    """What one kind of model learns, and how it is judged.

    Attributes
    ----------
    kind
        direction, risk, price, momentum or volatility.
    target
        Label columns of the panel, one per output of the margin.
    baseline
        Fits the naive model on training and calibration rows.
    columns
        Columns the baseline needs in a timeframe.
    estimator
        ``module:function`` of the learner of recipes that name none; imported only when something
        is fitted, so that judging does not load five libraries.
    curve
        In what sense the margin is one: log-odds, a return, or a log variance.
    prior_weight
        How much of the learner's margin is usually worth having (τ of `ml_pipeline.calibration`);
        measured on real candles. Hourly returns: hardly any.
    loss
        What verdicts compare.
    sentence
        What it predicts, for people.
    """

    kind: str
    target: tuple[str, ...]
    baseline: FitBaseline
    columns: Callable[[str], tuple[str, ...]]
    estimator: str
    curve: Curve
    prior_weight: float
    loss: Loss
    sentence: str

    @property
    def width(self) -> int:
        """Outputs K of the margin."""
        return len(self.target)

    def horizon_bars(self, timeframe: str) -> int:
        """Return the bars after which every label is known."""
        return horizon_bars(self.kind, timeframe)

    def head_of(self, train: Panel) -> dict[str, Any]:
        """Return what turns labels into targets, learnt on training rows only.

        What an event is, the last `EVENT_DAYS` days of training say: so a month's recipe and a
        week's, whose training ends together, mean the same by it and can be compared.
        """
        if self.kind != "risk":
            return {}
        recent = train.ts > np.max(train.ts, initial=0) - EVENT_DAYS * DAY_MS
        excursion = train.labels[self.target[0]][recent]
        known = excursion[np.isfinite(excursion)]
        # Without a known move there is no event, and the fit says how many labels it has.
        level = np.quantile(known, 1 - EVENT_SHARE) if len(known) else np.inf
        return {EVENT_THRESHOLD: float(level)}

    def y(self, panel: Panel, head: Mapping[str, Any]) -> Floats:
        """Return targets [n, K] in the unit of the margin; NaN where unknown.

        Events are 1 or 0, returns logarithmic, variances ln RV² above the losses' floor.
        """
        labels = np.stack([np.asarray(panel.labels[name]) for name in self.target], axis=1)
        if self.kind == "risk":
            event = (labels >= head[EVENT_THRESHOLD]).astype(np.float64)
            return np.where(np.isfinite(labels), event, np.nan)
        if self.curve == "log_variance":
            return np.log(np.maximum(labels, VARIANCE_FLOOR))
        return labels


def _table(*tasks: Task) -> Mapping[str, Task]:
    return MappingProxyType({task.kind: task for task in tasks})


TASKS = _table(
    Task(
        kind="direction",
        target=("direction",),
        baseline=baselines.direction,
        columns=baselines.direction_columns,
        estimator="ml_pipeline.direction_predictor:fit_xgboost",
        curve="logit",
        prior_weight=0.5,
        loss="log_loss",
        sentence="Predicts UP or DOWN over the next 5 bars.",
    ),
    Task(
        kind="risk",
        target=("risk_excursion",),
        baseline=baselines.risk,
        columns=baselines.har_columns,
        estimator="ml_pipeline.risk_scorer:fit_forest",
        curve="logit",
        prior_weight=0.25,
        loss="brier",
        sentence="Scores how likely an unusually far move within the next hour is.",
    ),
    Task(
        kind="price",
        target=("price",),
        baseline=baselines.price,
        columns=baselines.clocked_har_columns,
        estimator="ml_pipeline.price_predictor:fit_network",
        curve="identity",
        prior_weight=0.2,
        loss="squared",
        sentence="Predicts the price in one hour, with a 90 % interval.",
    ),
    Task(
        kind="momentum",
        target=("momentum",),
        baseline=baselines.momentum,
        columns=baselines.momentum_columns,
        estimator="ml_pipeline.momentum_classifier:fit_svm",
        curve="logit",
        prior_weight=0.5,
        loss="log_loss",
        sentence="Tells whether the move of the last 12 bars will go on (accelerating).",
    ),
    Task(
        kind="volatility",
        target=("rv_1h", "rv_4h"),
        baseline=baselines.volatility,
        columns=baselines.clocked_har_columns,
        estimator="ml_pipeline.lightgbm_learner:fit_variances",
        curve="log_variance",
        prior_weight=0.5,
        loss="qlike",
        sentence="Predicts the volatility of the next one and four hours.",
    ),
)
"""Every kind, in the order in which models are numbered."""
