"""The naive model of each kind: the strongest forecast that needs no learning worth the name.

It is fitted on everything before the holdout: a handful of parameters cannot overfit weeks of rows,
and the freshest rows make it a stronger rival.

========== ==================================================================================
kind       baseline
========== ==================================================================================
direction  a coin; the training rate of rises or the sign of the last move only if proven
risk       logit on log realised volatility over 15 min, 1 h, 4 h, 1 d
price      random walk: no change, with the volatility baseline's σ
momentum   logit on x = m/σ√w, abs(x) and x²: what follows from the label's definition alone
volatility HAR (Corsi 2009, J. Financial Econometrics 7:174) on ln RV², plus time of day
========== ==================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market.timeframes import timeframe_ms
from ml_pipeline import formula as fm
from ml_pipeline.calibration import proof
from ml_pipeline.formula import Formula, Shape, Term
from ml_pipeline.losses import VARIANCE_FLOOR
from ml_pipeline.rows import Rows, all_finite

Floats = NDArray[np.float64]

Z_PROVEN = 1.64
MINUTE_MS = 60_000
DAY_MS = 86_400_000
# Windows in bars for which the catalogue holds log_rv_<n>.
RV_WINDOWS = (3, 12, 15, 48, 60, 240, 288, 1440)
HAR_MINUTES = (15, 60, 240, 1440)
# A window without any trade has RV² = 0; its log is taken at this share of the median instead.
_RV_FLOOR_SHARE = 1e-3
# Standard deviation of the smoothing of the time of day, in quarters of an hour.
_SMOOTH_QUARTERS = 3.0


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline.

    Attributes
    ----------
    name
        Which naive model it is, in words.
    margin
        The formula of the margin [n, K]: log-odds, ln RV² or expected return.
    log_variance
        For price only: the formula of ln σ² [n, 1] of the return over the horizon.
    """

    name: str
    margin: Formula
    log_variance: Formula | None = None

    def sigma(self, rows: Rows) -> Floats:
        """Return σ of the return over the horizon, [n, 1]; ones where the kind has none."""
        if self.log_variance is None:
            return np.ones((len(rows), 1))
        return np.exp(self.log_variance(rows) / 2)


FitBaseline = Callable[[Rows, Rows], Baseline]
"""Fits on training and calibration rows, the latter unseen by whatever the former fitted."""


def har_columns(timeframe: str) -> tuple[str, ...]:
    """Return the log realised volatilities nearest to 15 min, 1 h, 4 h and 1 d in `timeframe`."""
    bars = [minutes * MINUTE_MS / timeframe_ms(timeframe) for minutes in HAR_MINUTES]
    distance = np.abs(np.log(np.divide.outer(bars, RV_WINDOWS)))
    nearest = [RV_WINDOWS[i] for i in distance.argmin(axis=1)]
    return tuple(f"log_rv_{n}" for n in dict.fromkeys(nearest))


def direction_columns(timeframe: str) -> tuple[str, ...]:
    """Return the last move over the label's horizon of five bars."""
    return ("return_5",)


def momentum_columns(timeframe: str) -> tuple[str, ...]:
    """Return the momentum over 12 bars in units of its standard deviation."""
    return ("momentum_z_12",)


def clocked_har_columns(timeframe: str) -> tuple[str, ...]:
    """Return the HAR columns and the time of day."""
    return (*har_columns(timeframe), fm.CLOCK)


def direction(train: Rows, calibration: Rows) -> Baseline:
    """Return a coin, unless the training rate or anti-persistence is proven on `calibration`.

    Each rival is fitted on `train`; it must beat the coin with z ≥ 1.64 on rows it has not seen,
    and of two that do, the stronger is taken.
    """
    last_move = (Term("return_5", "sign"),)
    rivals = {
        "training rate": fm.logit(train, (), train.y[:, 0]),
        "sign of the last move": fm.logit(train, last_move, train.y[:, 0], intercept=False),
    }
    z = {name: proof("logit", calibration, rival(calibration)) for name, rival in rivals.items()}
    best = max(z, key=lambda name: z[name])
    if z[best] >= Z_PROVEN:
        return Baseline(best, rivals[best])
    return Baseline("coin", Formula.constant(0.0))


def risk(train: Rows, calibration: Rows) -> Baseline:
    """Return the logit on log realised volatility."""
    rows = train.joined(calibration)
    terms = tuple(Term(name) for name in har_columns(rows.panel.timeframe))
    return Baseline("logit on realised volatility", fm.logit(rows, terms, rows.y[:, 0]))


def price(train: Rows, calibration: Rows) -> Baseline:
    """Return the random walk; its σ is the HAR forecast of RV² over the hour."""
    rows = train.joined(calibration)
    variance = har(rows, rows.panel.labels["rv_1h"][:, None])
    return Baseline("random walk", Formula.constant(0.0), log_variance=variance)


def momentum(train: Rows, calibration: Rows) -> Baseline:
    """Return the mechanical logit on the standardised momentum and its size.

    For a walk the probability is a normal tail in the size, which bends more than a logistic does;
    the square takes that up. Without it, learners find the bend and look skilled.
    """
    rows = train.joined(calibration)
    shapes: tuple[Shape, ...] = ("identity", "abs", "square")
    terms = tuple(Term("momentum_z_12", shape) for shape in shapes)
    return Baseline("mechanical logit", fm.logit(rows, terms, rows.y[:, 0]))


def volatility(train: Rows, calibration: Rows) -> Baseline:
    """Return HAR plus time of day for both horizons."""
    rows = train.joined(calibration)
    return Baseline("HAR and time of day", har(rows, np.exp(rows.y)))


def har(rows: Rows, rv: Floats) -> Formula:
    """Fit ln RV² [n, K] on its past, add the time of day, and smear.

    Smearing (Duan 1983, JASA 78:605) shifts the log so that its exponential is unbiased:
    E[RV²] = exp(f), which is also where QLIKE is least.
    """
    floor = np.maximum(_RV_FLOOR_SHARE * np.nanmedian(rv, axis=0), VARIANCE_FLOOR)
    y = np.log(np.maximum(rv, floor))
    known = all_finite(y)
    rows, y = rows.take(known), y[known]
    linear = fm.least_squares(rows, tuple(Term(n) for n in har_columns(rows.panel.timeframe)), y)
    linear = fm.copas(linear, rows, y)
    table = time_of_day(rows, y - linear(rows))
    residual = y - linear(rows) - table[fm.quarter(rows)]
    smear = np.log(np.exp(residual).mean(axis=0))
    intercept = linear.intercept + smear
    return Formula(linear.terms, linear.lower, linear.upper, linear.weights, intercept, table)


def time_of_day(rows: Rows, residual: Floats) -> Floats:
    """Return what each quarter of an hour adds, [96, K].

    Each day's residuals are smoothed over neighbouring quarters; the mean of the days is shrunk by
    the share of its variance over the day that the days agree on (one-way analysis of variance):
    where no hour differs from another, nothing is added.
    """
    kernel = _circular_kernel()
    days, day = np.unique(rows.panel.ts // DAY_MS, return_inverse=True)
    place = day * fm.QUARTERS + fm.quarter(rows)
    shape = (len(days), fm.QUARTERS)
    size = len(days) * fm.QUARTERS
    weight = np.bincount(place, minlength=size).reshape(shape) @ kernel
    table = np.zeros((fm.QUARTERS, residual.shape[1]))
    for k in range(residual.shape[1]):
        total = np.bincount(place, residual[:, k], minlength=size).reshape(shape) @ kernel
        table[:, k] = _agreed(total, weight)
    return table


def _agreed(total: Floats, weight: Floats) -> Floats:
    """Return the weighted mean [96] of the days, shrunk by how much they agree."""
    share = weight / np.maximum(weight.sum(axis=0), 1e-300)
    mean = total.sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-300)
    mean = mean - mean.mean()
    daily = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    count = max(len(total) - 1, 1)
    noise = float((share * np.square(daily - mean)).sum(axis=0).mean()) / count
    spread = float(np.square(mean).mean())
    return np.asarray(mean * max(0.0, 1.0 - noise / spread) if spread > 0 else mean)


def _circular_kernel() -> Floats:
    lag = np.arange(fm.QUARTERS)
    lag = np.minimum(lag, fm.QUARTERS - lag)
    bell = np.exp(-0.5 * (lag / _SMOOTH_QUARTERS) ** 2)
    bell[bell < 0.01] = 0.0
    place = np.arange(fm.QUARTERS)
    return np.asarray(bell[(place[:, None] - place) % fm.QUARTERS])
