"""The one table of statuses: which may follow which.

::

    candidate ──► champion ◄──► challenger ◄──► unproven
        │            │    ▲          │              │
        ├► refused   │    └──────────┴── baseline   │
        └► baseline  └──────► superseded, archived ◄┘
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestration.lifecycle.errors import ForbiddenTransition

IN_SERVICE = ("champion", "challenger", "unproven", "baseline")
"""Statuses of versions that predict: the champion for users, the others in shadow."""

_OUT = ("superseded", "archived")
TRANSITIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "candidate": ("champion", "challenger", "unproven", "baseline", "refused", *_OUT),
        "champion": ("challenger", "unproven", "baseline", *_OUT),
        "challenger": ("champion", "unproven", *_OUT),
        "unproven": ("champion", "challenger", *_OUT),
        "baseline": ("champion", *_OUT),
        # People may bring back what the gates let go, by moving the alias in MLflow.
        "superseded": ("champion",),
        "archived": ("champion",),
        "refused": (),
    }
)


def check_transition(version: str, before: str, after: str) -> None:
    """Raise ForbiddenTransition unless `after` may follow `before`; staying is always allowed."""
    if before == after:
        return
    if after not in TRANSITIONS.get(before, ()):
        allowed = ", ".join(TRANSITIONS.get(before, ())) or "nothing"
        raise ForbiddenTransition(
            f"{version} is {before} and cannot become {after}; after {before} comes {allowed}"
        )
