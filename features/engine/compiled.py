"""Functions compiled to machine code, which is kept on disk where there is a place for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function compiled at its first call, or read from numba's cache.

    The cache lies beside the installed package, else in the user's cache folder, else nowhere:
    then each process compiles anew.
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba's answer when it may write to neither
        return njit(nogil=True, error_model="numpy")(function)


def is_kept(function: Any) -> bool:
    """Return whether a compiled function stays on disk for the next process."""
    return function.stats.cache_path is not None
