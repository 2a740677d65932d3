"""Verdicts look only at rows that nobody in them was fitted on, and at sound output."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ml_pipeline.errors import TooFewOutcomes
from ml_pipeline.fit import Fitted
from ml_pipeline.panel import Panel
from models.common.slot import Slot
from orchestration.service import judging
from orchestration.service.arena import Arena, Entrant, _integrity, against
from orchestration.service.judging import contender
from orchestration.service.refs import TurnRef
from orchestration.settings import load_settings

MINUTE = 60_000
BARS = 2000


def arena() -> Arena:
    rng = np.random.default_rng(3)
    up = rng.integers(0, 2, BARS).astype(np.float64)
    ts = np.arange(BARS, dtype=np.int64) * MINUTE
    rows = Panel(
        timeframe="1m",
        symbols=("A",),
        names=(),
        ts=ts,
        symbol=np.zeros(BARS, dtype=np.int16),
        X=np.empty((BARS, 0), dtype=np.float32),
        close=np.ones(BARS),
        labels={"direction": up},
    )
    return Arena(Slot("majors", "direction", "1m"), rows, 5, 0, BARS * MINUTE, {}, 0)


def entrant(where: Arena, version: str, p_right: float, unseen_from_bar: int = 0) -> Entrant:
    up = where.rows.labels["direction"]
    made = Entrant(version, version, version == "base", "candidate")
    made.raw = np.where(up > 0.5, p_right, 1 - p_right)[:, None]
    made.unseen_from_ms = unseen_from_bar * MINUTE
    made.loss = where.loss_of(made)
    return made


def test_rows_that_either_was_fitted_on_are_left_out() -> None:
    where = arena()
    base, old = entrant(where, "base", 0.5), entrant(where, "old", 0.6, unseen_from_bar=1500)
    assert against(where, old, base)["n"] == 500
    assert against(where, base, old)["n"] == 500
    fresh = entrant(where, "fresh", 0.7)
    assert against(where, fresh, base)["n"] == BARS
    assert against(where, fresh, old)["z"] > 5
    with pytest.raises(TooFewOutcomes):
        against(where, entrant(where, "late", 0.6, unseen_from_bar=BARS), base)


def test_a_champion_fitted_on_these_very_rows_gets_no_verdict_but_a_reason() -> None:
    where = arena()
    base, seen = entrant(where, "base", 0.5), entrant(where, "seen", 0.9, unseen_from_bar=BARS)
    row = judging._verdict(where, seen, base, None, None)
    assert (row["skill"], row["lower"], row["z"]) == (None, None, None)
    assert "outcome" in row["reason"]
    assert contender(row).figures() == "no verdict"


@pytest.mark.parametrize(
    ("parity", "seen_bar", "raw", "fault"),
    [
        (1e-7, 0, 0.5, None),
        (1e-2, 0, 0.5, "differs from the fit by 1.0e-02"),
        (1e-7, 101, 0.5, "reaches into the holdout"),
        (1e-7, 0, np.nan, "NaN"),
        (1e-7, 0, 1.5, "not in"),
    ],
)
def test_integrity_names_each_fault(
    tmp_path: Path, parity: float, seen_bar: int, raw: float, fault: str | None
) -> None:
    settings = load_settings(home=tmp_path)
    turn = TurnRef("t", datetime(2025, 5, 20, tzinfo=UTC), "majors", settings)
    fitted = Fitted("direction", "xgboost", False, b"", {}, (), parity, {}, {})
    output = np.full((10, 1), raw)
    faults = _integrity(turn, fitted, output, seen_bar * MINUTE, 100 * MINUTE)
    if fault is None:
        assert faults == ()
    else:
        assert len(faults) == 1
        assert fault in faults[0]
