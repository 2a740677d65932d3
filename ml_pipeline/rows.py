"""The rows a fit sees: features, targets and clock of one block, every label known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.panel import Panel

Floats = NDArray[np.float64]


def all_finite(table: Floats) -> NDArray[np.bool_]:
    """Return which rows of `table` [n, K] hold finite numbers only."""
    return np.asarray(np.isfinite(table).all(axis=1), dtype=np.bool_)


@dataclass(frozen=True)
class Rows:
    """Rows of a panel with their targets.

    Attributes
    ----------
    panel
        The restricted panel: features float32 [n, F], clock, symbols, closes.
    y
        Targets [n, K], finite, in the unit of the task's margin.
    horizon_bars
        Length of the longest label window, in bars: neighbouring rows overlap by that much.
    """

    panel: Panel
    y: Floats
    horizon_bars: int

    def __len__(self) -> int:
        return len(self.y)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feature columns."""
        return self.panel.names

    def column(self, name: str) -> Floats:
        """Return one feature as float64 [n]."""
        return np.asarray(self.panel.X[:, self.names.index(name)], dtype=np.float64)

    def matrix(self, names: tuple[str, ...]) -> NDArray[np.float32]:
        """Return features `names` as a contiguous float32 matrix."""
        if names == self.names:
            return np.ascontiguousarray(self.panel.X)
        return np.ascontiguousarray(self.panel.X[:, [self.names.index(name) for name in names]])

    def joined(self, later: Rows) -> Rows:
        """Return these rows and `later` ones as one table."""
        mine, other = self.panel, later.panel
        both = replace(
            mine,
            ts=np.concatenate([mine.ts, other.ts]),
            symbol=np.concatenate([mine.symbol, other.symbol]),
            X=np.concatenate([mine.X, other.X]),
            close=np.concatenate([mine.close, other.close]),
            labels={
                name: np.concatenate([column, other.labels[name]])
                for name, column in mine.labels.items()
            },
        )
        return Rows(both, np.concatenate([self.y, later.y]), self.horizon_bars)

    def take(self, keep: NDArray[np.bool_]) -> Rows:
        """Return the rows where `keep` is true."""
        return Rows(self.panel.rows(keep), self.y[keep], self.horizon_bars)
