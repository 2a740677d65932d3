"""The errors of tracking, as one small tree.

::

    TrackingError
    ├── TrackingDown        MLflow or its database cannot be reached
    ├── UnknownVersion      the registry has no such slot or version
    └── ForeignVersion      an alias points to a version that Tidewheel did not register
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class TrackingError(Exception):
    """Anything that goes wrong between Tidewheel and MLflow."""


class TrackingDown(TrackingError):
    """MLflow or its database cannot be reached; another try may work."""


class UnknownVersion(TrackingError, LookupError):
    """The registry has no such slot or version."""


class ForeignVersion(TrackingError):
    """An alias points to a version that Tidewheel did not register."""
