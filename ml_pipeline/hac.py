"""The mean of a dependent series and how far to trust it: HAC with small-sample corrections.

Labels that look h bars ahead overlap, so the loss differences of neighbouring bars are one opinion
rather than many. The variance of their mean is estimated with Bartlett weights (Newey & West 1987,
Econometrica 55). On two days of one-minute bars that estimate is itself noisy and too small, for
three reasons, each of which is corrected here:

1. *Noise.* With a lag that is a fixed part b of the sample the statistic is not normal (Kiefer &
   Vogelsang 2005, Econometric Theory 21). Its law is matched by Student's t: the denominator is a
   quadratic form of Gaussians, and ``dof = 2 mean² / variance`` (Satterthwaite 1946) of that form.
2. *The mean is estimated too*, which takes ``b - b²/3`` off the expected variance.
3. *The weights shrink the very covariances that overlap creates*: for overlap h and lag L they
   lose ``h / 3(L + 1)``.

Over 40,000 series of 2,880 bars without an effect, z >= 1.645 came in 5.0, 4.9 and 4.4 % of them
at 12, 60 and 240 bars of overlap, z >= 1.96 in 2.5, 2.3 and 2.1 %; uncorrected, z >= 1.645 comes in
7, 8 and 12 %. The price is power: where an oracle that knows the variance finds an effect four
times in five, this finds it 79, 78 and 71 times in a hundred. `tests/judging` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

from ml_pipeline.errors import JudgingError, TooFewOutcomes

Floats = NDArray[np.float64]

MIN_TIMES = 30
Z_LIMIT = 37.0
"""Beyond this the normal tail is smaller than the smallest float; z is cut here."""


@dataclass(frozen=True)
class MeanEstimate:
    """A mean with its corrected standard error.

    Attributes
    ----------
    mean, se : float
        In the unit of the series.
    dof : float
        Degrees of freedom of Student's t that ``mean / se`` follows if the true mean is nought.
    times : int
        Length of the series.
    effective_n : float
        How many independent values would give the same standard error: 1 … `times`.
    """

    mean: float
    se: float
    dof: float
    times: int
    effective_n: float

    @property
    def z(self) -> float:
        """The standard normal value that is as unlikely as ``mean / se`` under Student's t."""
        if self.se == 0.0:
            return 0.0 if self.mean == 0.0 else copysign(Z_LIMIT, self.mean)
        t = self.mean / self.se
        z = -float(ndtri(stdtr(self.dof, -abs(t))))
        return copysign(min(z, Z_LIMIT), t)

    def bounds(self, level: float = 0.95) -> tuple[float, float]:
        """Return the two-sided confidence interval of the mean at `level`."""
        reach = float(stdtrit(self.dof, (1 + level) / 2)) * self.se
        return self.mean - reach, self.mean + reach


def long_run_variance(d: ArrayLike, lag: int) -> float:
    """Return the Bartlett estimate ``γ₀ + 2 Σ (1 - j/(lag + 1)) γ_j`` of a series, never negative.

    Computed as the mean square of all sums of ``lag + 1`` neighbours of the demeaned series padded
    with noughts, which is the same number in one pass.
    """
    u = np.asarray(d, dtype=np.float64)
    width = lag + 1
    total = np.concatenate([np.zeros(width), np.cumsum(u - u.mean())])
    total = np.concatenate([total, np.full(lag, total[-1])])
    sums = total[width:] - total[:-width]
    return float(sums @ sums) / (len(u) * width)


def student_match(b: float, lost: float) -> tuple[float, float]:
    """Return the expected share of the variance that the estimate keeps, and its dof.

    Parameters
    ----------
    b : float
        ``(lag + 1) / n``, at most one half.
    lost : float
        Share lost to the weights, ``overlap / 3(lag + 1)``.

    Notes
    -----
    For independent Gaussians and n → ∞ the estimate is the quadratic form of the demeaned Bartlett
    kernel, with mean ``1 - b + b²/3`` and variance ``2 (2b/3 - 7b²/6 + 7b³/15 + b⁴/9)``. At b = 1/6
    this gives a 5 % critical value of 2.00, where Kiefer & Vogelsang tabulate 2.02.
    """
    kept = 1 - b + b**2 / 3 - lost
    half_variance = 2 * b / 3 - 7 * b**2 / 6 + 7 * b**3 / 15 + b**4 / 9
    return kept, kept**2 / half_variance


def hac_mean(d: ArrayLike, lag: int, overlap: float | None = None) -> MeanEstimate:
    """Return the mean of a series with its standard error and degrees of freedom.

    Parameters
    ----------
    d : float[T]
        Values in order of time, one a time.
    lag : int
        Last autocovariance that counts: at least twice the horizon of the labels.
    overlap : float, optional
        Horizon of the labels in bars; half of `lag` unless told.

    Raises
    ------
    TooFewOutcomes
        Fewer than `MIN_TIMES` values, or than twice the lag.
    JudgingError
        A value is not finite.
    """
    u = np.asarray(d, dtype=np.float64)
    n = len(u)
    least = max(MIN_TIMES, 2 * lag)
    if n < least:
        raise TooFewOutcomes(
            f"{n} times with known outcomes are too few for a verdict: lag {lag} needs {least}; "
            "judge on a longer span"
        )
    if not np.isfinite(u).all():
        raise JudgingError(
            f"{int((~np.isfinite(u)).sum())} of {n} values are not finite; "
            "leave out rows without an outcome, and mend a model that answers NaN"
        )
    overlap = lag / 2 if overlap is None else overlap
    kept, dof = student_match(min((lag + 1) / n, 0.5), overlap / (3 * (lag + 1)))
    variance = long_run_variance(u, lag) / kept
    spread = float(u.var())
    effective = n * spread / variance if variance > 0 else float(n)
    return MeanEstimate(
        mean=float(u.mean()),
        se=sqrt(variance / n),
        dof=dof,
        times=n,
        effective_n=min(max(effective, 1.0), float(n)),
    )


def hac_z(d: ArrayLike, lag: int, overlap: float | None = None) -> float:
    """Return z of the hypothesis that the mean of a series is nought; see `hac_mean`.

    ``z >= 1.645`` has a probability of about 5 % if the mean is nought, also on short series.
    """
    return hac_mean(d, lag, overlap).z
