"""Evidence: what the members of a kind said of the same bars, and what came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.panel import Panel
from ml_pipeline.scoring import row_losses
from ml_pipeline.tasks import TASKS
from orchestration.ensembles.steps import known_by

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Rows that every member and the baseline answered, and whose outcome counts.

    Attributes
    ----------
    kind, timeframe
        Of all members.
    members
        Names of the M lines.
    ts
        Opening time of each row, int64 [n] in milliseconds, never falling.
    raw
        What each member said, float64 [M, n, K].
    base
        Loss of the baseline, float64 [n].
    rows
        Labels of the rows: what losses are computed from.
    head
        What an event is, the same for all; empty for kinds without.
    regime
        Of each row, int64 [n], below 0 where it is not known; None where no weights are learnt by
        regime.
    """

    kind: str
    timeframe: str
    members: tuple[str, ...]
    ts: NDArray[np.int64]
    raw: Floats
    base: Floats
    rows: Panel
    head: Mapping[str, Any]
    regime: NDArray[np.int64] | None = None

    @property
    def horizon(self) -> int:
        """Bars after which every outcome is known."""
        return TASKS[self.kind].horizon_bars(self.timeframe)

    @property
    def target(self) -> Floats:
        """What came, float64 [n, L], in the unit of what is said."""
        return TASKS[self.kind].y(self.rows, self.head)

    def losses(self, raw: Floats) -> Floats:
        """Return the loss of each row of an answer [n, K], float64 [n]."""
        return row_losses(TASKS[self.kind], self.head, raw, self.rows)

    def member_losses(self) -> Floats:
        """Return the loss of each member on each row, float64 [M, n]."""
        return np.stack([self.losses(raw) for raw in self.raw])

    def known_by(self, moment_ms: int) -> int:
        """Return how many of the first rows had their outcome when a bar opened."""
        return known_by(self.ts, self.horizon, self.timeframe, moment_ms)
