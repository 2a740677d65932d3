"""LightGBM's own text form of a model, read without LightGBM.

Blocks ``Tree=i`` of ``name=values`` lines; inner nodes are numbered from 0, leaves as ``~leaf``.
Numbers are written with 17 digits, so what is read here is what was fitted, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import FeatureError
from features.rollout.forest import FlatTree

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]

_CATEGORICAL, _MISSING, _AS_NAN = 1, 0b1100, 0b1000


def feature_names(text: str) -> tuple[str, ...]:
    """Return the columns that the model reads, in order."""
    return tuple(_fields(text.split("\nTree=", 1)[0]).get("feature_names", "").split())


def read_trees(text: str) -> list[FlatTree]:
    """Return the trees of a model; their sum is its raw score.

    Raises
    ------
    FeatureError
        The text is no such model, or has categorical splits, linear leaves or splits that take
        zeros for missing: rows of features have none of these.
    """
    if not text.startswith("tree\n") or "\nend of trees" not in text:
        raise FeatureError(
            f"{len(text)} characters are no LightGBM model in text form, or not a whole one; "
            "write it with Booster.save_model"
        )
    body = text.split("\nend of trees", 1)[0]
    return [_tree(_fields(block)) for block in body.split("\nTree=")[1:]]


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {name: value for name, mark, value in pairs if mark}


def _tree(fields: Mapping[str, str]) -> FlatTree:
    try:
        leaves = int(fields["num_leaves"])
        value = np.array(fields["leaf_value"].split(), dtype=np.float64)
        inner = leaves - 1
        feature, decision, left, right = (
            _numbers(fields, name, inner, np.int64)
            for name in ("split_feature", "decision_type", "left_child", "right_child")
        )
        threshold = _numbers(fields, "threshold", inner, np.float64)
    except (KeyError, ValueError) as error:
        raise FeatureError(f"a tree of the LightGBM model cannot be read: {error}") from error
    missing = decision & _MISSING
    strange = (decision & _CATEGORICAL) | ((missing != 0) & (missing != _AS_NAN))
    if strange.any() or fields.get("is_linear", "0") != "0" or len(value) != leaves:
        raise FeatureError(
            "a tree of the LightGBM model has categorical splits, linear leaves or zeros that "
            "stand for missing; fit it on plain numbers"
        )
    return _joined(feature, threshold, left, right, value)


def _numbers(fields: Mapping[str, str], name: str, inner: int, dtype: type) -> NDArray[Any]:
    """Return a line's values; a tree of one leaf has none."""
    return np.array(fields[name].split() if inner else [], dtype=dtype)


def _joined(
    feature: _Integers, threshold: _Floats, left: _Integers, right: _Integers, value: _Floats
) -> FlatTree:
    """Return the tree with inner nodes numbered first and leaves behind them."""
    inner, leaves = len(feature), len(value)

    def place(child: _Integers) -> _Integers:
        return np.where(child < 0, inner + ~child, child)

    none = np.full(leaves, -1, dtype=np.int64)
    return FlatTree(
        feature=np.concatenate([feature, np.zeros(leaves, dtype=np.int64)]),
        threshold=np.concatenate([threshold, np.zeros(leaves)]),
        left=np.concatenate([place(left), none]),
        right=np.concatenate([place(right), none]),
        value=np.concatenate([np.zeros(inner), value]),
    )
