"""Where a process finds features of one's own: the modules named in ``TIDEWHEEL_FEATURES``."""

from __future__ import annotations

import importlib
import os
import sys
import threading

from features.errors import FeatureError
from features.foreign import functions

VARIABLE = "TIDEWHEEL_FEATURES"
"""Names of modules, separated by commas or blanks: ``my_package.my_features``."""

_imported: set[str] = set()
_lock = threading.RLock()


def load() -> str:
    """Import the modules that the environment names, each once; return a sentence about them.

    Raises
    ------
    FeatureError
        One cannot be imported.
    """
    wanted = os.environ.get(VARIABLE, "").replace(",", " ").split()
    with _lock:
        for module in wanted:
            if module not in _imported:
                _imported.add(module)  # a module that asks for a feature of its own comes back
                _import(module)
    if wanted:
        return f"features of your own come from {VARIABLE}={','.join(wanted)}"
    return f"{VARIABLE} names no module with features of your own in this process"


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:  # code of the user's: anything may be wrong with it
        raise FeatureError(
            f"{VARIABLE} names {module}, which cannot be imported: {type(error).__name__}: "
            f"{error}; it must be importable by this process (PYTHONPATH, or an installed "
            "package) and run without an error"
        ) from error
    finally:
        if module not in sys.modules:  # so the next one who asks is told again
            _imported.discard(module)


functions.on_load(load)
