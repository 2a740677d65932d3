"""Where features are written: an array of the caller's, or a new one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import FeatureError

Floats = NDArray[np.floating[Any]]
Dtype = type[np.float32] | type[np.float64]

_WRITTEN = (np.dtype(np.float32), np.dtype(np.float64))  # in the byte order of this machine


def room(shape: tuple[int, int], dtype: Dtype, out: Floats | None) -> Floats:
    """Return `out`, or a new array if there is none.

    Raises
    ------
    FeatureError
        `out` has another shape, is read-only, or is no array of float32 or float64; or `dtype` is
        neither of them.
    """
    if out is None:
        if np.dtype(dtype) not in _WRITTEN:
            raise FeatureError(f"dtype is {dtype!r}; features are float32 or float64")
        return np.empty(shape, dtype=dtype)
    if not isinstance(out, np.ndarray):
        raise FeatureError(f"out is a {type(out).__name__}; give it np.empty({shape}, np.float32)")
    if out.dtype not in _WRITTEN or not out.flags.writeable:
        kind = f"{out.dtype.str}, {'' if out.flags.writeable else 'not '}writable"
        raise FeatureError(f"out is {kind}; it must be float32 or float64 that can be written")
    if out.shape != shape:
        raise FeatureError(
            f"out is {out.shape}, and {shape[0]} candles x {shape[1]} features need {shape}; "
            "allocate it so"
        )
    return out
