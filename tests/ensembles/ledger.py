"""Simulated ledgers: members that know something of what comes, each with errors of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.panel import Panel
from ml_pipeline.scoring import row_losses
from ml_pipeline.tasks import TASKS
from orchestration.ensembles import Evidence

Floats = NDArray[np.float64]

STEP = 300_000
START = 1_747_699_200_000  # 2025-05-20
SYMBOLS = 3


def evidence(kind: str, labels: Floats, raws: Sequence[Floats], base: Floats) -> Evidence:
    """Return rows of three symbols on 5m bars: labels [n, L], outputs [n, K], baseline's [n, K]."""
    n = len(labels)
    ts = START + STEP * (np.arange(n) // SYMBOLS)
    names = TASKS[kind].target
    rows = Panel(
        timeframe="5m",
        symbols=("",),
        names=(),
        ts=np.zeros(n, dtype=np.int64),
        symbol=np.zeros(n, dtype=np.int16),
        X=np.empty((n, 0), dtype=np.float32),
        close=np.ones(n),
        labels={name: labels[:, k] for k, name in enumerate(names)},
    )
    loss = row_losses(TASKS[kind], {}, base, rows)
    members = tuple(f"m{k}" for k in range(len(raws)))
    return Evidence(kind, "5m", members, ts, np.stack(raws), loss, rows, {})


def coin(
    knows: Sequence[float], days: float = 20, seed: int = 0, errors: Sequence[float] = ()
) -> Evidence:
    """Return a ledger of direction: the truth is a log-odds, of which member k knows a share.

    Each member is calibrated by itself: it shrinks what it sees by its own error.

    Parameters
    ----------
    knows
        Share of the true log-odds that each member sees; 0 sees only its own error.
    errors
        Spread of each member's own error in log-odds; 0.05 unless told.
    """
    rng = np.random.default_rng(seed)
    n = int(days * 288) * SYMBOLS
    truth = rng.normal(0, 0.4, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(np.float64)
    spread = [*errors] or [0.05] * len(knows)
    said = [
        1 / (1 + np.exp(-_shrunk(a, s) * (a * truth + rng.normal(0, s, n))))[:, None]
        for a, s in zip(knows, spread, strict=True)
    ]
    return evidence("direction", y[:, None], said, np.full((n, 1), 0.5))


def _shrunk(knows: float, error: float) -> float:
    """Return the slope of the true log-odds on what a member sees; noise alone is believed."""
    return knows * 0.16 / (knows**2 * 0.16 + error**2) if knows else 1.0


def calm(
    errors: Sequence[float], bias: Sequence[float], days: float = 20, seed: int = 0
) -> Evidence:
    """Return a ledger of volatility: log variances with errors of their own and a bias."""
    rng = np.random.default_rng(seed)
    n = int(days * 288) * SYMBOLS
    truth = -12 + rng.normal(0, 0.7, (n, 1)) + np.zeros((1, 2))
    labels = np.exp(truth + rng.normal(0, 0.3, (n, 2)))
    said = [truth + b + rng.normal(0, e, (n, 1)) for e, b in zip(errors, bias, strict=True)]
    return evidence("volatility", labels, said, np.full((n, 2), -11.7))


def in_turn(seed: int = 0) -> Evidence:
    """Return a ledger of direction in four regimes, in each of which one of two members sees."""
    one, other = (coin([1, 0], errors=errors, seed=seed) for errors in ((0.1, 0.6), (0.1, 0.6)))
    regime = np.random.default_rng(seed + 1).integers(0, 4, len(one.ts))
    raw = np.where((regime % 2 == 0)[None, :, None], one.raw, other.raw[::-1])
    return replace(one, raw=raw, regime=regime)
