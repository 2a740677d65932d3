"""Other yardsticks of volatility, on the folds and rows of the baseline: HAR alone, and an EWMA."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bench.skill.folds import EWMA, split_of
from ml_pipeline import baselines, losses
from ml_pipeline import formula as fm
from ml_pipeline.fit import slice_rows
from ml_pipeline.formula import Formula, Term
from ml_pipeline.panel import Panel
from ml_pipeline.rows import Rows
from ml_pipeline.tasks import TASKS
from ml_pipeline.walk_forward import Fold

Floats = NDArray[np.float64]


def volatility(panel: Panel, through: Iterable[Fold], days: float) -> dict[str, Floats]:
    """Return the QLIKE over 1 h and over 4 h of each yardstick, [n, 2], on the baseline's rows."""
    task, found = TASKS["volatility"], dict[str, list[Floats]]()
    for fold in through:
        horizon = task.horizon_bars(panel.timeframe)
        split, past = split_of(fold, panel, horizon, days), fold.known(panel)
        known = [slice_rows(task, past.rows(split.mask(past, s)), {}) for s in _BEFORE]
        rows = known[0].joined(known[1]).joined(known[2])
        ahead = slice_rows(task, fold.rows(panel), {})
        har = tuple(Term(name) for name in baselines.har_columns(panel.timeframe))
        for name, forecast in (("HAR", _linear(rows, har)(ahead)), ("EWMA", _ewma(rows, ahead))):
            found.setdefault(name, []).append(losses.qlike(np.exp(ahead.y), np.exp(forecast)))
    return {name: np.concatenate(parts) for name, parts in found.items()}


_BEFORE = ("train", "calibration", "selection")


def _linear(rows: Rows, terms: tuple[Term, ...]) -> Formula:
    """Fit ln RV² on `terms` and smear, as the baseline does before it adds the time of day."""
    fitted = fm.copas(fm.least_squares(rows, terms, rows.y), rows, rows.y)
    smear = np.log(np.exp(rows.y - fitted(rows)).mean(axis=0))
    return Formula(
        fitted.terms, fitted.lower, fitted.upper, fitted.weights, fitted.intercept + smear
    )


def _ewma(rows: Rows, ahead: Rows) -> Floats:
    """Return ln of the moving variance times one constant: the ratio of means on `rows`."""
    scale = np.log(np.exp(rows.y).mean(axis=0) / np.square(rows.column(EWMA)).mean())
    variance = np.maximum(np.square(ahead.column(EWMA)), losses.VARIANCE_FLOOR)
    return np.asarray(np.log(variance)[:, None] + scale)
