"""Boosted trees as one flat table that a compiled loop descends without branches.

A column's thresholds are sorted once, and a value becomes its *rank*: how many of them lie below
it. ``x <= t`` exactly where ``rank(x) <= rank(t)``, so a node needs 11 bits for its threshold, 8
for its column and 12 for its left child (the right one follows): one int32, and *one* comparison
of whole numbers says which way to go. A leaf leads to itself. So eight trees go down side by side,
as many steps as the deepest needs, nothing is mispredicted, and 500 trees of 31 leaves take 122 kB:
four such forests stay in the cache next to the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.engine.compiled import compiled
from features.errors import FeatureError

LANES = 8
"""Trees that go down side by side."""
MOST_COLUMNS, MOST_LEAVES = 256, 256
MOST_RANKS = 2047
"""Most different thresholds of a column; LightGBM has one less than ``max_bin``, 254 by default."""
NOUGHT = 1.0000000180025095e-35
"""What is not larger counts as 0, as LightGBM has it."""

RANK, COLUMN = 20, 12  # first bits of rank and column in a node; the left child lies below

_Floats = NDArray[np.float64]
_Small = NDArray[np.int32]
_Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FlatTree:
    """One binary tree; node 0 is the root, ``left < 0`` marks a leaf.

    Attributes
    ----------
    feature, left, right : int64 [M]
        Column tested, and the children's node numbers.
    threshold : float64 [M]
        The left branch is taken where x <= threshold.
    value : float64 [M]
        What a leaf adds to the sum.
    """

    feature: _Integers
    threshold: _Floats
    left: _Integers
    right: _Integers
    value: _Floats

    @property
    def depth(self) -> int:
        """Steps from the root to the deepest leaf."""
        level, depth = np.array([0]), 0
        while len(level := level[self.left[level] >= 0]):
            level = np.concatenate([self.left[level], self.right[level]])
            depth += 1
        return depth


@dataclass(frozen=True)
class Forest:
    """Some sums of trees over the same columns, as arrays.

    Attributes
    ----------
    nodes : int32 [M]
        See the module; children are counted from the beginning of their group.
    values : float64 [M]
        What each leaf adds.
    roots : int32 [G, LANES]
        Where the trees of each group begin in it.
    groups : int64 [G, 2]
        Where each group begins, and steps down after which its trees have come to a leaf.
    ends : int64 [K]
        Group at which each sum ends; it begins where the one before ends.
    thresholds : float64 [T]
        Of all columns, each column's ascending.
    spans : int64 [F + 1]
        Where each column's begin.
    """

    nodes: _Small
    values: _Floats
    roots: _Small
    groups: _Integers
    ends: _Integers
    thresholds: _Floats
    spans: _Integers

    @classmethod
    def of(cls, sums: Sequence[Sequence[FlatTree]], columns: int) -> Forest:
        """Lay out `sums`, each a list of trees over `columns` columns.

        Raises
        ------
        FeatureError
            More columns, leaves or thresholds than fit.
        """
        by_column = _thresholds(list(chain.from_iterable(sums)), columns)
        parts, ends = _Parts(by_column), []
        for trees in sums:
            ordered = sorted(trees, key=lambda tree: tree.depth)
            for start in range(0, len(ordered), LANES):
                parts.add_group(ordered[start : start + LANES])
            ends.append(len(parts.groups))
        return cls(
            np.concatenate([np.empty(0, np.int32), *parts.nodes]),
            np.concatenate([np.empty(0), *parts.values]),
            np.array(parts.roots, dtype=np.int32).reshape(-1, LANES),
            np.array(parts.groups, dtype=np.int64).reshape(-1, 2),
            np.array(ends, dtype=np.int64),
            np.concatenate([np.empty(0), *by_column]),
            np.cumsum([0, *map(len, by_column)], dtype=np.int64),
        )

    @property
    def columns(self) -> int:
        """How many columns a row has."""
        return len(self.spans) - 1

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The forest as compiled functions take it."""
        return (
            self.nodes, self.values, self.roots, self.groups, self.ends, self.thresholds,
            self.spans,
        )  # fmt: skip

    def __call__(self, rows: NDArray[np.float32]) -> _Floats:
        """Return the sums [n, K] of rows [n, F].

        Raises
        ------
        FeatureError
            Rows of another width, or with NaN.
        """
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.columns or np.isnan(rows).any():
            raise FeatureError(f"rows are {rows.shape}; need [n, {self.columns}] without NaN")
        answers = np.empty((len(rows), len(self.ends)))
        _score_all(rows, *self.arrays, answers)
        return answers


def _thresholds(trees: Sequence[FlatTree], columns: int) -> list[_Floats]:
    """Return the different thresholds of each column, ascending."""
    if columns > MOST_COLUMNS:
        raise FeatureError(f"{columns} columns are more than the {MOST_COLUMNS} that a forest fits")
    inner = [tree.left >= 0 for tree in trees]
    none = [np.empty(0)]
    of = np.concatenate(
        none + [t.feature[i] for t, i in zip(trees, inner, strict=True)], dtype=np.int64,
        casting="unsafe",
    )  # fmt: skip
    at = np.concatenate(none + [t.threshold[i] for t, i in zip(trees, inner, strict=True)])
    if len(of) and of.max() >= columns:
        raise FeatureError(f"a tree tests column {of.max()}, and rows have {columns}")
    found = [np.unique(at[of == column]) for column in range(columns)]
    most = max(map(len, found), default=0)
    if most >= MOST_RANKS:
        raise FeatureError(
            f"a column has {most} different thresholds, and {MOST_RANKS - 1} fit; "
            "fit with a smaller max_bin"
        )
    return found


class _Parts:
    """The arrays of a forest as they grow."""

    def __init__(self, thresholds: Sequence[_Floats]) -> None:
        self._ranks = [{float(t): i for i, t in enumerate(column)} for column in thresholds]
        self.nodes: list[_Small] = []
        self.values: list[_Floats] = []
        self.roots: list[list[int]] = []
        self.groups: list[tuple[int, int]] = []
        self._size = 0

    def add_group(self, trees: Sequence[FlatTree]) -> None:
        """Append trees that go down side by side; place 0 is a leaf that adds nothing."""
        self.groups.append((self._size, max(tree.depth for tree in trees)))
        self._append(_leaves(np.zeros(1, dtype=np.int64)), np.zeros(1))
        roots = [self._add(tree, self.groups[-1][0]) for tree in trees]
        self.roots.append(roots + [0] * (LANES - len(roots)))

    def _add(self, tree: FlatTree, start: int) -> int:
        """Append a tree, children side by side, level by level, and return its root's place."""
        order, i = [0], 0
        while i < len(order):
            if tree.left[order[i]] >= 0:
                order += [int(tree.left[order[i]]), int(tree.right[order[i]])]
            i += 1
        old = np.array(order)
        if len(old) >= 2 * MOST_LEAVES:
            raise FeatureError(f"a tree has {len(old) // 2 + 1} leaves; {MOST_LEAVES} fit")
        root, place = self._size - start, np.zeros(len(tree.left), dtype=np.int64)
        place[old] = root + np.arange(len(old))
        inner = tree.left[old] >= 0
        nodes = _leaves(place[old])
        nodes[inner] = self._inner(tree, old[inner], place[tree.left[old][inner]])
        self._append(nodes, np.where(inner, 0.0, tree.value[old]))
        return root

    def _inner(self, tree: FlatTree, nodes: _Integers, left: _Integers) -> _Small:
        pairs = zip(tree.feature[nodes].tolist(), tree.threshold[nodes].tolist(), strict=True)
        ranked = np.array([self._ranks[column][at] for column, at in pairs], dtype=np.int64)
        return ((ranked << RANK) | (tree.feature[nodes] << COLUMN) | left).astype(np.int32)

    def _append(self, nodes: _Small, values: _Floats) -> None:
        self.nodes.append(nodes)
        self.values.append(values)
        self._size += len(nodes)


def _leaves(places: _Integers) -> _Small:
    return ((MOST_RANKS << RANK) | places).astype(np.int32)


@njit(error_model="numpy", nogil=True)
def ranks_of(row: NDArray[np.float32], thresholds: _Floats, spans: _Integers, keys: _Small) -> None:
    """Write how many thresholds lie below each value, where nodes hold them."""
    for j in range(len(row)):
        low, count, x = spans[j], spans[j + 1] - spans[j], np.float64(row[j])
        x = x if abs(x) > NOUGHT else np.float64(0.0)
        while count > 1:
            half = count >> 1
            low += half if thresholds[low + half - 1] < x else 0
            count -= half
        below = low - spans[j]
        if count == 1:
            below += 1 if thresholds[low] < x else 0
        keys[j] = below << RANK


@njit(error_model="numpy", nogil=True)
def down(
    nodes: _Small, values: _Floats, roots: _Small, groups: _Integers, first: int, end: int,
    keys: _Small,
) -> float:  # fmt: skip
    """Return the sum of the trees of groups `first` … `end`."""
    low, high = 0.0, 0.0
    for g in range(first, end):
        part, leaves = nodes[groups[g, 0] :], values[groups[g, 0] :]
        a, b, c, d = roots[g, 0], roots[g, 1], roots[g, 2], roots[g, 3]
        e, f, h, i = roots[g, 4], roots[g, 5], roots[g, 6], roots[g, 7]
        for _ in range(groups[g, 1]):
            p, q, r, s = part[a], part[b], part[c], part[d]
            t, u, v, w = part[e], part[f], part[h], part[i]
            a = (p & 0xFFF) + (keys[(p >> COLUMN) & 0xFF] > p)
            b = (q & 0xFFF) + (keys[(q >> COLUMN) & 0xFF] > q)
            c = (r & 0xFFF) + (keys[(r >> COLUMN) & 0xFF] > r)
            d = (s & 0xFFF) + (keys[(s >> COLUMN) & 0xFF] > s)
            e = (t & 0xFFF) + (keys[(t >> COLUMN) & 0xFF] > t)
            f = (u & 0xFFF) + (keys[(u >> COLUMN) & 0xFF] > u)
            h = (v & 0xFFF) + (keys[(v >> COLUMN) & 0xFF] > v)
            i = (w & 0xFFF) + (keys[(w >> COLUMN) & 0xFF] > w)
        low += (leaves[a] + leaves[b]) + (leaves[c] + leaves[d])
        high += (leaves[e] + leaves[f]) + (leaves[h] + leaves[i])
    return low + high


@compiled
def _score_all(
    rows: NDArray[np.float32], nodes: _Small, values: _Floats, roots: _Small, groups: _Integers,
    ends: _Integers, thresholds: _Floats, spans: _Integers, answers: _Floats,
) -> None:  # fmt: skip
    keys = np.empty(rows.shape[1], dtype=np.int32)
    for n in range(len(rows)):
        ranks_of(rows[n], thresholds, spans, keys)
        first = 0
        for k in range(len(ends)):
            answers[n, k] = down(nodes, values, roots, groups, first, ends[k], keys)
            first = ends[k]
