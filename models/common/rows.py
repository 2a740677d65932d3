"""Rows: what a strategy holds (frame, series, dict, array) as the matrix that a graph reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.common.errors import FeatureError

_SHOWN = 8
_NONE: Mapping[str, str] = MappingProxyType({})


class Seen:
    """The labels of the last frame that had all columns, and where they stand in it."""

    last: tuple[Any, list[int] | None] | None = None


def to_matrix(
    features: Any,
    names: Sequence[str],
    *,
    ordered: bool = True,
    twins: Mapping[str, str] = _NONE,
    seen: Seen | None = None,
) -> NDArray[np.float32]:
    """Return the columns `names` of `features` as float32 [N, F].

    Parameters
    ----------
    features : DataFrame, Series, mapping or array
        A frame of N rows; a series or mapping is one row (a mapping of arrays is N). Extra columns
        are ignored. An array, [N, F] or [F], must have exactly the columns, in order.
    names : sequence of str
        The model's columns, in order.
    ordered : bool
        Whether a frame or series must have them in that order. A frame in another order was made
        for another model, and is refused; an ensemble's frame serves several.
    twins : mapping of str to str
        By columns in price or volume units, the column among `names` that is their scale-free
        twin: told to who holds the former and lacks the latter.
    seen : Seen, optional
        Remembers the labels of the last frame for the next one: reading 150 of them costs as much
        as a graph. To be used with the same `names`, `ordered` and `twins` only.

    Raises
    ------
    FeatureError
        When columns are missing, there twice, in another order or not numbers.
    """
    try:
        with np.errstate(over="ignore"):  # becomes infinity, which the runner refuses by name
            matrix = _select(features, names, ordered, twins, seen)
    except (TypeError, ValueError) as error:
        if isinstance(error, FeatureError):
            raise
        raise FeatureError(f"features are not all numbers: {error}") from error
    return matrix[None] if matrix.ndim == 1 else matrix


def close_in(features: Any) -> Any:
    """Return the ``close`` column of `features`, or None where there is none."""
    held = isinstance(features, Mapping) or _is_labelled(features)
    return features["close"] if held and "close" in features else None


def timeframe_of(features: Any) -> str | None:
    """Return the timeframe that the feature manager noted on a frame, if it did."""
    noted = getattr(features, "attrs", None)
    return noted.get("timeframe") if noted else None


def check_timeframe(features: Any, timeframe: str, who: str) -> None:
    """Refuse rows that are noted to be of another timeframe than `who` reads.

    Raises
    ------
    FeatureError
        Says of which.
    """
    noted = timeframe_of(features)
    if noted is not None and noted != timeframe:
        raise FeatureError(
            f"features are of {noted} bars, {who} reads {timeframe} bars; "
            f"ask get_features for {timeframe!r}"
        )


def check_definitions(features: Any, hashes: Mapping[str, str]) -> None:
    """Refuse rows whose columns are defined otherwise than those a model was trained on.

    Parameters
    ----------
    features
        Rows; the feature manager notes the hashes of what is no catalogue's feature on its frames.
    hashes : mapping of str to str
        By column, the hash that the model knows.

    Raises
    ------
    FeatureError
        Names the columns.
    """
    noted = getattr(features, "attrs", None) or {}
    held: Mapping[str, str] = noted.get("definitions") or {}
    other = [name for name, digest in held.items() if hashes.get(name, digest) != digest]
    if other:
        raise FeatureError(
            f"{len(other)} columns are defined otherwise than when the model was trained: "
            f"{_listing(other)}; bring the definitions back, or train it anew"
        )


def _is_labelled(features: Any) -> bool:
    # By interface, not by class: a process that predicts from arrays needs no pandas.
    return hasattr(features, "iloc") and hasattr(features, "to_numpy")


def _select(
    features: Any, names: Sequence[str], ordered: bool, twins: Mapping[str, str], seen: Seen | None
) -> NDArray[np.float32]:
    if isinstance(features, Mapping):
        _check_present(features, list(names), twins)
        return np.array([features[name] for name in names], dtype=np.float32).T
    if not _is_labelled(features):
        return np.asarray(features, dtype=np.float32)
    axis = 1 if hasattr(features, "columns") else 0
    index, known = features.axes[axis], seen.last if seen else None
    if known is not None and index.is_(known[0]):
        positions = known[1]
    else:
        positions = _positions(index.tolist(), list(names), ordered, twins)
        if seen is not None:
            seen.last = index, positions
    if positions is not None:
        features = features.take(positions, axis=axis)
    return features.to_numpy(dtype=np.float32)  # type: ignore[no-any-return]


def _positions(
    labels: list[str], names: list[str], ordered: bool, twins: Mapping[str, str]
) -> list[int] | None:
    """Return where `names` stand in `labels`; None where both are the same."""
    if labels == names:
        return None
    positions = find_columns(labels, names, twins)
    if ordered:
        _check_order(positions, names)
    return positions


def find_columns(
    labels: list[str], names: list[str], twins: Mapping[str, str] = _NONE
) -> list[int]:
    """Return where `names` stand in `labels`, all being there once each.

    Raises
    ------
    FeatureError
        When some are missing or there twice; `twins` as in `to_matrix`.
    """
    _check_present(labels, names, twins)
    at = {label: position for position, label in enumerate(labels)}
    if len(at) < len(labels):
        twice = [name for name in names if labels.count(name) > 1]
        if twice:
            raise FeatureError(f"columns there more than once: {_listing(twice)}")
    return [at[name] for name in names]


def _check_order(positions: list[int], names: list[str]) -> None:
    for i in range(1, len(positions)):
        if positions[i] < positions[i - 1]:
            raise FeatureError(
                f"columns are in another order than the model's: {names[i]} comes before "
                f"{names[i - 1]}; ask for model.features, or reorder with frame[model.features]"
            )


def _check_present(
    labels: Mapping[str, Any] | list[str], names: list[str], twins: Mapping[str, str]
) -> None:
    present = set(labels)
    missing = [name for name in names if name not in present]
    if missing:
        raise FeatureError(
            f"{len(missing)} of the model's {len(names)} columns are missing: {_listing(missing)}; "
            f"ask the feature manager for model.features{_stand_ins(present, missing, twins)}"
        )


def _stand_ins(present: set[str], missing: list[str], twins: Mapping[str, str]) -> str:
    """Return what to say of columns in price or volume units that are there instead."""
    pairs = [(raw, twin) for raw, twin in twins.items() if raw in present and twin in missing]
    held = [f"{twin} for {raw}" for raw, twin in pairs]
    if not held:
        return ""
    return f"; models read no prices and volumes but their scale-free twins: {_listing(held)}"


def _listing(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
