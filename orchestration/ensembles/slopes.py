"""Slopes of log-odds by regime: logistic curves with normal priors, many moments at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SPREAD_ALL, _SPREAD_EACH = 0.5, 0.25
"""Standard deviations of the slope of all bars around 1, and of a regime's around that."""

_FINE, _CELLS, _REACH = 10.0, 97, 5.5
_ROUNDS = 12


class Cells:
    """Rows counted in cells of regime and log-odds, up to each of several moments.

    A logistic curve asks of a cell only how many rows it has, how many came, and their mean
    log-odds; so a walk reads each row once.

    Parameters
    ----------
    odds, came
        Log-odds that were told, and 1 where it came, else 0, float64 [n].
    place
        Regime of each row, int64 [n], and the number of regimes R.
    worth
        What each row counts for, float64 [n].
    moments
        Numbers of rows that are known at J moments, never falling.
    """

    def __init__(
        self, odds: Floats, came: Floats, place: tuple[Ints, int], worth: Floats, moments: Ints
    ) -> None:
        regime, count = place
        fine = np.clip(np.arcsinh(_FINE * odds) / _REACH, -1, 1)
        cell = np.rint((fine + 1) / 2 * (_CELLS - 1)).astype(np.int64) + _CELLS * regime
        shape, length = (len(moments), count, _CELLS), count * _CELLS
        edges = [0, *moments.tolist()]

        def running(values: Floats) -> Floats:
            parts = [np.bincount(cell[a:b], values[a:b], length) for a, b in pairwise(edges)]
            return np.asarray(np.cumsum(parts, axis=0, dtype=np.float64).reshape(shape))

        self.rows, self.came = running(worth), running(worth * came)
        self.odds = running(worth * odds) / np.maximum(self.rows, 1e-300)

    def slopes(self, *, shifted: bool) -> tuple[Floats, Floats]:
        """Return slope and shift by moment and regime [J, R, 2], and those of all bars [J, 1, 2].

        Parameters
        ----------
        shifted
            Whether shifts are learnt; else they are 0.
        """
        prior = np.zeros((len(self.rows), 1, 2))
        prior[..., 0] = 1.0
        one = (len(self.rows), 1, -1)
        rows, came, odds = self.rows.reshape(one), self.came.reshape(one), self.odds.reshape(one)
        pooled = _newton(rows, came, odds, prior, _SPREAD_ALL, shifted)
        around = np.repeat(pooled, self.rows.shape[1], axis=1)
        each = _newton(self.rows, self.came, self.odds, around, _SPREAD_EACH, shifted)
        return each, pooled


def _newton(
    rows: Floats, came: Floats, odds: Floats, prior: Floats, spread: float, shifted: bool
) -> Floats:
    """Return the slopes and shifts [J, R, 2] of most posterior density, slopes never below 0.

    Parameters
    ----------
    rows, came, odds
        Of cells [J, R, C].
    prior
        Means [J, R, 2] of the normal priors, all with the standard deviation `spread`.
    """
    found, weight = prior.copy(), 1.0 / spread**2
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-(found[..., :1] * odds + found[..., 1:])))
        missed, curve = came - rows * p, rows * p * (1 - p)
        rise = np.stack([(missed * odds).sum(-1), missed.sum(-1)], axis=-1)
        rise -= weight * (found - prior)
        aa = (curve * odds**2).sum(-1) + weight
        ab, bb = (curve * odds).sum(-1), curve.sum(-1) + weight
        if shifted:
            det = aa * bb - ab**2
            move = np.stack(
                [bb * rise[..., 0] - ab * rise[..., 1], aa * rise[..., 1] - ab * rise[..., 0]], -1
            )
            found = found + move / det[..., None]
        else:
            found[..., 0] += rise[..., 0] / aa
        found[..., 0] = np.maximum(found[..., 0], 0.0)
    return found
