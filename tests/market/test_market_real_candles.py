"""Real candles pass the same checks as made-up ones; skipped where the folder is not there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from market.fetch import update
from market.files import FilesSource
from market.resample import resample
from market.store import CandleStore

FOLDER = Path(
    os.environ.get("TIDEWHEEL_REAL_CANDLES")
    or Path(__file__).resolve().parents[2].parent / "shared" / "data"
)
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no real candles here; set TIDEWHEEL_REAL_CANDLES to their folder"
)


@pytest.mark.parametrize("symbol", ["BTC-USDT", "ETH-USDT", "XRP-USDT"])
def test_two_weeks_of_minutes_are_clean(tmp_path, symbol):
    source = FilesSource(FOLDER)
    store = CandleStore(tmp_path, source.name)
    result = update(source, store, symbol, "1m", "2025-05-14T00:00Z", "2025-05-28T00:00Z")
    assert result.rows == result.rows_new == 14 * 1440
    assert result.report.clean
    hours = resample(store.read(symbol, "1m"), "1m", "1h")
    assert len(hours) == 14 * 24
    np.testing.assert_array_equal(hours.close, store.read(symbol, "1m").close.iloc[59::60])
