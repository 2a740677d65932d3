"""Live results: stored predictions beside their outcomes, as rows that can be scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_pipeline.errors import TooFewOutcomes
from ml_pipeline.panel import Panel
from ml_pipeline.scoring import metrics, row_losses
from ml_pipeline.skill import Verdict, judge
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

        A bar appears once for each version that predicted it. Where there is a column ``role``, the
        rows of the slot's baselines bear ``baseline``, and ``backfill`` those that were filled in
        afterwards.
        """


_BASELINE, _BACKFILL = "baseline", "backfill"
_BESIDE = ("skill", "lower", "upper", "z", "effective_n", "base_loss")


def live_figures(
    ledger: LedgerReader,
    info: Mapping[str, Any],
    symbol: str,
    since_ms: int,
    until_ms: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of what a version said in its time, and beside them its baseline's.

    Parameters
    ----------
    info
        Metadata of the version: kind, slot, version, head.
    symbol
        Canonical.

    Returns
    -------
    dict
        The kind's figures over the resolved rows; over those that a baseline of the slot answered
        too ``skill``, ``lower``, ``upper``, ``z``, ``effective_n``, ``base_loss`` (NaN where they
        are too few for a verdict) and ``naive``, the baseline's own figures (empty without any).
    """
    kind, timeframe, head = str(info["kind"]), str(info["timeframe"]), info["head"]
    slot, version = info["slot"], info["version_name"]
    own = _said(ledger.ledger(slot, version, since_ms, until_ms), symbol)
    own = own[own["role"] != _BACKFILL] if "role" in own else own
    panel, raw = outcomes_and_raw(kind, timeframe, own)
    found: dict[str, Any] = dict(metrics(TASKS[kind], head, raw, panel))
    rest = _said(ledger.ledger(slot, None, since_ms, until_ms), symbol)
    naive = rest[rest["role"] == _BASELINE] if "role" in rest else rest[:0]
    naive = naive.drop_duplicates("ts_ms", keep="last")
    own, naive = (part[part["ts_ms"].isin(other["ts_ms"])].sort_values("ts_ms")
                  for part, other in ((own, naive), (naive, own)))  # fmt: skip
    beside, plain = _beside(kind, timeframe, head, (own, naive), seed)
    return {**found, **beside, "naive": plain}


def _said(rows: pd.DataFrame, symbol: str) -> pd.DataFrame:
    return rows[rows["symbol"] == symbol]


def _beside(
    kind: str,
    timeframe: str,
    head: Mapping[str, Any],
    pair: tuple[pd.DataFrame, pd.DataFrame],
    seed: int,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the verdict on the first of two against the second, and the second's own figures."""
    task, unknown = TASKS[kind], dict.fromkeys(_BESIDE, float("nan"))
    if not len(pair[0]):
        return unknown, {}
    (panel, raw), (_, plain) = (outcomes_and_raw(kind, timeframe, rows) for rows in pair)
    losses = [row_losses(task, head, said, panel) for said in (raw, plain)]
    try:
        verdict: Verdict = judge(
            panel.ts, panel.symbol, losses[0], losses[1], task.horizon_bars(timeframe), seed
        )
    except TooFewOutcomes:
        return unknown, metrics(task, head, plain, panel)
    figures = asdict(verdict)
    return {name: figures[name] for name in _BESIDE}, metrics(task, head, plain, panel)


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
