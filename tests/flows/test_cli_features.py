"""`tidewheel features`: the catalogue listed, one feature shown, and what is unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from features import own
from features.catalogue import FEATURES
from features.description import describe, listing
from features.model_set import MODEL_SET
from serving import features
from tests.flows.processes import ROOT, environment, run
from tests.flows.test_cli import call


def asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """Return what `tidewheel features …` prints on stdout."""
    assert call(monkeypatch, "features", *arguments) == 0
    return capsys.readouterr().out


def test_the_list_has_one_line_a_feature_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = asked(monkeypatch, capsys, "list").splitlines()
    assert lines[0].split() == [str(len(FEATURES)), "features"]
    rows = {line.split()[0]: line for line in lines if line.split()}
    assert set(FEATURES) <= set(rows)
    assert rows["atr_14"].strip().split(maxsplit=5) == [
        "atr_14", "volatility", "price", "14", "294", "Wilder's average true range over 14 bars",
    ]  # fmt: skip
    assert rows["adx_14"].split()[2:6] == ["–", "27", "1,147", "yes"]


def test_filters_leave_what_they_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def names(*arguments: str) -> list[str]:
        return [one["name"] for one in json.loads(asked(monkeypatch, capsys, "list", *arguments))]

    assert names("--json", "--unit", "volume") == ["volume", "volume_sma_20"]
    assert tuple(names("--json", "--model-set")) == MODEL_SET
    momentum = names("--json", "--group", "momentum")
    assert momentum == [name for name in FEATURES if FEATURES[name].group == "momentum"]
    free = names("--json", "--unit", "scale-free", "--group", "volume")
    assert "volume_ratio_20" in free
    assert "vwap" not in free


def test_one_feature_is_told_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = asked(monkeypatch, capsys, "show", "atr_14", "--timeframe", "5m")
    for line in (
        "atr_14: Wilder's average true range over 14 bars",
        "  definition  rma(true_range, 14)",
        "true_range = larger(larger(hl_range, magnitude(high - lag(close, 1)))",
        "  twin        natr_14, what models read instead",
        "  reads       high, low, close",
        "  settles in  294 bars of 5m, 1 d 1 h",
        f"  hash        {FEATURES['atr_14'].expression.digest}",
    ):
        assert line in text


def test_families_aliases_and_equal_definitions() -> None:
    family = describe("sma_37")
    assert (family.family, family.twin, family.lookback) == ("sma_{n}", "close_to_sma_37", 36)
    alias = describe("returns")
    assert (alias.alias_of, alias.in_model_set, alias.hash) == (
        "return_1", True, describe("return_1").hash,
    )  # fmt: skip
    assert describe("bb_middle_20").same_as == "sma_20"
    assert describe("tod_sin").inputs == ("timestamp",)
    assert describe("vwap").inputs == ("timestamp", "high", "low", "close", "volume")
    assert describe("vwap", "5m").settle_time == "1 d"


def test_features_of_ones_own_are_listed_and_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from features.inputs import c\n"
        "from features.language import ema\n"
        "from features.own import add\n"
        "add('ema_gap', ema(c, 9) / ema(c, 21) - 1, 'Fast average relative to the slow one')\n"
    )
    more = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "TIDEWHEEL_FEATURES": "mine"}
    env = environment(tmp_path) | more
    shown = run("features", "show", "ema_gap", "--json", env=env, cwd=tmp_path)
    assert json.loads(shown.stdout)["definition"] == "ema(close, 9) / ema(close, 21) - 1", shown
    listed = run("features", "list", "--group", "own", "--json", env=env, cwd=tmp_path)
    assert [one["name"] for one in json.loads(listed.stdout)] == ["ema_gap"]


def test_settling_is_told_in_time() -> None:
    times = {one.name: one.settle_time for one in listing("1m")}
    assert times["close"] == "0"
    assert times["rsi_14"] == "9 h 34 min"
    assert times["pivot_dist"] == "2 d"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "macd_hist"], "did you mean macd_hist"),
        (["show", "volatility_1"], "variance over 1 bars: it needs at least 2"),
        (["show", "rsi_14", "--timeframe", "7m"], "7m"),
        (["list", "--group", "moods"], "choose from price, trend"),
        (["list", "--unit", "USDT"], "choose from price, –, volume"),
    ],
)
def test_what_is_unknown_is_one_sentence_and_status_2(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "features", *arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_the_list_is_readable_in_eighty_columns() -> None:
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(features.listed(listing()))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    found: dict[str, Any] = {line.split()[0]: line for line in lines if line.split()}
    assert set(FEATURES) <= set(found)


def test_listing_imports_no_trainer(tmp_path: Path) -> None:
    env = environment(tmp_path) | {"PYTHONPROFILEIMPORTTIME": "1"}
    shown = run("features", "list", "--json", env=env, cwd=tmp_path)
    assert len(json.loads(shown.stdout)) == len(FEATURES)
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert "features.catalogue" in imported
    assert not {"torch", "prefect", "mlflow", "xgboost", "sklearn", "onnxruntime"} & imported


def test_a_refused_feature_of_ones_own_has_a_row_that_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    own.add("since_start", lambda k: k["close"] / k["close"].iloc[0], "x", window=9)
    try:
        (row,) = [s for s in asked(monkeypatch, capsys, "list").splitlines() if "since_start" in s]
        assert row.split(maxsplit=3)[:3] == ["since_start", "own", "refused"]
        assert "refused: since_start: the value at bar" in row
        (one,) = json.loads(asked(monkeypatch, capsys, "list", "--json", "--unit", "refused"))
        assert (one["name"], one["lookback"]) == ("since_start", None)
        assert call(monkeypatch, "features", "show", "since_start") == 1
        assert "never forgets where history starts" in capsys.readouterr().err
    finally:
        own.remove("since_start")
