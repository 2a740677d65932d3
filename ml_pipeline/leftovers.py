"""What a baseline leaves over for a learner: the targets of everything that fits by squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.lesson import Lesson

Floats = NDArray[np.float64]

WINSOR_SIGMA = 4.0
"""Returns beyond this many σ are pulled in for fitting (JUDGING: price)."""

WINSOR_SHARE = 0.01
"""Share of log variances pulled in at each end: dead hours must not steer a fit."""


def of_returns(lesson: Lesson) -> Floats:
    """Return [n, K] returns less the baseline's, in units of σ, winsorised."""
    return np.clip((lesson.y - lesson.base) / lesson.sigma, -WINSOR_SIGMA, WINSOR_SIGMA)


def of_variances(lesson: Lesson) -> Floats:
    """Return [n, K] residuals of ln RV², winsorised and of mean zero."""
    residual = lesson.y - lesson.base
    low, high = np.quantile(residual, [WINSOR_SHARE, 1 - WINSOR_SHARE], axis=0)
    residual = np.clip(residual, low, high)
    return np.asarray(residual - residual.mean(axis=0))
