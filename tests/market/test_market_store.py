"""The candle store: idempotent, first come first kept, and never half a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from market.errors import BadCandles, BadSymbol, StoreCorrupt, StoreError, StoreLocked
from market.simulated import SimulatedSource
from market.store import CandleStore, Merged


@pytest.fixture(scope="module")
def day() -> pd.DataFrame:
    return SimulatedSource().fetch("BTC-USDT", "1m", "2025-05-28T00:00Z", "2025-05-29T00:00Z")


@pytest.fixture
def store(tmp_path) -> CandleStore:
    return CandleStore(tmp_path / "candles", "simulated-seed7")


def test_what_goes_in_comes_out(store, day):
    assert store.append("BTC-USDT", "1m", day) == 1440
    pd.testing.assert_frame_equal(store.read("btc/usdt", "1min"), day, check_exact=True)
    assert store.span("BTC-USDT", "1m") == (day.index[0], day.index[-1])
    assert store.path("BTC_USDT", "60s").relative_to(store.folder) == Path("BTC-USDT/1m.parquet")


def test_appending_twice_changes_nothing(store, day):
    store.append("BTC-USDT", "1m", day)
    before = store.path("BTC-USDT", "1m").stat()
    assert store.merge("BTC-USDT", "1m", day) == Merged(rows_new=0, conflicts=0)
    assert store.path("BTC-USDT", "1m").stat().st_ino == before.st_ino


def test_pieces_in_any_order_make_the_same_file(store, day):
    order = np.random.default_rng(0).permutation(12)
    for i in order:
        store.append("BTC-USDT", "1m", day.iloc[max(0, 120 * i - 30) : 120 * i + 120])
    pd.testing.assert_frame_equal(store.read("BTC-USDT", "1m"), day, check_exact=True)


def test_a_bar_that_comes_again_with_other_values_is_a_conflict_and_the_first_stays(store, day):
    store.append("BTC-USDT", "1m", day.iloc[:100])
    changed = day.copy()
    changed.iloc[[3, 50, 120], 4] += 1.0
    assert store.merge("BTC-USDT", "1m", changed) == Merged(rows_new=1340, conflicts=2)
    stored = store.read("BTC-USDT", "1m")
    assert stored.volume.iloc[3] == day.volume.iloc[3]
    assert stored.volume.iloc[120] == day.volume.iloc[120] + 1.0


def test_windows_are_half_open(store, day):
    store.append("BTC-USDT", "1m", day)
    got = store.read("BTC-USDT", "1m", "2025-05-28T10:00Z", "2025-05-28T11:00Z")
    pd.testing.assert_frame_equal(got, day.iloc[600:660], check_exact=True)
    assert len(store.read("BTC-USDT", "1m", start="2025-05-28T23:00Z")) == 60
    assert len(store.read("BTC-USDT", "1m", end="2025-05-28T01:00Z")) == 60
    assert store.read("BTC-USDT", "1m", "2026-01-01T00:00Z").empty


def test_what_was_never_stored_is_empty(store, day):
    assert store.read("ETH-USDT", "1m").empty
    assert store.span("ETH-USDT", "1m") is None
    assert store.append("ETH-USDT", "1m", day.iloc[:0]) == 0
    assert not store.path("ETH-USDT", "1m").exists()


def test_unrepaired_candles_are_refused(store, day):
    for broken in (day.iloc[::-1], day.assign(close=np.nan), day.reset_index()):
        with pytest.raises(BadCandles):
            store.append("BTC-USDT", "1m", broken)
    assert store.read("BTC-USDT", "1m").empty


def test_sources_symbols_and_timeframes_do_not_mix(tmp_path, day):
    one, two = CandleStore(tmp_path, "files-a"), CandleStore(tmp_path, "files-b")
    one.append("BTC-USDT", "1m", day)
    assert two.read("BTC-USDT", "1m").empty
    assert one.read("BTC-USDT", "5m").empty


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_a_source_name_cannot_leave_its_folder(tmp_path, name):
    with pytest.raises(StoreError, match="cannot name a folder"):
        CandleStore(tmp_path, name)


def test_a_symbol_cannot_leave_its_folder(store):
    with pytest.raises(BadSymbol):
        store.read("../../BTC-USDT", "1m")


def test_a_damaged_file_is_named_with_the_remedy(store, day):
    store.append("BTC-USDT", "1m", day)
    path = store.path("BTC-USDT", "1m")
    path.write_bytes(path.read_bytes()[:-100])
    for action in (
        lambda: store.read("BTC-USDT", "1m"),
        lambda: store.append("BTC-USDT", "1m", day),
    ):
        with pytest.raises(StoreCorrupt, match="delete it and its candles are fetched again"):
            action()


def test_a_writer_waits_for_another_one_and_says_so(tmp_path, day):
    store = CandleStore(tmp_path, "files-a", lock_timeout_s=0.1)
    store.append("BTC-USDT", "1m", day.iloc[:10])
    with FileLock(f"{store.path('BTC-USDT', '1m')}.lock"):
        with pytest.raises(StoreLocked, match=r"for 0\.1 s"):
            store.append("BTC-USDT", "1m", day)
        assert len(store.read("BTC-USDT", "1m")) == 10  # readers need no lock


def test_writers_at_once_lose_nothing(store, day):
    pieces = [day.iloc[i : i + 60] for i in range(0, 1440, 60)]
    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda piece: store.append("BTC-USDT", "1m", piece), pieces))
    assert new == [60] * 24
    pd.testing.assert_frame_equal(store.read("BTC-USDT", "1m"), day, check_exact=True)


def test_a_write_that_breaks_half_way_is_never_seen(store, day, monkeypatch):
    store.append("BTC-USDT", "1m", day.iloc[:700])
    whole_write = pq.write_table

    def half_a_write(table, file, **options):
        file.write(b"PAR1 half of a file")
        file.flush()
        assert len(store.read("BTC-USDT", "1m")) == 700  # a reader in the middle of it
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", half_a_write)
    with pytest.raises(OSError, match="disk full"):
        store.append("BTC-USDT", "1m", day)
    assert len(store.read("BTC-USDT", "1m")) == 700
    monkeypatch.setattr(pq, "write_table", whole_write)
    assert store.append("BTC-USDT", "1m", day) == 740
    pd.testing.assert_frame_equal(store.read("BTC-USDT", "1m"), day, check_exact=True)


WRITER = """
import sys
from market.simulated import SimulatedSource
from market.store import CandleStore
day = SimulatedSource().fetch("BTC-USDT", "1m", "2025-05-28T00:00Z", "2025-05-29T00:00Z")
store = CandleStore(sys.argv[1], "simulated-seed7")
print("go", flush=True)
for i in range(0, 1440, 2):
    store.append("BTC-USDT", "1m", day.iloc[i : i + 2])
"""


def test_killed_at_any_moment_the_file_is_whole_and_the_next_writer_goes_on(tmp_path, day):
    store = CandleStore(tmp_path, "simulated-seed7", lock_timeout_s=5)
    seen = 0
    for pause in (0.02, 0.15, 0.33):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"go\n"
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        stored = store.read("BTC-USDT", "1m")
        assert len(stored) >= seen
        seen = len(stored)
        pd.testing.assert_frame_equal(stored, day.iloc[:seen], check_exact=True)
    assert 0 < seen < 1440
    assert store.append("BTC-USDT", "1m", day) == 1440 - seen
    names = sorted(p.name for p in store.path("BTC-USDT", "1m").parent.iterdir())
    assert names == ["1m.parquet", "1m.parquet.lock"]
