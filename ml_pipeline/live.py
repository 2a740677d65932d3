"""Live results: stored predictions beside their outcomes, as rows that can be scored."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_pipeline.panel import Panel
from ml_pipeline.tasks import TASKS

Floats = NDArray[np.float64]


class LedgerReader(Protocol):
    """Whatever returns stored predictions beside their outcomes; the orchestration's store does."""

    def ledger(
        self,
        slot_key: str,
        version: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> pd.DataFrame:
        """Return columns ``symbol``, ``ts_ms``, ``raw_0 …``, ``outcome_0 …`` of bars since … until.

        A bar appears once for each version that predicted it.
        """


def outcomes_and_raw(kind: str, timeframe: str, rows: pd.DataFrame) -> tuple[Panel, Floats]:
    """Return ledger rows of one symbol as labels and raw output."""
    target, n = TASKS[kind].target, len(rows)
    labels = {
        name: rows[f"outcome_{k}"].to_numpy(np.float64)
        if f"outcome_{k}" in rows
        else np.full(n, np.nan)
        for k, name in enumerate(target)
    }
    panel = Panel(
        timeframe=timeframe,
        symbols=tuple(sorted(set(rows["symbol"]))),
        names=(),
        ts=rows["ts_ms"].to_numpy(np.int64),
        symbol=np.zeros(n, dtype=np.int16),
        X=np.empty((n, 0), dtype=np.float32),
        close=np.full(n, np.nan),
        labels=labels,
    )
    columns = sorted((c for c in rows if str(c).startswith("raw_")), key=lambda c: int(str(c)[4:]))
    raw = rows[columns].to_numpy(np.float64)
    return panel, raw if columns else np.empty((n, 1 + (kind in ("price", "volatility"))))
