"""Two forecasts of a variance compared, without the few hours that nobody foresaw deciding it.

The QLIKE of forecasts f₁ and f₂ of a variance V differs by ``d = ε A + ln(f₁/f₂)``, where
``ε = V / √(f₁ f₂)`` is the surprise and ``A = √(f₂/f₁) - √(f₁/f₂)`` is how far they disagree. On
real candles ε reaches a thousand: in a crash of an hour whoever happened to say more wins a month.
That is most of the noise of ``mean(d)``, and says next to nothing about either forecast.

So a surprise above `CUT` counts as `CUT`, and the surprises are scaled by g to what they are
together: ``x = ε - g min(ε, CUT)`` with ``Σ x = 0``. With ``a``, the mean of A weighted by
``min(ε, CUT)``, the tempered difference is

    ``d - (A - a) x``,

a control variate. What a forecast earns by its *level*, ``a x``, stays whole, with all its noise:
one that always says too little is not excused for the crashes that it does not see coming, as it
would be if d itself were cut, or were divided by the losses. What is left out is the chance product
of the largest surprises and of the hours in which the two disagree more than usual; it has mean
nought unless one of them knows of crashes beforehand what the other does not, and that is not
rewarded. Measured in docs/verdicts.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.losses import VARIANCE_FLOOR

Floats = NDArray[np.float64]

CUT = 3.0
"""Surprises above this are tempered: the variance was three times what was said."""


def tempered_difference(y: Floats, other: Floats, mine: Floats, cut: float = CUT) -> Floats:
    """Return QLIKE of `other` minus QLIKE of `mine`, the largest surprises tempered.

    Parameters
    ----------
    y, other, mine : float[n, K]
        ln V and the ln of both forecasts, for K horizons; all finite, floored as QLIKE floors.
    cut : float
        Surprises above it are tempered; with infinity none is.

    Returns
    -------
    float64[n]
        Mean over horizons. Its mean over rows is an estimate of the mean QLIKE difference.
    """
    y, other, mine = (np.maximum(values, np.log(VARIANCE_FLOOR)) for values in (y, other, mine))
    surprise = np.exp(y - (other + mine) / 2)
    apart = np.exp((mine - other) / 2) - np.exp((other - mine) / 2)
    plain = surprise * apart + other - mine
    calm = np.minimum(surprise, cut)
    total = calm.sum(axis=0)
    beyond = surprise - calm * (surprise.sum(axis=0) / total)
    usual = (calm * apart).sum(axis=0) / total
    return np.asarray((plain - (apart - usual) * beyond).mean(axis=1))
