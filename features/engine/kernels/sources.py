"""The source of the kernels as a number, so that numba's cache on disk notices their changes."""

from __future__ import annotations

import hashlib
import inspect

from features.engine import compiled
from features.engine.kernels import elementwise, live, memory, paths, shapes, windows


def digest() -> int:
    """Return a number that changes with the source of any kernel, or the way it is compiled.

    Numba's cache looks at the file of a compiled function only, not at what it calls. A number
    captured by the compiled function is part of the cache key, so a changed kernel is compiled
    anew.
    """
    modules = (compiled, elementwise, live, memory, paths, shapes, windows)
    text = "".join(inspect.getsource(module) for module in modules)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
