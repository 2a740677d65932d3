"""A small market whose turns compose an ensemble."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from models.common.slot import Slot
from orchestration.settings import Settings

NewSettings = Callable[..., Settings]
FIRST = pd.Timestamp("2025-05-20T00:00Z")
SLOT = Slot("BTC-USDT+ETH-USDT", "direction", "1m")
# A signal that both recipes find, and a ledger of a day and a half that speaks in full.
PLANTED = {
    "source": "simulated:signal=3.0,seed=5",
    "recipes": "logistic,lightgbm",
    "backfill_days": 1.5,
    "pictures": False,
    "gates": {"ledger_days": 1.0, "least_days": 0.5},
}
