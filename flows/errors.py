"""What can go wrong around a flow.

::

    FlowsError
    ├── ServerError       a server of ours did not start, or somebody else's does not answer
    ├── ChildFailed       a process of `tidewheel up` keeps ending
    ├── DeployFailed      prefect.yaml could not be registered
    ├── AlreadyUp         `tidewheel up` runs for this home already
    ├── TurnCrashed       the flow run ended without an answer
    └── RunnerMissing     the settings ask for a task runner that is not installed
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class FlowsError(RuntimeError):
    """Base of all errors of `flows`; the message says what was wrong and what to do."""


class ServerError(FlowsError):
    """A server did not start in time, or the one that the environment names does not answer."""


class ChildFailed(FlowsError):
    """A supervised process ended again and again."""


class DeployFailed(FlowsError):
    """The deployments of ``prefect.yaml`` could not be registered."""


class AlreadyUp(FlowsError):
    """Another ``tidewheel up`` serves this home."""


class RunnerMissing(FlowsError):
    """The settings ask for a task runner that is not installed."""


class TurnCrashed(FlowsError):
    """The flow run ended without an answer."""
