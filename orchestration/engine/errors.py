"""What can go wrong with the prediction engine itself, as one small tree.

::

    EngineError
    ├── BadConfig    a configuration that cannot be
    └── BadFrame     candles that do not say what they are of, or are of other bars

What the floors below raise stays what it is: `ModelNotFound`, `NotEnoughHistory`, `BadCandles`, ….
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class EngineError(Exception):
    """Root of everything that the prediction engine raises on purpose."""


class BadConfig(EngineError, ValueError):
    """A configuration that cannot be."""


class BadFrame(EngineError, ValueError):
    """Candles that do not say what they are of, or are of other bars than the models."""
