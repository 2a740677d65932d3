"""The model confidence set: which of several forecasts may still be the best.

Hansen, Lunde & Nason (2011), Econometrica 79: the worst forecast is set aside as long as the
hypothesis that all that are left are equally good is rejected. What stays holds the best one with
the confidence asked for. The test is that of `arch`, on means of whole blocks: within a block
losses depend on each other as they like, and a month of minutes becomes some hundred numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_pipeline.errors import JudgingError

Floats = NDArray[np.float64]

REPS = 1000
LEAST_BLOCKS = 40
"""With fewer blocks nobody is set aside: so few say too little of their own spread.

Of four equal forecasts some is set aside at 10 % in about 10 % of cases with 42 or 84 blocks, in
27 % with 21, in 35 % with 12."""

NEIGHBOURS = 2
"""Blocks that the bootstrap draws together, as overlapping labels reach into the next one."""

_ANY = 0.1  # p-values do not depend on the level

SAME = 1e-5
"""Losses that differ by less than this part are those of one forecast, rounded in two ways."""


def confidence_p_values(losses: ArrayLike, block: int, seed: int, reps: int = REPS) -> Floats:
    """Return the p-value of each forecast: those above 0.1 are in the 90 % confidence set.

    Parameters
    ----------
    losses : float[T, k]
        Loss of each of k forecasts at each time, in order of time; all finite.
    block : int
        Bars taken together, at least as far as losses depend on each other.
    seed : int
        Of the bootstrap: the same arguments give the same p-values.
    reps : int
        Bootstrap draws.

    Returns
    -------
    float[k]
        1.0 for the best one, and for everybody where there is nothing to tell apart: one forecast,
        equal ones, or fewer than `LEAST_BLOCKS` blocks. Equal forecasts share one p-value.

    Raises
    ------
    JudgingError
        A loss is not finite, or the table has no columns.
    """
    table = np.asarray(losses, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1] or not np.isfinite(table).all():
        raise JudgingError(
            f"a confidence set needs finite losses [times, forecasts], not {table.shape} with "
            f"{int((~np.isfinite(table)).sum())} that are not finite"
        )
    blocks = len(table) // block
    if table.shape[1] < 2 or blocks < LEAST_BLOCKS:
        return np.ones(table.shape[1])
    alike = _alike(table)
    firsts = np.unique(alike)
    if len(firsts) < 2:
        return np.ones(table.shape[1])
    # The newest bars are whole blocks; what is left over is the oldest.
    recent = table[len(table) - blocks * block :, firsts]
    means = recent.reshape(blocks, block, len(firsts)).mean(axis=1)
    # Only here: it brings statsmodels, and those who only ask can do without.
    from arch.bootstrap import MCS

    test = MCS(means, size=_ANY, reps=reps, block_size=NEIGHBOURS, seed=seed)
    test.compute()
    p = test.pvalues["Pvalue"].sort_index().to_numpy(np.float64)
    return np.asarray(p[np.searchsorted(firsts, alike)])


def _alike(table: Floats) -> NDArray[np.int64]:
    """Return for each column the first one that is the same forecast."""
    least = SAME * np.abs(table).mean()
    first = np.arange(table.shape[1])
    for k in range(1, table.shape[1]):
        for other in range(k):
            if np.sqrt(np.mean(np.square(table[:, k] - table[:, other]))) <= least:
                first[k] = first[other]
                break
    return first
