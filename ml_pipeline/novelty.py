"""Novelty: how far a row lies from those a model was trained on, in units of what is ordinary.

Each column is put on a scale where one is a usual deviation: logarithms of those that were
positive all through training and spread by more than a hundredth, then
``asinh((x − median) / spread)``, which is a straight line near the middle and a logarithm in the
tails, for returns have heavy ones. Of the deviations d [F] there are three squared distances, each
divided by what is ordinary:

* **T²** along the leading principal components: too far, in a way in which rows do differ;
* **Q** (squared prediction error), what the components leave over: columns that contradict each
  other. Jackson and Mudholkar (1979), Technometrics 21:341–349;
* the **largest single column**: one stuck at an absurd value drowns in a mean over a hundred.

Novelty is the root of the largest of the three. It is 1 where one in a hundred of the rows *after*
training lay higher: rows that follow a training window are stranger than those inside.

A nearest-neighbour index (such as FreqAI's dissimilarity index) holds n × n distances; this holds
F × K numbers, and reading a row costs as much as a small layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.onnx_graph import Graph

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

FLAGGED = 0.01
"""Share of the rows after training that lie beyond the limit."""

_KEPT = 0.8  # share of the variance that the leading components hold
_MOST = 40.0  # deviations beyond this say no more; keeps float32 finite
_NORMAL_SPREAD = 2.5631  # 90 % − 10 % quantile of a normal distribution, in σ
_NARROW = 1.01  # 90 % over 10 % quantile below which a logarithm only costs float32 its digits
_RARE = 0.9999  # quantile of a column's own deviation that counts as its end
_PIECE = 4096  # rows at a time: memory does not grow with them


@dataclass(frozen=True, eq=False)
class Novelty:
    """A fitted yardstick; the same numbers in numpy and in the graph.

    Attributes
    ----------
    floor
        By column [F], the least value whose logarithm is taken; 0 where none is.
    middle, gain
        ``((x or ln x) − middle) · gain`` is the column in spreads; no gain where it never varied.
        The difference comes first: in float32 neighbours have one without error.
    mean
        Mean of the asinh of that.
    axes
        Leading principal components [F, K].
    along
        By component [K, 2], what its squared part adds to T² and takes from Q.
    across
        What a squared deviation adds to Q.
    ends
        By column, what a squared deviation is multiplied by to be compared with its own end.
    """

    floor: Matrix
    middle: Matrix
    gain: Matrix
    mean: Matrix
    axes: Matrix
    along: Matrix
    across: float
    ends: Matrix

    def __call__(self, X: NDArray[np.floating]) -> Floats:
        """Return the novelty [n] of the rows of `X` [n, F]."""
        pieces = [self._squares(X[i : i + _PIECE]).max(axis=1) for i in range(0, len(X), _PIECE)]
        return np.asarray(np.sqrt(np.maximum(np.concatenate(pieces), 0.0)))

    def _squares(self, X: NDArray[np.floating]) -> Floats:
        """Return T², Q and the largest column's square, [n, 3]."""
        d = _deviations(X, self.floor, self.middle, self.gain) - self.mean
        part, d2 = np.square(d @ self.axes) @ self.along, np.square(d)
        part[:, 1] += self.across * d2.sum(axis=1)
        return np.column_stack([part, (d2 * self.ends).max(axis=1)])

    def nodes(self, graph: Graph) -> str:
        """Add the novelty of all input columns to `graph`, [N, 1]; return its name."""
        c, add = graph.constant, graph.add
        x = graph.take(graph.columns)
        if self.floor.any():
            logs = add("Log", add("Max", x, c(np.where(self.floor > 0, self.floor, 1.0))))
            x = add("Where", c(self.floor > 0, np.bool_), logs, x)
        x = add("Asinh", add("Mul", add("Sub", x, c(self.middle)), c(self.gain)))
        d = add("Sub", add("Clip", x, c(-_MOST), c(_MOST)), c(self.mean))
        d2 = add("Mul", d, d)
        t = add("MatMul", d, c(self.axes))
        width = len(self.mean)
        total = np.column_stack([np.zeros(width), np.full(width, self.across)])
        t2_q = add(
            "Add", add("MatMul", add("Mul", t, t), c(self.along)), add("MatMul", d2, c(total))
        )
        squares = graph.join([t2_q, add("Mul", d2, c(self.ends))])
        return add("Sqrt", add("ReduceMax", squares, axes=[1], keepdims=1))


def fit_novelty(train: Matrix, later: Matrix) -> Novelty:
    """Fit the yardstick on the rows `train`, its limit on the rows `later`, both [n, F].

    Recipes of a kind mostly read the same columns of the same rows, one after the other: a
    yardstick that was fitted lately on the same numbers is not fitted again.

    Parameters
    ----------
    train
        Rows the model was fitted on.
    later
        Rows after those, which the model was not fitted on: `FLAGGED` of them lie beyond the limit.

    Notes
    -----
    Columns are read one at a time and rows in pieces of 4,096: memory beside the two matrices is
    that of one matrix F × F and one piece.
    """
    return _LATELY.get(_digest(train, later), lambda: _fit(train, later))


class _Lately:
    """The last few yardsticks, by a digest of what they were fitted on."""

    def __init__(self, most: int) -> None:
        self._most, self._kept, self._turn = most, dict[bytes, Novelty](), Lock()

    def get(self, key: bytes, fit: Callable[[], Novelty]) -> Novelty:
        """Return what is kept under `key`, or what `fit` makes, which is then kept."""
        with self._turn:
            found = self._kept.pop(key, None)
        found = found or fit()
        with self._turn:
            self._kept[key] = found
            while len(self._kept) > self._most:
                self._kept.pop(next(iter(self._kept)))
        return found

    def clear(self) -> None:
        """Keep nothing."""
        with self._turn:
            self._kept.clear()


_LATELY = _Lately(8)


def forget() -> None:
    """Forget what was fitted lately: who measures a fit wants the whole of it."""
    _LATELY.clear()


def _digest(*matrices: Matrix) -> bytes:
    digest = hashlib.sha256()
    for matrix in matrices:
        digest.update(repr((matrix.shape, matrix.dtype.str)).encode())
        digest.update(np.ascontiguousarray(matrix).data)
    return digest.digest()


def _fit(train: Matrix, later: Matrix) -> Novelty:
    floor, middle, gain = _scales(train)
    mean, axes, variance = _components(train, floor, middle, gain)
    ends = _ends(train, floor, middle, gain, mean)
    k = axes.shape[1]
    along = np.column_stack([1.0 / (k * variance), np.full(k, -1.0 / len(mean))])
    plain = Novelty(
        floor=_float32(floor),
        middle=_float32(middle),
        gain=_float32(gain),
        mean=_float32(mean),
        axes=_float32(axes),
        along=_float32(along),
        across=1.0 / len(mean),
        ends=_float32(ends),
    )
    pieces = [plain._squares(later[i : i + _PIECE]) for i in range(0, len(later), _PIECE)]
    return _limited(plain, np.concatenate(pieces))


def _limited(plain: Novelty, squares: Floats) -> Novelty:
    """Divide each distance by its own high quantile, and all by that of the largest."""
    limits = np.maximum(np.quantile(squares, 1 - FLAGGED, axis=0), 1e-6)
    limits = limits * max(float(np.quantile((squares / limits).max(axis=1), 1 - FLAGGED)), 1e-6)
    return replace(
        plain,
        along=_float32(plain.along / limits[:2]),
        across=float(np.float32(plain.across / limits[1])),
        ends=_float32(plain.ends / limits[2]),
    )


def _scales(X: Matrix) -> tuple[Floats, Floats, Floats]:
    """Return floor, middle and gain [F] of the columns of `X`."""
    floor, middle, gain = np.zeros((3, X.shape[1]))
    for j in range(X.shape[1]):
        x = X[:, j].astype(np.float64)
        low, centre, high = np.quantile(x, [0.1, 0.5, 0.9])
        if x.min() > 0 and not 1.0 < high / low < _NARROW:
            floor[j] = x.min() * 1e-3
            x = np.log(x)
            low, centre, high = np.quantile(x, [0.1, 0.5, 0.9])
        spread = (high - low) / _NORMAL_SPREAD
        least = 1e-6 * max(abs(centre), 1e-3)
        if spread <= least:  # one value nearly always: a pattern that is seldom seen
            spread = float(x.std())
        if spread > least:
            gain[j] = 1.0 / spread
            middle[j] = centre
    return floor, middle, gain


def _deviations(
    X: NDArray[np.floating], floor: NDArray[Any], middle: NDArray[Any], gain: NDArray[Any]
) -> Floats:
    x = np.asarray(X, dtype=np.float64)
    if floor.any():
        x = np.where(floor > 0, np.log(np.maximum(x, np.where(floor > 0, floor, 1.0))), x)
    return np.asarray(np.clip(np.arcsinh((x - middle) * gain), -_MOST, _MOST))


def _components(
    X: Matrix, floor: Floats, middle: Floats, gain: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return mean [F], leading principal components [F, K] and their variances [K]."""
    width = X.shape[1]
    total, products = np.zeros(width), np.zeros((width, width))
    for i in range(0, len(X), _PIECE):
        u = _deviations(X[i : i + _PIECE], floor, middle, gain)
        total += u.sum(axis=0)
        products += u.T @ u
    mean = total / len(X)
    values, vectors = np.linalg.eigh(products / len(X) - np.outer(mean, mean))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    share = np.cumsum(values) / max(float(values.sum()), 1e-12)
    kept = min(int(np.searchsorted(share, _KEPT)) + 1, width)
    return mean, vectors[:, :kept], np.maximum(values[:kept], 1e-6)


def _ends(X: Matrix, floor: Floats, middle: Floats, gain: Floats, mean: Floats) -> Floats:
    """Return 1 / end² by column, the end being its own rarest deviation, three at least."""
    ends = np.empty(len(mean))
    for j in range(len(mean)):
        one = slice(j, j + 1)
        d = _deviations(X[:, one], floor[one], middle[one], gain[one])[:, 0] - mean[j]
        ends[j] = max(float(np.quantile(np.abs(d), _RARE)), 3.0)
    return 1.0 / np.square(ends)


def _float32(values: NDArray[Any]) -> Matrix:
    return np.asarray(values, dtype=np.float32)
