"""Blend what was learnt into the baseline, by as much as the calibration rows support.

Every kind is answered by the same nested form,

    margin = base + weight · (learnt − offset − slope · base),        weight ≥ 0,

where the bracket is the learner's margin with everything removed that the baseline says already.
Zero weight *is* the baseline. The weight ŵ that minimises the calibration loss (Platt's slope for
log-odds, cov/var for returns) is shrunk as a ridge does under the prior w ~ N(0, τ²):

    w = ŵ · τ² / (τ² + se²),        se = ŵ / z,

z being the HAC z of the loss's first step away from the baseline, so that overlapping labels and
symbols that move together count for what they are worth. A learner that found nothing has a faint
margin, hence a large se, hence no weight; w never exceeds τ·z/2. On fifteen overlapping turns of
real candles this beat both the plain slope and a threshold on z, in every kind but price.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import Graph
from ml_pipeline.rows import Rows
from ml_pipeline.skill import hac_z, paired_series

Floats = NDArray[np.float64]
Curve = Literal["logit", "identity", "log_variance"]

# Beyond these a learner would have to be too timid; only log-odds of boosted stumps are.
_MOST_WEIGHT = {"logit": 3.0, "identity": 1.0, "log_variance": 1.0}
_NEWTON_STEPS = 50
# τ of a learnt scale: between .25 and 1 real candles do not tell, at 1m nor at 5m.
_SCALE_PRIOR = 0.5
# Errors beyond this many σ say no more about the scale, and none is smaller than a thousandth.
_LEAST_ERROR, _MOST_ERROR = 1e-3, 4.0


def slopes(curve: Curve, margin: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return first and second derivative of the loss in the margin.

    The loss is log-loss for ``logit`` (y in {0, 1}), half the squared error for ``identity``, and
    QLIKE for ``log_variance`` (y = ln RV²).
    """
    if curve == "logit":
        p = sigmoid(margin)
        return p - y, p * (1.0 - p)
    if curve == "identity":
        return margin - y, np.ones_like(y)
    ratio = np.exp(np.minimum(y - margin, 50.0))
    return 1.0 - ratio, ratio


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(−x)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def proof(curve: Curve, rows: Rows, direction: Floats, base: Floats | None = None) -> float:
    """Return z of the first step from `base` (0 if None) along `direction`, both [n, 1].

    Positive means that a small step lowers the loss; averaged over symbols at each time, then HAC
    with a lag of two horizons.
    """
    start = np.zeros(len(rows)) if base is None else base[:, 0]
    gain = -slopes(curve, start, rows.y[:, 0])[0] * direction[:, 0]
    return gain_z(rows, gain)


def gain_z(rows: Rows, gain: Floats) -> float:
    """Return the HAC z of a per-row gain [n]; 0 when it does not vary."""
    series = paired_series(rows.panel.ts, gain, np.zeros_like(gain))
    if not np.ptp(series) > 0:
        return 0.0
    return float(hac_z(series, lag=2 * rows.horizon_bars))


@dataclass(frozen=True)
class Blend:
    """The nested form's constants, one of each per output: arrays [K].

    Attributes
    ----------
    weight, offset, slope
        See the module.
    z
        Significance of the first step from the baseline, kept with the model's facts.
    """

    weight: Floats
    offset: Floats
    slope: Floats
    z: Floats

    def __call__(self, base: Floats, learnt: Floats) -> Floats:
        """Return the margin [n, K]."""
        return base + self.weight * (learnt - self.offset - self.slope * base)

    def nodes(self, graph: Graph, base: str, learnt: str) -> str:
        """Add the blend of the tensors `base` and `learnt`, both [N, K]."""
        kept = graph.add("Mul", base, graph.constant(1.0 - self.weight * self.slope))
        scaled = graph.add("Mul", learnt, graph.constant(self.weight))
        shift = graph.constant(-self.weight * self.offset)
        return graph.add("Add", graph.add("Add", kept, scaled), shift)


def fit_blend(curve: Curve, rows: Rows, base: Floats, learnt: Floats, prior: float) -> Blend:
    """Fit the blend of `base` and `learnt` [n, K] on calibration rows under the prior `prior`."""
    blend = nested(base, learnt, 0.0)
    news = learnt - blend.offset - blend.slope * base
    weight, z = np.zeros(base.shape[1]), np.zeros(base.shape[1])
    for k in range(base.shape[1]):
        gain = -slopes(curve, base[:, k], rows.y[:, k])[0] * news[:, k]
        z[k] = gain_z(rows, gain)
        best = _best_weight(curve, base[:, k], news[:, k], rows.y[:, k])
        weight[k] = min(shrunk(best, float(z[k]), prior), _MOST_WEIGHT[curve])
    return replace(blend, weight=weight, z=z)


def nested(base: Floats, learnt: Floats, weight: float) -> Blend:
    """Return the blend of `base` and `learnt` [n, K] with a given weight.

    Offset and slope come from regressing `learnt` on `base`, which looks at no label.
    """
    pairs = [_regress(learnt[:, k], base[:, k]) for k in range(base.shape[1])]
    offset, slope = np.array(pairs).T
    return Blend(np.full(len(pairs), weight), offset, slope, np.zeros(len(pairs)))


def fit_scale(rows: Rows, mean: Floats, log_variance: Floats, log_scale: Floats) -> Blend:
    """Fit by how much a learnt scale moves the baseline's ln σ², on the calibration rows.

    Parameters
    ----------
    rows
        The calibration rows; `y` are returns.
    mean
        What the model expects of them, [n, 1].
    log_variance
        The baseline's ln σ² [n, 1].
    log_scale
        ln of the learnt factor on σ, [n, 1].

    Notes
    -----
    The nested form once more, on ln σ², judged by QLIKE of the squared error. The level of the
    errors is divided out before: it is the conformal quantile that knows it, and days that were
    wilder than σ said must not pass for a scale that knew.
    """
    error = np.clip(np.abs(rows.y - mean) * np.exp(-log_variance / 2), _LEAST_ERROR, _MOST_ERROR)
    square = np.square(error)
    y = log_variance + np.log(square / square.mean())
    learnt = log_variance + 2 * log_scale
    return fit_blend("log_variance", replace(rows, y=y), log_variance, learnt, _SCALE_PRIOR)


def shrunk(best: float, z: float, prior: float) -> float:
    """Return the ridge estimate of a weight whose best value has significance `z`."""
    if best <= 0 or z <= 0:
        return 0.0
    return best * prior**2 / (prior**2 + (best / z) ** 2)


def _regress(y: Floats, x: Floats) -> tuple[float, float]:
    variance = float(x.var())
    slope = float(((x - x.mean()) * (y - y.mean())).mean()) / variance if variance > 1e-12 else 0.0
    return float(y.mean()) - slope * float(x.mean()), slope


def _best_weight(curve: Curve, base: Floats, news: Floats, y: Floats) -> float:
    """Minimise the loss over weights ≥ 0 by Newton's method; the loss is convex in the weight."""
    if not np.ptp(news) > 0:
        return 0.0
    weight = 0.0
    for _ in range(_NEWTON_STEPS):
        first, second = slopes(curve, base + weight * news, y)
        bend = float((second * news**2).mean())
        step = float((first * news).mean()) / max(bend, 1e-300)
        before, weight = weight, max(weight - step, 0.0)
        if abs(weight - before) <= 1e-9 * max(weight, 1.0):
            break
    return weight
