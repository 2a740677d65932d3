"""What every head has in common: its interface, and the checks of raw output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.common.errors import PredictionError

Floats: TypeAlias = NDArray[np.float64]
Answer: TypeAlias = Any  # dict of scalars or arrays by name; RiskScore for one row of risk


class Head(Protocol):
    """Turns raw output into an answer."""

    width: ClassVar[int]
    """Columns of the raw output."""
    reads_close: ClassVar[bool]
    """Whether the answer depends on the closing price."""

    def check(self, raw: Floats) -> None:
        """Raise PredictionError when `raw`, [N, width], cannot be this kind's output."""

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return the answers to the rows of `raw`; `close` are their closing prices, if known."""

    def decode_one(self, raw: Sequence[float], close: float | None) -> Answer:
        """Return the answer to one row, checked: what `check` and `decode` do, some times faster.

        `decode` of one row is this, so that there is one way to answer it.
        """


def check_finite(raw: Floats) -> None:
    """Refuse rows with NaN or infinity."""
    bad = int(np.count_nonzero(~np.isfinite(raw).all(axis=1)))
    if bad:
        raise PredictionError(f"{bad} of {len(raw)} rows were answered with NaN or infinity")


def check_probabilities(raw: Floats, what: str) -> None:
    """Refuse what is no probability; `what` names it."""
    check_finite(raw)
    if raw.size and (raw.min() < 0 or raw.max() > 1):
        raise PredictionError(f"{what} lies in [{raw.min():.3g}, {raw.max():.3g}], not in [0, 1]")
