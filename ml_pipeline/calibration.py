"""Blend what was learnt into the baseline, by as much as the calibration slice proves.

Every kind is answered by the same nested form,

    margin = base + weight · (learnt − offset − slope · base),        weight ≥ 0,

where the bracket is the learner's margin with everything removed that the baseline says already.
Zero weight *is* the baseline. The weight minimises the calibration loss (Platt's slope for
log-odds, s = cov/var for returns and log variances) and is then shrunk by the significance of its
first step: w · max(0, 1 − (1.64 / z)²), z by HAC on times, as overlapping labels ask. With little
signal this matters more than the learner: a weight that cannot be told from zero is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import Graph
from ml_pipeline.rows import Rows
from ml_pipeline.skill import hac_z, paired_series

Floats = NDArray[np.float64]
Curve = Literal["logit", "identity", "log_variance"]

Z_SHRINK = 1.64
_NEWTON_STEPS = 30
# The largest factor by which a learner's margin is believed to be too timid (log-odds only).
_MOST_WEIGHT = {"logit": 3.0, "identity": 1.0, "log_variance": 1.0}


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


def fit_blend(curve: Curve, rows: Rows, base: Floats, learnt: Floats) -> Blend:
    """Fit the blend of `base` and `learnt` [n, K] on the calibration rows.

    Offset and slope come from regressing `learnt` on `base`, which looks at no label.
    """
    width = base.shape[1]
    offset, slope, weight, z = (np.zeros(width) for _ in range(4))
    for k in range(width):
        offset[k], slope[k] = _regress(learnt[:, k], base[:, k])
        news = learnt[:, k] - offset[k] - slope[k] * base[:, k]
        gain = -slopes(curve, base[:, k], rows.y[:, k])[0] * news
        z[k] = gain_z(rows, gain)
        full = _full_weight(curve, base[:, k], news, rows.y[:, k])
        weight[k] = full * shrinkage(float(z[k]))
    return Blend(weight, offset, slope, z)


def shrinkage(z: float) -> float:
    """Return the share of an estimate with significance `z` that is believed, 0 to 1."""
    return max(0.0, 1.0 - (Z_SHRINK / z) ** 2) if z > 0 else 0.0


def _regress(y: Floats, x: Floats) -> tuple[float, float]:
    variance = float(x.var())
    slope = float(((x - x.mean()) * (y - y.mean())).mean()) / variance if variance > 1e-12 else 0.0
    return float(y.mean()) - slope * float(x.mean()), slope


def _full_weight(curve: Curve, base: Floats, news: Floats, y: Floats) -> float:
    """Minimise the loss over weight in [0, most] by Newton's method (the loss is convex)."""
    if not np.ptp(news) > 0:
        return 0.0
    weight, most = 0.0, _MOST_WEIGHT[curve]
    for _ in range(_NEWTON_STEPS):
        first, second = slopes(curve, base + weight * news, y)
        bend = float((second * news**2).mean())
        step = float((first * news).mean()) / max(bend, 1e-300)
        before, weight = weight, min(max(weight - step, 0.0), most)
        if abs(weight - before) < 1e-9:
            break
    return weight
