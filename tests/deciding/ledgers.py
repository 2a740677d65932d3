"""Small ledgers written by hand: who said what of which bar, and what came."""

from __future__ import annotations

import pandas as pd

from models.common.slot import Slot
from orchestration.store.store import Store

MINUTE = 60_000
START = pd.Timestamp("2025-05-20", tz="UTC")
START_MS = int(START.timestamp() * 1000)
DIRECTION = Slot("majors", "direction", "1m")
VOLATILITY = Slot("majors", "volatility", "1m")


def say(store: Store, slot: Slot, version: str, role: str, raws: dict, **facts: object) -> None:
    """Register a version and store what it said: raw numbers by (symbol, bar)."""
    store.register_model(slot.key, version, **facts)
    rows = [(s, START_MS + bar * MINUTE, list(raw)) for (s, bar), raw in raws.items()]
    store.add_predictions(
        slot.key, version, role, pd.DataFrame(rows, columns=["symbol", "ts_ms", "raw"])
    )


def came(store: Store, slot: Slot, outcomes: dict) -> None:
    """Store what came of bars, by (symbol, bar)."""
    rows = [(s, START_MS + bar * MINUTE, list(values)) for (s, bar), values in outcomes.items()]
    store.add_outcomes(slot.key, pd.DataFrame(rows, columns=["symbol", "ts_ms", "outcome"]))
