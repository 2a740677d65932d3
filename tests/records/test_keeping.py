"""What leaves the ledger: pruned by policy, exported to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from market.timeframes import DAY_MS
from orchestration.service import keeping
from orchestration.service.errors import NoLedger
from orchestration.service.keeping import export_ledger, keep_days, ledger_status, prune_ledger
from orchestration.service.resources import store_of
from orchestration.settings import Settings, SettingsError, load_settings

DIRECTION, VOLATILITY = "majors/direction/1m", "majors/volatility/1m"
START = "2025-05-20T22:00:00Z"
START_MS = int(pd.Timestamp(START).timestamp() * 1000)
MINUTE = 60_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home whose ledger spans midnight twice, in two slots."""
    found = load_settings(home=tmp_path / "home")
    store = store_of(found)
    rng = np.random.default_rng(1)
    ts = START_MS + np.arange(0, 30 * 60, 7) * MINUTE
    for slot, width in ((DIRECTION, 1), (VOLATILITY, 2)):
        for version in ("v1", "v2"):
            store.register_model(slot, version, simulated=True)
            for symbol in ("BTC-USDT", "ETH-USDT"):
                raw = rng.normal(size=(len(ts), width)).tolist()
                frame = pd.DataFrame({"symbol": symbol, "ts_ms": ts, "raw": raw})
                store.add_predictions(slot, version, "champion", frame, made_ms=5)
        came = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": ts[:-9]})
        came["outcome"] = [[np.nan] * width, *rng.normal(size=(len(came) - 1, width)).tolist()]
        store.add_outcomes(slot, came)
    return found


def as_ledger(path: Path, slot: str) -> pd.DataFrame:
    """Return an export as `Store.ledger` returns its rows."""
    table = pq.read_table(path).to_pandas()
    own = table[table["slot"] == slot].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "symbol": own["symbol"].astype("str"),
            "ts_ms": own["bar"].astype("int64"),
            "version": own["version"].astype("str"),
            "role": own["role"].astype("str"),
            "made_ms": own["made"].astype("int64"),
            "resolved": own["resolved"],
        }
    )
    names = [name for name in own if name.startswith(("raw_", "outcome_"))]
    return pd.concat([frame, own[names].dropna(axis=1, how="all")], axis=1)


@pytest.mark.parametrize("slot", [DIRECTION, VOLATILITY])
def test_an_export_equals_the_ledger(settings: Settings, tmp_path: Path, slot: str) -> None:
    found = export_ledger(settings, tmp_path / "out" / "all.parquet")
    assert found["rows"] == 2 * 2 * 2 * 258
    wanted = store_of(settings).ledger(slot)
    pd.testing.assert_frame_equal(as_ledger(tmp_path / "out" / "all.parquet", slot), wanted)
    folder = export_ledger(settings, tmp_path / "folder")
    name = f"{slot.replace('/', '_')}.parquet"
    assert str(tmp_path / "folder" / name) in folder["files"]
    pd.testing.assert_frame_equal(as_ledger(tmp_path / "folder" / name, slot), wanted)


def test_a_window_of_an_export_is_half_open(settings: Settings, tmp_path: Path) -> None:
    since, until = "2025-05-20T23:00:00Z", "2025-05-21T01:00:00Z"
    path = tmp_path / "part.parquet"
    export_ledger(settings, path, slot=DIRECTION, since=since, until=until)
    edges = (START_MS + 60 * MINUTE, START_MS + 180 * MINUTE)
    wanted = store_of(settings).ledger(DIRECTION, None, *edges)
    pd.testing.assert_frame_equal(as_ledger(path, DIRECTION), wanted)
    assert pq.ParquetFile(path).num_row_groups == 2  # a day at a time
    with pytest.raises(NoLedger, match="of majors/risk/1m in the ledger"):
        export_ledger(settings, path, slot="majors/risk/1m")
    with pytest.raises(NoLedger, match="in that time"):
        export_ledger(settings, path, until="2020-01-01T00:00:00Z")


def test_an_export_that_fails_leaves_the_file_that_was_there(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "all.parquet"
    export_ledger(settings, path)
    before = path.read_bytes()
    calls = iter([keeping._table])

    def table(*arguments: object) -> object:
        return next(calls)(*arguments)  # the second day is one too many

    monkeypatch.setattr(keeping, "_table", table)
    with pytest.raises((StopIteration, RuntimeError)):
        export_ledger(settings, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")] == []


def test_what_is_old_is_pruned_and_what_waits_stays(settings: Settings) -> None:
    store = store_of(settings)
    whole = store.ledger(DIRECTION)
    at = START_MS + 400 * DAY_MS + 90 * MINUTE
    found = prune_ledger(settings, at)
    gone = whole["resolved"] & (whole["ts_ms"] < START_MS + 90 * MINUTE)
    assert gone.any()
    assert found["keep_days"] == 400
    assert found["deleted"] == 2 * gone.sum()
    left = store.ledger(DIRECTION)
    pd.testing.assert_frame_equal(left, whole[~gone].reset_index(drop=True))
    prune_ledger(settings, at + 10_000 * DAY_MS)
    assert not store.ledger(DIRECTION)["resolved"].any()
    assert len(store.ledger(DIRECTION)) == (~whole["resolved"]).sum()


def test_no_window_of_a_verdict_is_pruned(settings: Settings) -> None:
    wide = load_settings(home=settings.home, ledger_keep_days=60, gates={"window_days": 90})
    assert prune_ledger(wide, START_MS + 89 * DAY_MS)["deleted"] == 0
    assert prune_ledger(wide, START_MS + 95 * DAY_MS)["deleted"] > 0
    patient = load_settings(
        home=settings.home,
        ledger_keep_days=60,
        drift={"fade_long_days": 80, "reference_days": 15},
    )
    assert keep_days(patient) == 96
    with pytest.raises(SettingsError, match="ledger_keep_days"):
        load_settings(home=settings.home, ledger_keep_days=30)


def test_the_status_says_what_is_simulated(settings: Settings) -> None:
    rows = ledger_status(settings, DIRECTION)
    assert [row["version"] for row in rows] == ["v1", "v2"]
    assert {(row["rows"], row["resolved"], row["simulated"]) for row in rows} == {(516, 249, True)}
    assert rows[0]["first"] == "2025-05-20T22:00:00+00:00"
    assert rows[0]["rows_per_day"] == pytest.approx(516 / ((257 * 7 + 1) / 1440), abs=0.1)
