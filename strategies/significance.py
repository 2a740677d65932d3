"""Is a Sharpe ratio more than luck: PSR, DSR, and a bootstrap interval.

A Sharpe ratio is an estimate with an error. The *probabilistic* Sharpe ratio is the probability
that the true one is above a threshold, given length, skewness and kurtosis of the track record
(Bailey & López de Prado 2012, "The Sharpe ratio efficient frontier", Journal of Risk 15). The
*deflated* Sharpe ratio sets that threshold to the best Sharpe ratio that so many trials without any
skill would show by luck (Bailey & López de Prado 2014, "The deflated Sharpe ratio", Journal of
Portfolio Management 40). Both take Sharpe ratios *a bar*, not annualised.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e, isfinite, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtrit

from strategies.errors import BadTerms
from strategies.ratios import Floats, deviation, kurtosis, skewness

DRAWS = 2000
LEVEL = 0.95
LEAST_BLOCK = 60
MOST_BLOCKS = 500
UNPROVEN = float("nan")


@dataclass(frozen=True)
class TrackRecord:
    """What PSR and DSR ask of a series of returns.

    Attributes
    ----------
    bars : int
        Its length.
    sharpe : float
        Mean over standard deviation of a bar, not annualised.
    skew, kurtosis : float
        Of the returns; 0 and 3 for a normal law.
    """

    bars: int
    sharpe: float
    skew: float = 0.0
    kurtosis: float = 3.0

    @classmethod
    def of(cls, returns: ArrayLike) -> TrackRecord:
        """Return the track record of returns; its figures are NaN where nothing moved."""
        r = np.asarray(returns, dtype=np.float64)
        spread = deviation(r)
        sharpe = float(r.mean()) / spread if spread > 0 else UNPROVEN
        return cls(len(r), sharpe, skewness(r), kurtosis(r))

    @property
    def error(self) -> float:
        """Standard error of `sharpe`, equation 8 of Bailey & López de Prado (2012)."""
        spread = 1 - self.skew * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2
        return sqrt(spread / (self.bars - 1)) if self.bars > 1 and spread > 0 else UNPROVEN


def probabilistic_sharpe(record: TrackRecord, threshold: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio exceeds a threshold (PSR).

    Parameters
    ----------
    record : TrackRecord
        Whose Sharpe ratio.
    threshold : float
        A Sharpe ratio a bar.

    Returns
    -------
    float
        0 to 1; NaN where the account never moved.
    """
    return float(ndtr((record.sharpe - threshold) / record.error))


def best_by_luck(trials: int, variance: float) -> float:
    """Return the Sharpe ratio a bar that the best of so many trials shows without any skill.

    Equation 1 of Bailey & López de Prado (2014), the expected maximum of independent normals; 0 for
    a single trial.

    Parameters
    ----------
    trials : int
        How many variants were tried, the discarded ones among them.
    variance : float
        Variance of their Sharpe ratios a bar.
    """
    if trials < 1 or variance < 0:
        raise BadTerms(
            f"{trials} trials of variance {variance} make no sense; "
            "count every variant that was tried, this one too, and pass a variance of 0 or more"
        )
    if trials == 1:
        return 0.0
    euler = float(np.euler_gamma)
    best = (1 - euler) * ndtri(1 - 1 / trials) + euler * ndtri(1 - 1 / (trials * e))
    return sqrt(variance) * float(best)


def deflated_sharpe(record: TrackRecord, trials: int, variance: float | None = None) -> float:
    """Return the probability that a Sharpe ratio is more than the luck of the best trial (DSR).

    Parameters
    ----------
    record : TrackRecord
        Of the variant that was chosen.
    trials : int
        How many were tried, this one too. With 1 it is the PSR.
    variance : float, optional
        Variance of the trials' Sharpe ratios a bar. Unless told, the one that trials without skill
        have, ``1 / (bars - 1)``: right for independent noise, severe for variants that are alike.
        The spread of trials that were really made is larger where they differ by what they pay in
        fees; that is no luck, and would hide a good one among bad ones.
    """
    if variance is None:
        variance = 1 / max(record.bars - 1, 1)
    return probabilistic_sharpe(record, best_by_luck(trials, variance))


def bars_to_prove(record: TrackRecord, level: float = LEVEL) -> float:
    """Return how many bars such a Sharpe ratio needs until its PSR reaches `level`.

    The minimum track record length, equation 13 of Bailey & López de Prado (2012); NaN where the
    Sharpe ratio is not positive: no length would prove it.
    """
    if not (record.sharpe > 0 and isfinite(record.error)):
        return UNPROVEN
    return 1 + (record.bars - 1) * float((ndtri(level) * record.error / record.sharpe) ** 2)


def resampled_means(series: ArrayLike, block: float, seed: int, draws: int = DRAWS) -> Floats:
    """Return the means of resampled columns, float64[draws, k], by the stationary bootstrap.

    Politis & Romano (1994), Journal of the American Statistical Association 89: blocks that begin
    anywhere on the circle and whose lengths are geometric.

    Parameters
    ----------
    series : float[n, k] or float[n]
        Columns that are resampled together, in order of time.
    block : float
        Expected length of a block, in bars; at least 1.
    seed : int
        Same seed, same draws.
    draws : int
        Number of resampled series.
    """
    x = np.asarray(series, dtype=np.float64)
    n = len(x)
    if n == 0 or block < 1:
        raise BadTerms(f"{n} bars in blocks of {block}: need a bar, and blocks of 1 or more")
    x = x.reshape(n, -1)
    centre = x.mean(axis=0)
    laps = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(np.tile(x - centre, (2, 1)), 0)])
    rng = np.random.default_rng(seed)
    means = np.empty((draws, x.shape[1]))
    for draw in range(draws):
        length = _lengths(n, block, rng)
        start = rng.integers(n, size=len(length))
        means[draw] = centre + (laps[start + length] - laps[start]).sum(axis=0) / n
    return means


def _lengths(n: int, block: float, rng: np.random.Generator) -> np.typing.NDArray[np.int64]:
    """Return geometric lengths that add up to n, the last one cut."""
    ends = np.zeros(1, dtype=np.int64)
    while ends[-1] < n:
        more = rng.geometric(1 / block, int(1.2 * n / block) + 8)
        ends = np.concatenate([ends, ends[-1] + np.cumsum(more)])
    return np.diff(np.minimum(ends[: int(np.searchsorted(ends, n)) + 1], n))


def sharpe_interval(
    returns: ArrayLike,
    bars_per_year: float,
    block: float,
    seed: int,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """Return the two-sided bootstrap interval of the annual Sharpe ratio.

    Percentiles, `widened` for few blocks.

    Parameters
    ----------
    returns : float[n]
        Returns a bar.
    bars_per_year : float
        Bars of a year of 365 days.
    block, seed
        As for `resampled_means`; see `block_for`.
    level : float
        How often such an interval shall hold the true ratio.
    draws : int
        Number of resampled series.

    Returns
    -------
    low, high : float
        NaN where the account never moved.
    """
    r = np.asarray(returns, dtype=np.float64)
    spread = deviation(r)
    if not spread > 0:
        return UNPROVEN, UNPROVEN
    unit = r / spread
    mean, square = resampled_means(np.column_stack([unit, unit**2]), block, seed, draws).T
    variance = (square - mean**2) * len(r) / (len(r) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sharpe = mean / np.sqrt(np.maximum(variance, 0.0)) * sqrt(bars_per_year)
    low, high = np.quantile(sharpe[np.isfinite(sharpe)], [(1 - level) / 2, (1 + level) / 2])
    centre = float(r.mean()) / spread * sqrt(bars_per_year)
    return widened(centre, (float(low), float(high)), block / len(r), level)


def widened(
    centre: float, ends: tuple[float, float], share: float, level: float = LEVEL
) -> tuple[float, float]:
    """Return a bootstrap interval made wider for few blocks.

    The resampled variance is too small by ``1 - 2 block / n``, because the mean is estimated as
    well, and as noisy as with ``n / block`` degrees of freedom.

    Parameters
    ----------
    centre, ends : float, (float, float)
        The estimate, and the percentiles of the resampled ones.
    share : float
        Expected length of a block / length of the series.
    level : float
        Of the interval.
    """
    wider = float(stdtrit(1 / share, (1 + level) / 2) / ndtri((1 + level) / 2))
    wider /= sqrt(max(1 - 2 * share, 0.5))
    return centre + wider * (ends[0] - centre), centre + wider * (ends[1] - centre)


def block_for(bars: int, holding: float) -> float:
    """Return the expected block for a run: four holding times, at least 60 bars, at most n / 4.

    Bars of one trade share its luck; a block must be longer than the trade. In a long run it is a
    five-hundredth: more blocks would take time and tell nothing more.
    """
    least = max(float(LEAST_BLOCK), bars / MOST_BLOCKS)
    return max(1.0, min(max(least, 4 * holding), bars / 4))
