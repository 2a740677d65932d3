"""A registered version as turns see it, whoever keeps it, and the names of aliases and tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHAMPION, CHALLENGER = "champion", "challenger"
VERSION_TAG = "bundle_version"
STATUS_TAG = "status"
PINNED_TAG = "pinned"
LINK_TAG = "mlflow.modelVersions"


@dataclass(frozen=True)
class RegisteredVersion:
    """One version as MLflow's registry has it."""

    slot_key: str
    version: str
    number: int
    run_id: str
    status: str
    aliases: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def pinned(self) -> bool:
        """Whether someone tagged it ``pinned=true``, so that the gates leave it in service."""
        return self.tags.get(PINNED_TAG, "").lower() == "true"


def texts(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return tags as texts: what is none as JSON; those without a value are left out."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in tags.items()
        if value is not None
    }
