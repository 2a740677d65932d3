"""`tidewheel backtest` at a terminal: what it prints, leaves and refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestration.service import resources
from orchestration.settings import load_settings
from serving import cli

RULE = """
from strategies.base_strategy import BaseStrategy, Signal

class Turns(BaseStrategy):
    name = "turns"

    def __init__(self, every=24):
        self.every = every

    def detect(self, symbol, price, volume, ts_ms, df, fm):
        turn, left = divmod(ts_ms // 300_000, self.every)
        return None if left else Signal(symbol, "LONG" if turn % 2 else "SHORT", self.name, 0.5)
"""
DAYS = ("--from", "2025-05-20", "--to", "2025-05-22", "--timeframe", "5m", "--symbols", "BTC-USDT")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TIDEWHEEL_CONFIG", raising=False)
    monkeypatch.setenv("TIDEWHEEL_SOURCE", "simulated:seed=7")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    resources.forget()
    (tmp_path / "rule.py").write_text(RULE)
    return tmp_path / "home"


def call(monkeypatch: pytest.MonkeyPatch, home: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tidewheel", *arguments, "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_table_says_simulated_and_where_the_report_lies(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = home.parent / "own.html"
    assert call(monkeypatch, home, "backtest", "rule.py", *DAYS, "--html", str(own)) == 0
    out = capsys.readouterr().out
    (report,) = home.glob("backtests/turns-*/report.html")
    assert "SIMULATED market" in out
    assert "Gross edge a round trip" in out
    assert "1 idea was tried" in out
    assert str(report) in out.replace("\n", "")
    assert report.read_text() == own.read_text()
    assert "SIMULATED" in own.read_text()


def test_json_and_the_list_of_trials_tell_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for every in ("24", "30"):
        asked = ("backtest", "rule.py", "--set", f"every={every}", *DAYS, "--once", "--json")
        assert call(monkeypatch, home, *asked) == 0
        told = json.loads(capsys.readouterr().out)
    assert told["simulated"] is True
    assert told["trial"]["of"] == told["performance"]["trials"] == 2
    assert told["parameters"] == {"every": 30}
    assert call(monkeypatch, home, "trials", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [trial["facts"]["parameters"]["every"] for trial in listed] == [24, 30]
    assert listed[1]["figures"]["total_return"] == told["performance"]["total_return"]
    assert call(monkeypatch, home, "trials") == 0
    assert "every=30" in capsys.readouterr().out


def test_mlflow_has_one_run_for_each_backtest(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = []
    for fee in ("5", "5", "1"):
        asked = ("backtest", "rule.py", *DAYS, "--fee-bps", fee, "--once", "--mlflow", "--json")
        assert call(monkeypatch, home, *asked) == 0
        told = json.loads(capsys.readouterr().out)
        runs.append(told["mlflow_run"])
    assert runs[0] == runs[1] != runs[2]
    client = MlflowClient(load_settings(home=home).tracking_uri)
    kept = client.get_run(runs[2])
    assert kept.info.status == "FINISHED"
    assert kept.data.params["costs.fee_bps"] == "1.0"
    assert kept.data.tags["simulated"] == "true"
    total = told["performance"]["total_return"]
    assert kept.data.metrics["performance.total_return"] == pytest.approx(total)
    assert "report.html" in {file.path for file in client.list_artifacts(runs[2])}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "no strategy 'nothing'"),
        (("rule.py", "--set", "evry=3"), "it takes every"),
        (("rule.py", "--replay", "none"), "no replay 'none'"),
        (("rule.py", "--fee-bps", "-1"), "fee_bps is -1"),
        (("rule.py", "--to", "2025-05-20"), "no two bars"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: tuple[str, ...],
    said: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, home, "backtest", arguments[0], *DAYS, *arguments[1:]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_a_strategy_that_fails_is_named_with_its_bar(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = RULE.replace("divmod(ts_ms // 300_000, self.every)", "1 / 0, 0")
    (home.parent / "rule.py").write_text(broken)
    assert call(monkeypatch, home, "backtest", "rule.py", *DAYS) == 1
    assert "turns failed on the bar of BTC-USDT" in capsys.readouterr().err
    assert not list(home.glob("backtests/*"))
