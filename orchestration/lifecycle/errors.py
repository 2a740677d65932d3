"""What can go wrong between a verdict and a promotion, as one small tree.

::

    LifecycleError
    ├── ForbiddenTransition    a status may not follow another one
    ├── NoFooting              a slot has neither a champion nor a sound baseline
    ├── ChampionMoved          the alias was moved by hand while a turn ran
    └── SyncRefused            a champion's bundle could not be put in service; the old one stays
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class LifecycleError(Exception):
    """Root of everything that the lifecycle raises on purpose."""


class ForbiddenTransition(LifecycleError):
    """A status may not follow another one."""


class NoFooting(LifecycleError):
    """A slot has neither a champion nor a sound baseline: nothing can serve it."""


class SyncRefused(LifecycleError):
    """A champion's bundle could not be put in service; the one before keeps serving."""


class ChampionMoved(LifecycleError):
    """The alias was moved by hand while a turn ran; what was chosen by hand stays."""
