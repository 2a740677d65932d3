"""What can go wrong with a model at run time, as one small tree.

::

    ModelError
    ├── BadName            a slot, version or model name that cannot be one
    ├── ModelNotFound      a good name, and nothing there
    ├── BundleError        a bundle that is damaged, incomplete or not what it says
    │   ├── SchemaError    columns no model may have (price or volume units, duplicates)
    │   └── HeadError      head parameters that cannot turn the output into an answer
    ├── FeatureError       rows that do not fit the model (missing, reordered, NaN columns)
    ├── PredictionError    the graph answered something that is not a prediction
    └── EnsembleError      members, weights or method that cannot be blended
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class ModelError(Exception):
    """Root of everything that the `models` package raises on purpose."""


class BadName(ModelError, ValueError):
    """A slot, version or model name that cannot be one."""


class ModelNotFound(ModelError, LookupError):
    """The name is well formed, and nothing is there."""


class BundleError(ModelError):
    """A bundle that is damaged, incomplete or not what it says it is."""


class SchemaError(BundleError):
    """A feature schema that no model may have."""


class HeadError(BundleError):
    """Head parameters that cannot turn the graph's output into an answer."""


class FeatureError(ModelError, ValueError):
    """Rows that do not fit the model: missing, reordered or non-finite columns."""


class PredictionError(ModelError):
    """The graph answered something that is not a prediction."""


class EnsembleError(ModelError):
    """Members, weights or a method that cannot be blended."""
