"""`tidewheel models list`, `compare`, `validate`, `show`: on what two real turns have left."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models.common.slot import Slot
from orchestration.service.listing import find_slot, pick
from orchestration.service.resources import registry_of, tracking_of
from orchestration.store.errors import AmbiguousModel, UnknownModel
from tests.doors.desk import SLOT, Desk, answer, call

BASE, NEWER = "2025-05-20T0000Z_1m", "2025-05-20T1200Z_1m"
Capsys = pytest.CaptureFixture[str]


def test_the_list_says_who_serves_and_how_sure_its_skill_is(desk: Desk, capsys: Capsys) -> None:
    rows = answer(capsys, "models", "list")
    assert [(row["version"], row["role"]) for row in rows] == [
        (f"{NEWER}_baseline", "champion"), (f"{NEWER}_xgboost", "challenger"),
        (f"{BASE}_xgboost", None), (f"{BASE}_baseline", None),
    ]  # fmt: skip
    assert rows[0]["version"] == desk.champion()
    for row in rows:
        assert row["simulated"] is True
        assert row["lower"] <= row["skill"] <= row["upper"]
        assert row["n"] > 1000
        assert 1000 < row["size"] < 1_000_000
    assert call("models", "list") == 0
    text = capsys.readouterr().out
    assert "BTC-USDT+ETH-USDT 1m direction · SIMULATED market" in text
    (line,) = [line for line in text.splitlines() if "●" in line and "Z_1m_" in line]
    assert desk.champion() in line
    assert "…" not in text.replace(" … ", ""), "nothing is cut at a hundred characters"


@pytest.mark.parametrize(
    ("narrowed", "count"),
    [
        (("--kind", "direction_predictor"), 4),
        (("--kind", "price"), 0),
        (("--status", "superseded"), 2),
        (("--scope", "majors"), 0),
        (("--timeframe", "1m"), 4),
    ],
)
def test_the_list_can_be_narrowed(
    desk: Desk, capsys: Capsys, narrowed: tuple[str, ...], count: int
) -> None:
    assert len(answer(capsys, "models", "list", *narrowed)) == count


def test_the_list_can_be_shortened_slot_by_slot(desk: Desk, capsys: Capsys) -> None:
    whole = answer(capsys, "models", "list")
    assert answer(capsys, "models", "list", "--limit", "3") == whole[:3]
    assert answer(capsys, "models", "list", "--limit", "9") == whole
    assert call("models", "list", "--limit", "1") == 0
    text = capsys.readouterr().out
    assert whole[0]["version"] in text
    assert whole[1]["version"] not in text
    assert "3 older versions not shown; --limit shows more" in text
    assert call("models", "list", "--limit", "0") == 2


def test_what_is_printed_as_json_says_that_the_market_is_simulated(
    desk: Desk, capsys: Capsys
) -> None:
    for row in answer(capsys, "leaderboard"):
        assert row["simulated"] is True
    (flag,) = answer(capsys, "models", "flag", SLOT.key, "--reason", "doubts")
    assert (flag["slot"], flag["simulated"]) == (SLOT.key, True)


def test_a_bundle_that_nobody_registered_is_listed_as_such(
    desk: Desk, capsys: Capsys, forget_resources: Callable[[], None]
) -> None:
    forget_resources()
    for left in desk.settings.home.glob("tidewheel.db*"):
        left.unlink()
    statuses = {row["status"] for row in answer(capsys, "models", "list")}
    assert statuses == {"unregistered"}


def test_versions_are_compared_on_the_same_bars(desk: Desk, capsys: Capsys) -> None:
    found = answer(capsys, "models", "compare", "BTCUSDT", "1m", "direction")
    assert found["slot"] == SLOT.key
    by_name = {row["version"]: row for row in found["versions"]}
    assert next(iter(by_name)) == desk.champion()
    both = [by_name[f"{NEWER}_xgboost"], by_name[f"{NEWER}_baseline"]]
    assert all(row["paired"] for row in both)
    assert len({row["base_loss"] for row in both}) == 1, "one baseline, one holdout"
    assert both[0]["metrics"]["accuracy"] > 0
    assert call("models", "compare", "eth/usdt", "1m", "direction") == 0
    text = capsys.readouterr().out
    assert "SIMULATED" in text
    assert "baseline" in text


def test_what_nothing_serves_is_said_with_what_there_is(desk: Desk, capsys: Capsys) -> None:
    assert call("models", "compare", "XRPUSDT", "1m", "direction") == 1
    assert SLOT.key in capsys.readouterr().err
    assert call("models", "compare", "BTCUSDT", "1m", "mood") == 2


def test_a_sound_home_is_validated_with_status_nought(desk: Desk, capsys: Capsys) -> None:
    found = answer(capsys, "models", "validate")
    assert (found["ok"], len(found["sound"]), found["refused"]) == (True, 4, {})


def test_a_damaged_graph_and_a_missing_folder_are_told_and_repaired(
    desk: Desk, capsys: Capsys
) -> None:
    registry = registry_of(desk.settings)
    graph = registry.folder(SLOT, f"{NEWER}_xgboost") / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    shutil.rmtree(registry.folder(SLOT, f"{NEWER}_baseline"))
    found = answer(capsys, "models", "validate", status=1)
    said = " ".join(found["refused"].values())
    assert "model.onnx is damaged" in said
    assert "its folder is missing" in said
    assert "which is not there" in said, "the link of the champion leads nowhere"
    assert call("models", "list") == 0
    assert "missing" in capsys.readouterr().out
    assert answer(capsys, "models", "validate", "--repair")["ok"] is True


def test_one_version_on_a_page(desk: Desk, capsys: Capsys) -> None:
    found = answer(capsys, "models", "show", f"{NEWER}_xg")
    assert found["version"] == f"{NEWER}_xgboost"
    assert found["verdicts"][0]["figures"]["n"] == found["n"]
    assert found["metadata"]["data_hash"]
    assert len(found["features"]) == len(found["feature_hashes"]) > 100
    assert found["card"].startswith(f"# {NEWER}_xgboost")
    share = found["metrics"]["novel_share"]
    assert 0 <= share < 0.2
    assert f"{100 * share:.1f} % of {found['n']:,} unseen rows lay outside" in found["card"]
    (run,) = [r for r in tracking_of(desk.settings).versions(SLOT) if r.version == found["version"]]
    metrics = tracking_of(desk.settings)._client.get_run(run.run_id).data.metrics
    assert metrics["novel_share"] == pytest.approx(share)
    assert found["verdicts"][0]["figures"]["novel_share"] == share
    assert found["status"] != "candidate", "what it is now, not what it was when it was written"
    assert "status" not in found["metadata"]
    champion = answer(capsys, "models", "show", "BTC-USDT+ETH-USDT/direction")
    assert champion["version"] == desk.champion()
    assert call("models", "show", desk.champion()) == 0
    text = capsys.readouterr().out
    assert "SIMULATED market" in text
    assert "## Verdict" in text


def row(slot: str, version: str, *symbols: str, baseline: bool = False) -> dict[str, object]:
    key = f"{slot}/{version}"
    scope, kind, timeframe = slot.split("/")
    return {"key": key, "slot": slot, "scope": scope, "kind": kind, "timeframe": timeframe,
            "version": version, "symbols": symbols, "baseline": baseline}  # fmt: skip


def test_a_symbol_is_served_by_its_own_model_before_a_pooled_one() -> None:
    pooled, own = row("majors/price/1h", "a"), row("BTC-USDT/price/1h", "b")
    assert find_slot([pooled], "btc/usdt", "price", None) == Slot("majors", "price", "1h")
    assert find_slot([pooled, own], "BTCUSDT", "price", None).scope == "BTC-USDT"
    assert find_slot([pooled, own], "BTCUSDT", "price", None, "majors").scope == "majors"
    named = row("alts/price/1h", "c", "SOL-USDT")
    assert find_slot([pooled, named], "SOLUSDT", "price_predictor", "1h").scope == "alts"
    shorter = row("majors/price/1m", "d")
    assert find_slot([pooled, shorter], "BTCUSDT", "price", None, usual="1m").timeframe == "1m"
    with pytest.raises(LookupError, match="say which of 1h, 1m"):
        find_slot([pooled, shorter], "BTCUSDT", "price", None)


def test_the_beginning_of_a_version_is_enough_where_it_fits_one() -> None:
    slot = "majors/price/1h"
    rows = [row(slot, f"2024-03-0{day}T0000Z_1h_{name}", baseline=name == "baseline")
            for day in (1, 2) for name in ("network", "baseline")]  # fmt: skip
    assert pick(rows, "2024-03-01")["version"] == "2024-03-01T0000Z_1h_network"
    assert pick(rows, "2024-03-01T0000Z_1h_b")["baseline"] is True
    assert pick(rows, f"{slot}/2024-03-02")["version"] == "2024-03-02T0000Z_1h_network"
    with pytest.raises(AmbiguousModel, match="could be"):
        pick(rows, "2024-03")
    with pytest.raises(UnknownModel, match="begins with '2023'"):
        pick(rows, "2023")


def test_the_list_is_readable_in_eighty_columns(
    desk: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call("models", "list") == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "_1m_" in line]
    assert rows
    assert max(map(len, rows)) <= 80
    assert all(re.search(r"[+-]\d+\.\d\d … [+-]\d+\.\d\d +[\d,]+ *$", row) for row in rows), rows


def test_compared_in_eighty_columns_every_figure_is_whole(
    desk: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call("models", "compare", "BTCUSDT", "1m", "direction") == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    ranked = said.partition("figures")[0]
    rows = [line for line in ranked.splitlines() if "2025-05-" in line and "judged" not in line]
    whole = r"[+-]\d+\.\d\d … [+-]\d+\.\d\d +[\d,]+ .*\d *$"
    assert rows
    assert all(re.search(whole, row) for row in rows), rows


@pytest.mark.parametrize(
    "asked", [["models", "list"], ["models", "show", "direction"], ["turns"], ["leaderboard"]]
)
def test_looking_into_a_home_that_is_not_there_makes_none(
    asked: list[str], tmp_path: Path, capsys: Capsys
) -> None:
    typo = tmp_path / "typo"
    assert call(*asked, "--home", str(typo)) == 2
    assert "there is no home at" in " ".join(capsys.readouterr().err.split())
    assert not typo.exists()


def test_a_status_that_is_none_is_refused_with_those_there_are(desk: Desk, capsys: Capsys) -> None:
    assert call("models", "list", "--status", "foo") == 2
    assert "champion" in capsys.readouterr().err
