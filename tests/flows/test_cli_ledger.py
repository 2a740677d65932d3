"""`tidewheel ledger` and `tidewheel predict`: tables, JSON and exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from orchestration.service.resources import store_of
from orchestration.settings import load_settings
from tests.flows.test_cli import call

SLOT = "majors/direction/1m"
BAR = 1_748_390_400_000


@pytest.fixture
def home(tmp_path: Path) -> str:
    store = store_of(load_settings(home=tmp_path / "home"))
    store.register_model(SLOT, "v1", simulated=True)
    ts = [BAR + k * 60_000 for k in range(2000)]
    bars = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": ts})
    store.add_predictions(SLOT, "v1", "champion", bars.assign(raw_0=0.5), made_ms=BAR)
    store.add_outcomes(SLOT, bars[:1990].assign(outcome_0=1.0))
    return str(tmp_path / "home")


def test_the_ledger_at_a_glance(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert call(monkeypatch, "ledger", "status", "--home", home) == 0
    said = capsys.readouterr().out
    assert "SIMULATED market" in said
    for word in ("v1", "champion", "2,000", "1,990", "2025-05-28", "2025-05-29 09:19"):
        assert word in said
    assert call(monkeypatch, "ledger", "status", "--json", "--home", home) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["rows"], row["resolved"], row["simulated"]) == (2000, 1990, True)


@pytest.mark.parametrize("command", ["ledger status", "decisions", "drift"])
def test_an_unknown_slot_is_not_taken_for_an_empty_home(
    home: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*command.split(), "--slot", "majors/risk/1m", "--home", home]
    assert call(monkeypatch, *asked) == 0
    assert f"nothing of majors/risk/1m; there is {SLOT}" in capsys.readouterr().out
    assert call(monkeypatch, *asked, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_long_ledger_is_told_in_part_and_fits_a_small_terminal(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_of(load_settings(home=home))
    bars = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": [BAR], "raw_0": 0.5})
    for hour in range(24):
        version = f"2025-05-29T{hour:02}00Z_1m_logistic-30d"
        store.register_model(SLOT, version, simulated=True)
        store.add_predictions(SLOT, version, "backfill", bars, made_ms=BAR)
    asked = ["ledger", "status", "--home", home]
    monkeypatch.setenv("COLUMNS", "80")
    assert call(monkeypatch, *asked) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert all(word in said for word in ("rows/day", "T2300Z", "T0500Z", "2,024 rows"))
    assert "T0400Z" not in said
    assert "5 older lines are not shown; --limit shows more" in " ".join(said.split())
    assert call(monkeypatch, *asked, "--limit", "1") == 0
    assert "T2200Z" not in capsys.readouterr().out
    assert call(monkeypatch, *asked, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 25
    assert call(monkeypatch, *asked, "--json", "--limit", "2") == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_an_export_names_its_files(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all.parquet"
    asked = ["ledger", "export", "--out", str(out), "--home", home]
    assert call(monkeypatch, *asked, "--since", "2025-05-29") == 0
    assert "560 rows" in capsys.readouterr().out
    assert len(pd.read_parquet(out)) == 560
    assert call(monkeypatch, *asked, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 2000, "files": {str(out): 2000}}
    assert call(monkeypatch, *asked, "--until", "2020-01-01") == 1
    assert "no rows in that time" in capsys.readouterr().err


def test_who_looks_makes_no_home_beside_a_database_elsewhere(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEWHEEL_DATABASE_URL", f"sqlite:///{home}/tidewheel.db")
    asked = ["ledger", "status", "--json", "--home", str(tmp_path / "none")]
    assert call(monkeypatch, *asked) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] == 2000
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["taken/a.parquet", "taken"])
def test_an_export_to_where_nothing_can_be_written_is_refused(
    home: str,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "taken").write_text("a file")
    asked = ["ledger", "export", "--out", str(tmp_path / name), "--home", home]
    assert call(monkeypatch, *asked) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "a file"


def test_pruning_says_what_went(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["ledger", "prune", "--home", home]
    assert call(monkeypatch, *asked, "--now", "2025-06-28T00:00:00Z") == 0
    assert "0 rows of bars before 2024-05-24" in capsys.readouterr().out
    assert call(monkeypatch, *asked, "--now", "2026-07-02T12:00:00Z", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["deleted"] == 720 == 2000 - 1280
    assert found["keep_days"] == 400


def test_predicting_before_the_first_turn_says_so(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "predict", "--home", home, "--timeframe", "5m", "--kinds", "risk") == 0
    assert "nothing serves yet in majors/risk/5m; run a turn" in capsys.readouterr().out
    assert call(monkeypatch, "predict", "--home", home, "--kinds", "mood") == 2
    assert call(monkeypatch, "predict", "--home", f"{home}-none") == 2
