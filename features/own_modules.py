"""Where a process finds features of one's own: the modules named in ``TIDEWHEEL_FEATURES``."""

from __future__ import annotations

import importlib
import os
import threading

from features.errors import FeatureError
from features.foreign import functions

VARIABLE = "TIDEWHEEL_FEATURES"
"""Names of modules, separated by commas or blanks: ``my_package.my_features``."""

_imported: dict[str, bool] = {}
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
                _imported[module] = True  # a module that asks for a feature of its own comes back
                try:
                    importlib.import_module(module)
                except ImportError as error:
                    del _imported[module]
                    raise FeatureError(
                        f"{VARIABLE} names {module}, which cannot be imported: {error}; it must be "
                        "importable by this process (PYTHONPATH, or an installed package)"
                    ) from error
    if wanted:
        return f"features of your own come from {VARIABLE}={','.join(wanted)}"
    return f"{VARIABLE} names no module with features of your own in this process"


functions.on_load(load)
