"""What steps hand to each other: ids, paths and figures, never frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from models.common.slot import Slot
from orchestration.settings import Settings

Json = dict[str, Any]
Ref = TypeVar("Ref")


@dataclass(frozen=True)
class TurnRef:
    """One turn: its name, its moment and its settings.

    Parameters
    ----------
    turn_id
        ``2025-05-28T0000Z_majors_1m``.
    at
        The moment T in UTC, on the grid of the timeframe: bars that close at T or before are known.
    scope
        Name of the symbols taken together, such as ``majors``.
    settings
        The settings the turn was begun with.
    """

    turn_id: str
    at: datetime
    scope: str
    settings: Settings = field(repr=False)

    @property
    def folder(self) -> Path:
        """Where the steps of this turn leave their results."""
        return Path(self.settings.home) / "work" / self.turn_id

    @property
    def at_ms(self) -> int:
        """T in milliseconds since 1970."""
        return int(self.at.timestamp() * 1000)

    def slot(self, kind: str) -> Slot:
        """Return the slot that a kind fills in this turn."""
        return Slot(self.scope, kind, self.settings.timeframe)


@dataclass(frozen=True)
class Begun:
    """The answer of ``begin``.

    ``state`` is ``new``, ``resumed``, ``done`` (this very turn is completed) or ``overtaken`` (a
    newer turn of the same scope and timeframe is completed); with the last two there is nothing
    to do and ``summary`` is the report of the completed turn.
    """

    turn: TurnRef
    state: str
    sentence: str
    summary: Json = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.state in ("done", "overtaken")


@dataclass(frozen=True)
class Fetched:
    """What one symbol brought: counts of bars, the repair report, and one sentence."""

    symbol: str
    rows_new: int
    rows: int
    first: str
    last: str
    report: Json
    sentence: str


@dataclass(frozen=True)
class Dataset:
    """The panel of a turn: ``folder`` holds it, ``dropped`` counts rows without full features."""

    folder: str
    symbols: tuple[str, ...]
    rows: int
    dropped: int
    data_hash: str
    first: str
    last: str
    sentence: str


@dataclass(frozen=True)
class Fit:
    """One fitted version, not yet published: its bytes lie in ``folder``."""

    version: str
    recipe: str
    baseline: bool
    folder: str
    parity: float
    seconds: float


@dataclass(frozen=True)
class Fits:
    """All versions fitted for one kind; the baseline comes first.

    ``left_out`` says of each recipe that was asked for and not fitted, why; ``retrained`` which
    were flagged and competed in variants: recipe, version, flags, what won and what else was tried.
    """

    kind: str
    versions: tuple[Fit, ...]
    left_out: tuple[str, ...] = ()
    retrained: tuple[Json, ...] = ()


@dataclass(frozen=True)
class Composed:
    """The ensemble of one kind, composed of its fits; ``fit`` is None where there is none.

    ``choice`` holds method, weights by line and the figures that chose them, as
    `orchestration.ensembles.Choice`; ``members`` version, recipe and weight of each member;
    ``by_regime`` edges and weights of regimes, where these differ.
    """

    kind: str
    sentence: str
    fit: Fit | None = None
    choice: Json = field(default_factory=dict)
    members: tuple[Json, ...] = ()
    by_regime: Json | None = None


@dataclass(frozen=True)
class Judged:
    """Verdicts of one kind on the holdout.

    ``contenders`` holds one row per version, candidates and those in service, as
    `orchestration.lifecycle.gates.Contender` and further figures; ``incumbent`` is the champion
    before the decision; ``holdout`` says which bars were opened, and how often; ``lines`` holds how
    each line stands by the ledger, as `orchestration.judge.verdicts.Standing`.
    """

    kind: str
    contenders: tuple[Json, ...]
    incumbent: Json | None
    holdout: Json
    sentence: str
    lines: tuple[Json, ...] = ()


@dataclass(frozen=True)
class Published:
    """What left the work folder: version names, their MLflow runs, and pictures (PNG paths)."""

    kind: str
    versions: tuple[str, ...]
    run_ids: tuple[str, ...]
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Decided:
    """What was decided for one slot, and why; ``before`` is None on a cold start."""

    kind: str
    action: str
    champion: str
    before: str | None
    challenger: str | None
    baseline: bool
    statuses: dict[str, str]
    sentence: str
    retrained: tuple[Json, ...] = ()


@dataclass(frozen=True)
class BackFilled:
    """Folds that were walked through before a line's ledger began, and the rows they predicted.

    ``folds`` and ``rows`` count what is there now, of this call or of one before it was killed;
    ``left_out`` says which folds had too little history, or no place.
    """

    kind: str
    folds: int
    rows: int
    failed: int
    left_out: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Ledgered:
    """Rows new in the ledger: predictions of versions in service, and outcomes now known."""

    kind: str
    predictions: int
    outcomes: int
    sentence: str


@dataclass(frozen=True)
class Served:
    """Predictions written for versions that came into service in this turn."""

    kind: str
    predictions: int


@dataclass(frozen=True)
class Drifted:
    """The drift verdict of one slot: ``row`` is what the drift table shows."""

    kind: str
    row: Json


@dataclass(frozen=True)
class Pooled:
    """The drift verdicts on several slots together, one row a pool."""

    rows: tuple[Json, ...]


@dataclass(frozen=True)
class Ensembled:
    """One row per ensemble that was considered."""

    rows: tuple[Json, ...]


@dataclass(frozen=True)
class Failure:
    """One step that raised: which stage, on what, and the message the user reads."""

    stage: str
    subject: str
    error: str
    message: str


def to_json(ref: Any) -> Json:
    """Return a reference as plain JSON types (tuples become lists, moments ISO text)."""
    return dict(TypeAdapter(type(ref)).dump_python(ref, mode="json"))


def from_json(kind: type[Ref], value: Mapping[str, Any]) -> Ref:
    """Rebuild a reference from :func:`to_json`'s answer; a misshapen one raises ``ValueError``."""
    rebuilt: Ref = TypeAdapter(kind).validate_python(dict(value))
    return rebuilt
