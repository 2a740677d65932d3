"""What the store hands back: frozen records, made of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

NEW: Final = "new"
QUEUED: Final = "queued"
RUNNING: Final = "running"
COMPLETED: Final = "completed"
WITH_FAILURES: Final = "completed with failures"
FAILED: Final = "failed"
TURN_ENDS: Final = (COMPLETED, WITH_FAILURES, FAILED)

MODEL_STATUSES: Final = (
    "candidate", "unproven", "champion", "challenger", "archived", "superseded", "refused",
    "baseline",
)  # fmt: skip
# What the user's documents call the model in service.
STATUS_SYNONYMS: Final = {"active": "champion"}
BACKFILL: Final = "backfill"
"""Role of what was predicted after the fact, by a fit that knew nothing of the bar."""
ROLES: Final = ("champion", "shadow", "baseline", BACKFILL)
"""Roles of predictions. The database stores their place here: add at the end, never in between."""

ROLE_OF_STATUS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "champion": "champion",
        "challenger": "shadow",
        "unproven": "shadow",
        "baseline": "baseline",
    }
)
"""Statuses of versions that predict, and the role their predictions are stored under."""

SERVES_FROM: Final = "serves_from_ms"
"""Fact of a version: the first bar, by opening time, that it predicts in service."""

REIGN_BEGAN: Final = "reign_began_ms"
REIGN_ENDED: Final = "reign_ended_ms"
"""Facts of a version: the first bar, by opening time, of its last reign, and the first after it."""

FELL: Final = "fell_ms"
"""Fact of a version: when it lost its place for what it did; its line begins its ledger anew."""


class _Plain:
    """A record that can be turned into a dict."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class Turn(_Plain):
    """One turn: `status` is ``new`` only in the answer to the call that began it."""

    turn_id: str
    status: str
    params: dict[str, Any]
    summary: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None = None
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the turn has ended, with or without failures in it."""
        return self.status in TURN_ENDS


@dataclass(frozen=True)
class ModelRecord(_Plain):
    """One version of one slot, with whatever facts were stored about it."""

    slot_key: str
    version: str
    name: str
    status: str
    facts: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @property
    def key(self) -> str:
        """The name that is unique in the whole store: ``scope/kind/timeframe/version``."""
        return f"{self.slot_key}/{self.version}"


@dataclass(frozen=True)
class VerdictRecord(_Plain):
    """One comparison of a version with the baseline or the champion."""

    turn_id: str
    slot_key: str
    version: str
    against: str
    figures: dict[str, Any]
    decision: str
    sentence: str
    created_at: datetime


@dataclass(frozen=True)
class EnsembleRecord(_Plain):
    """One ensemble: its members and weights, and how it did."""

    name: str
    slot_key: str
    active: bool
    config: dict[str, Any]
    results: dict[str, Any] | None
    updated_at: datetime


@dataclass(frozen=True)
class FlagRecord(_Plain):
    """A wish that something be retrained; open until `cleared_at`."""

    name: str
    reason: str
    raised_at: datetime
    cleared_at: datetime | None


@dataclass(frozen=True)
class TrialRecord(_Plain):
    """One idea for a strategy that was backtested on one market.

    Attributes
    ----------
    key
        Digest of `facts`: the same idea on the same market is the same trial.
    figures
        How it did when it was last run.
    runs
        How often it was run.
    """

    key: str
    market: str
    strategy: str
    facts: dict[str, Any]
    figures: dict[str, Any]
    runs: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class AnswerRecord:
    """One answer of the prediction engine, as its cache keeps it.

    Attributes
    ----------
    version
        Slot and version that answered, ``majors/price/1h/2025-05-28T0000Z_1h_ridge``.
    symbol, ts_ms
        Whose bar, and when it opened; the symbol is empty where nobody said whose.
    features
        Digest of what it was asked with.
    answer
        What it said.
    made_ms
        When it said so, epoch milliseconds.
    id
        In order of writing; 0 until it is written.
    """

    version: str
    symbol: str
    ts_ms: int
    features: str
    answer: dict[str, Any]
    made_ms: int
    id: int = 0


@dataclass(frozen=True)
class JobRecord(_Plain):
    """One piece of background work.

    Attributes
    ----------
    slot_key
        What no other open job may be about; None where there is no such thing.
    status
        ``queued``, ``running``, ``completed`` or ``failed``.
    stage, progress
        What it is at, and how far, 0 … 1.
    result, reason
        What came of it; why nothing did.
    pid, boot
        The process that does it, and the machine's boot in which that number means it.
    heard_at
        When it last said how far it is.
    """

    id: str
    kind: str
    slot_key: str | None
    status: str
    params: dict[str, Any]
    stage: str
    progress: float
    result: dict[str, Any] | None
    reason: str | None
    owner: str | None
    pid: int | None
    boot: str | None
    created_at: datetime
    heard_at: datetime
    finished_at: datetime | None
