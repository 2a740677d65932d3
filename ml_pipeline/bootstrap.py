"""The stationary bootstrap: resampling a dependent series in blocks of random length.

Politis & Romano (1994), Journal of the American Statistical Association 89. Only means are needed
here, so a block costs two look-ups in a running sum, whatever its length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_pipeline.errors import JudgingError

Floats = NDArray[np.float64]

DRAWS = 2000


def _block_starts(n: int, block: float, rng: np.random.Generator, draws: int) -> NDArray[np.int64]:
    """Return where blocks begin on a line of ``draws * n`` places; each draw begins one.

    Every place begins a block with probability ``1 / block``, so lengths are geometric.
    """
    places = draws * n
    first = np.arange(0, places, n, dtype=np.int64)
    expected = places / block
    at = np.cumsum(rng.geometric(1 / block, int(expected + 8 * np.sqrt(expected) + 16)))
    while at[-1] < places:
        at = np.concatenate([at, at[-1] + np.cumsum(rng.geometric(1 / block, 64))])
    # What `numpy.union1d` returns, at a tenth of the time: both are in order already.
    both = np.sort(np.concatenate([first, at[at < places]]), kind="stable")
    return np.asarray(both[np.append(True, np.diff(both) > 0)])


def stationary_bootstrap_means(
    series: ArrayLike, block: float, rng: np.random.Generator, draws: int = DRAWS
) -> Floats:
    """Return the means of resampled series, float64[draws, k].

    Parameters
    ----------
    series : float[n, k] or float[n]
        Columns that are resampled together, in order of time.
    block : float
        Expected length of a block, at least 1; the series is a circle.
    rng : numpy.random.Generator
        Where the randomness comes from.
    draws : int
        Number of resampled series.
    """
    x = np.asarray(series, dtype=np.float64)
    n = len(x)
    if n == 0 or block < 1:
        raise JudgingError(
            f"{n} values in blocks of {block}: need a value, and blocks of 1 or more"
        )
    x = x.reshape(n, -1)
    centre = x.mean(axis=0)
    lap = np.cumsum(np.concatenate([x, x]) - centre, axis=0)
    total = np.concatenate([np.zeros((1, x.shape[1])), lap])
    at = _block_starts(n, block, rng, draws)
    length = np.diff(at, append=draws * n)
    start = rng.integers(n, size=len(at))
    sums = total[start + length] - total[start]
    means: Floats = centre + np.add.reduceat(sums, np.flatnonzero(at % n == 0)) / n
    return means


def stationary_bootstrap_interval(
    d: ArrayLike,
    base: ArrayLike,
    block: float,
    rng: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of the skill ``mean(d) / mean(base)``.

    Parameters
    ----------
    d, base : float[T]
        Loss difference (baseline minus model) and loss of the baseline at each time. They are
        resampled together.
    block, rng, draws
        As for `stationary_bootstrap_means`.
    level : float
        Two-sided level of the interval.
    """
    means = stationary_bootstrap_means(np.column_stack([d, base]), block, rng, draws)
    skills = means[:, 0] / np.maximum(means[:, 1], np.finfo(np.float64).tiny)
    low, high = np.quantile(skills, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
