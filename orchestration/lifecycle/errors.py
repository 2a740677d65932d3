"""What can go wrong between a verdict and a promotion, as one small tree.

::

    LifecycleError
    ├── ForbiddenTransition    a status may not follow another one
    ├── NoFooting              a slot has neither a champion nor a sound baseline
    ├── ChampionMoved          the alias was moved by hand while a turn ran
    ├── SyncRefused            a champion's bundle could not be put in service; the old one stays
    ├── PromotionRefused       a version may not be promoted by hand; nothing was moved
    │   └── Unproven               its skill is not proven; whoever knows better can insist
    ├── PromotionRunning       another process is promoting in the same slot
    ├── CutOff                 MLflow or the database failed half way; the next start finishes it
    ├── NotRecovered           what was cut off cannot be finished yet
    ├── NotStaged              nothing of that name was prepared for a deployment
    ├── PackageRefused         a deployment package that is damaged or not one
    └── HookFailed             the user's hook failed, took too long, or there is none
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


class PromotionRefused(LifecycleError):
    """A version may not be promoted by hand; nothing was moved."""


class Unproven(PromotionRefused):
    """A version's skill over the baseline is not proven; whoever knows better can insist."""


class PromotionRunning(LifecycleError):
    """Another process is promoting in the same slot."""


class CutOff(LifecycleError):
    """MLflow or the database failed half way; the next start of anything finishes it."""


class NotRecovered(LifecycleError):
    """What was cut off cannot be finished yet: MLflow or the database does not answer."""


class NotStaged(LifecycleError, LookupError):
    """Nothing of that name was prepared for a deployment."""


class PackageRefused(LifecycleError):
    """A deployment package that is damaged, or not one; nothing of it was written."""


class HookFailed(LifecycleError):
    """The user's hook failed, took too long, or there is none; nothing was swapped."""
