"""A whole turn on a small simulated market: what it leaves, and that repeating it is harmless."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from market.errors import SourceTimeout
from market.source import open_source
from market.timeframes import Instant
from ml_pipeline.errors import FitError, RecipeError
from ml_pipeline.fit import Fitted
from ml_pipeline.recipes import Recipe
from models.common.predictor import load_model
from models.common.slot import Slot
from orchestration.drift import DriftVerdict
from orchestration.service import deciding, drift_rows, resources, staging
from orchestration.service.errors import OtherMarket, OtherParameters, TurnFailed, TurnRunning
from orchestration.service.judging import contender
from orchestration.service.refs import Json
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.service.turn import run_turn
from orchestration.service.work import turn_lock
from orchestration.settings import Settings

NOW = "2025-05-20T00:00:00Z"
LATER = "2025-05-20T12:00:00Z"
NewSettings = Callable[..., Settings]


class BrokenSource:
    """The simulated market, except that some symbols never answer."""

    def __init__(self, broken: set[str]) -> None:
        self._market = open_source("simulated:seed=7")
        self.name, self.simulated, self.broken = self._market.name, True, broken

    def fetch(self, symbol: str, timeframe: str, start: Instant, end: Instant) -> pd.DataFrame:
        if symbol in self.broken:
            raise SourceTimeout(f"{symbol}: no answer within 10 s")
        return self._market.fetch(symbol, timeframe, start, end)


def only_slot(report: Json) -> Json:
    (slot,) = report["slots"]
    return slot


def test_a_turn_leaves_one_champion_in_mlflow_store_and_folder(new_settings: NewSettings) -> None:
    settings = new_settings()
    report = run_turn(settings, NOW)
    assert (report["status"], report["changed"], report["failures"]) == ("completed", True, [])
    slot = only_slot(report)
    key = slot["slot"]
    assert report["turn_id"] == "2025-05-20T0000Z_BTC-USDT+ETH-USDT_1m"
    assert slot["action"] == "install"
    assert slot["n"] > 0
    assert slot["champion"] in slot["sentence"]
    assert report["simulated"] is True
    assert report["versions_trained"] == 3
    assert set(report["seconds"]) >= {"fetch", "dataset", "fit", "judge", "decide", "total"}
    json.dumps(report, allow_nan=False)
    # The first turn too judges by the ledger, which begins with the holdout.
    assert {row["recipe"] for row in slot["lines"]} == {"baseline", "logistic", "xgboost"}
    assert all(row["live"] == 0.0 for row in slot["lines"])
    assert 0 < slot["days"] < 2
    assert slot["days_missing"] == pytest.approx(14 - slot["days"], abs=0.01)

    where = Slot.parse(key)
    assert tracking_of(settings).champion(where) == slot["champion"]
    assert registry_of(settings).linked(where) == slot["champion"]
    (champion,) = store_of(settings).list_models(slot_key=key, status="champion")
    assert champion.version == slot["champion"]
    model = load_model(key, home=settings.home)
    assert model.info["version_name"] == slot["champion"]
    verdicts = store_of(settings).list_verdicts(turn_id=report["turn_id"])
    assert {v.version for v in verdicts} == {row["version"] for row in slot["contenders"]}
    assert all(v.figures["holdout"]["openings"] == 1 for v in verdicts if v.against == "baseline")


def test_the_same_moment_again_changes_nothing_and_says_so(new_settings: NewSettings) -> None:
    settings = new_settings()
    first = run_turn(settings, NOW)
    before = snapshot(settings.home)
    again = run_turn(settings, "2025-05-20T00:00:59Z")  # the same bar
    assert again["changed"] is False
    assert "nothing changed" in again["sentence"]
    assert again["slots"] == first["slots"]
    assert snapshot(settings.home) == before


def snapshot(home: Path) -> dict[str, bytes]:
    """Every file that is not a lock or a database's own bookkeeping."""
    skipped = (".lock", "-wal", "-shm")
    files = (path for path in home.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): path.read_bytes() for path in files if not path.name.endswith(skipped)}


def test_other_parameters_are_refused_with_the_difference(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT")
    run_turn(settings, NOW)
    other = new_settings(symbols="BTC-USDT", seed=1, days=4)
    with pytest.raises(OtherParameters, match=r"days: 3\.0 then, 4\.0 now; seed: 0 then, 1 now"):
        run_turn(other, NOW)


def test_simulated_and_real_markets_do_not_meet_in_one_home(new_settings: NewSettings) -> None:
    settings = new_settings()
    slot = "BTC-USDT+ETH-USDT/direction/1m"
    store_of(settings).register_model(slot, "v1", status="champion", simulated=False)
    said = "v1, which learnt on real candles, but .* gives a simulated market; .* another --home"
    with pytest.raises(OtherMarket, match=said):
        run_turn(settings, NOW)
    assert store_of(settings).list_turns() == []


def test_the_next_turn_resolves_predictions_and_goes_on(new_settings: NewSettings) -> None:
    settings = new_settings()
    first = run_turn(settings, NOW)
    (written,) = first["ledger"]
    # Direction looks five bars ahead: of each symbol, five bars of each version are still open.
    # The versions are a baseline and two recipes.
    assert (written["predictions"], written["outcomes"]) == (3 * 2 * 5, 0)
    second = run_turn(settings, LATER)
    (grown,) = second["ledger"]
    assert grown["predictions"] == 3 * 2 * 720
    # Bars that closed until five bars before the turn, each once, whoever predicted it.
    assert grown["outcomes"] == 2 * 720
    slot = only_slot(second)
    assert slot["before"] == only_slot(first)["champion"]
    assert slot["action"] in ("refresh", "keep")
    versions = [m.version for m in store_of(settings).list_models(slot_key=slot["slot"])]
    assert len(versions) == len(set(versions)) == 6
    (drifted,) = second["drift"]
    assert drifted["bars"] > 600
    # Who asks for the champion's last judgement gets its figures beside the decision.
    last = store_of(settings).get_validation_results(f"{slot['slot']}/{slot['champion']}")
    assert (last["against"], last["decision"]) == ("decision", slot["action"])
    assert last["before"] == slot["before"]
    assert last["n"] == slot["holdout"]["n"]
    assert 0 <= last["f1"] <= 1
    overtaken = run_turn(settings, NOW)
    assert overtaken["changed"] is False
    assert "newer turn" in overtaken["sentence"]


def test_the_ledger_holds_what_the_served_bytes_say(new_settings: NewSettings) -> None:
    settings = new_settings()
    champion = only_slot(run_turn(settings, NOW))["champion"]
    slot = only_slot(run_turn(settings, LATER))["slot"]
    ledger = store_of(settings).ledger(slot, version=champion)
    # Its line began with the holdout of its first turn, which is told apart from what was served.
    assert ledger["role"].unique().tolist() == ["backfill", "champion"]
    assert ledger.groupby(["symbol", "ts_ms"]).size().max() == 1
    ledger = ledger[ledger["role"] == "champion"]
    assert np.isfinite(ledger["raw_0"]).all()
    assert ledger.groupby(["symbol", "ts_ms"]).size().max() == 1
    assert (ledger["made_ms"] >= ledger["ts_ms"] + 60_000).all()
    bars = pd.to_datetime(ledger["ts_ms"], unit="ms", utc=True)
    assert bars.max() == pd.Timestamp(LATER) - pd.Timedelta("1min")


# ------------------------------------------------------------------ one failure is one failure


def test_a_symbol_that_does_not_answer_leaves_the_others(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "open_source", lambda spec: BrokenSource({"ETH-USDT"}))
    settings = new_settings()
    report = run_turn(settings, NOW)
    assert report["status"] == "completed with failures"
    (failure,) = report["failures"]
    assert failure == {
        "stage": "fetch",
        "subject": "ETH-USDT",
        "error": "SourceTimeout",
        "message": "ETH-USDT: no answer within 10 s",
    }
    assert report["dataset"]["symbols"] == ["BTC-USDT"]
    assert only_slot(report)["champion"]


def test_a_kind_that_cannot_be_fitted_keeps_its_champion(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(kinds="direction,momentum", symbols="BTC-USDT")
    first = {slot["kind"]: slot for slot in run_turn(settings, NOW)["slots"]}
    sound = staging.fit_baseline

    def refuse(kind: str, *rest: object) -> object:
        if kind == "momentum":
            raise FitError("momentum: 0 known labels in the training slice")
        return sound(kind, *rest)

    monkeypatch.setattr(staging, "fit_baseline", refuse)
    report = run_turn(settings, LATER)
    assert report["status"] == "completed with failures"
    slots = {slot["kind"]: slot for slot in report["slots"]}
    assert slots["momentum"]["champion"] == first["momentum"]["champion"]
    assert slots["momentum"]["action"] == "failed"
    assert "keeps serving; fit: momentum: 0 known labels" in slots["momentum"]["sentence"]
    assert slots["direction"]["action"] in ("refresh", "keep", "promote")
    model = load_model("BTC-USDT/momentum", home=settings.home)
    assert model.info["version_name"] == first["momentum"]["champion"]


def test_a_recipe_that_cannot_be_fitted_is_left_out_and_the_others_compete(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(kinds="direction", symbols="BTC-USDT")
    sound = staging.fit

    def refuse(recipe: Recipe, *rest: Any, **more: Any) -> Fitted:
        if recipe.name == "xgboost":
            raise FitError("direction: it would not learn")
        return sound(recipe, *rest, **more)

    monkeypatch.setattr(staging, "fit", refuse)
    report = run_turn(settings, NOW)
    assert report["status"] == "completed with failures"
    (failure,) = report["failures"]
    assert (failure["stage"], failure["subject"]) == ("fits", "direction-xgboost")
    slot = only_slot(report)
    assert slot["left_out"] == ["direction/xgboost is left out: direction: it would not learn"]
    assert {row["recipe"] for row in slot["contenders"]} == {"baseline", "logistic"}


def test_recipes_that_are_named_compete_and_a_month_waits_for_its_history(
    new_settings: NewSettings,
) -> None:
    settings = new_settings(symbols="BTC-USDT", recipes="lightgbm,direction/xgboost-30d")
    report = run_turn(settings, NOW)
    assert report["recipes"] == ["lightgbm", "direction/xgboost-30d"]
    slot = only_slot(report)
    trained = [version.rpartition("_")[2] for version in slot["versions_trained"]]
    assert trained == ["baseline", "lightgbm"]
    assert slot["versions_trained"][1] == "2025-05-20T0000Z_1m_lightgbm"
    (said,) = slot["left_out"]
    assert said.startswith("direction/xgboost-30d is left out: it trains on 30 days")
    with pytest.raises(OtherParameters, match="recipes: "):
        run_turn(new_settings(symbols="BTC-USDT", recipes="all"), NOW)


def test_a_week_and_a_month_are_judged_on_the_same_bars(new_settings: NewSettings) -> None:
    settings = new_settings(
        symbols="BTC-USDT", timeframe="15m", days=42, recipes="xgboost,direction/xgboost-30d"
    )
    slot = only_slot(run_turn(settings, NOW))
    assert slot["left_out"] == []
    registry = registry_of(settings)
    where = Slot.parse(slot["slot"])
    windows = {
        version.rpartition("_")[2]: registry.read(registry.folder(where, version)).metadata[
            "window"
        ]
        for version in slot["versions_trained"]
    }
    week, month, base = (windows[name] for name in ("xgboost", "xgboost-30d", "baseline"))
    for part in ("calibration", "selection", "holdout"):
        assert week[part] == month[part] == base[part]
    assert week["train"]["end"] == month["train"]["end"]
    days = {
        name: (w["train"]["end_ms"] - w["train"]["start_ms"]) / 86_400_000
        for name, w in windows.items()
    }
    assert days["xgboost"] == 7
    assert days["xgboost-30d"] == days["baseline"] > 34
    assert len({row["n"] for row in slot["contenders"]}) == 1


def test_a_month_alone_on_a_short_history_begins_no_turn(new_settings: NewSettings) -> None:
    long = new_settings(symbols="BTC-USDT", recipes="xgboost-30d", days=40)
    settings = long.model_copy(update={"days": 14.0})
    with pytest.raises(RecipeError, match="give more days, or name a shorter recipe too"):
        run_turn(settings, NOW)
    assert store_of(settings).list_turns() == []


def test_no_symbol_at_all_fails_the_turn_until_the_same_command_succeeds(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = BrokenSource({"BTC-USDT"})
    monkeypatch.setattr(resources, "open_source", lambda spec: source)
    settings = new_settings(symbols="BTC-USDT")
    with pytest.raises(TurnFailed, match=r"no symbol could be fetched \(BTC-USDT: no answer"):
        run_turn(settings, NOW)
    (turn,) = store_of(settings).list_turns()
    assert turn.status == "failed"
    source.broken.clear()
    report = run_turn(settings, NOW)
    assert (report["status"], report["failures"]) == ("completed", [])
    assert "goes on" in report["sentence"]


def test_a_turn_in_which_nothing_could_be_decided_has_failed_and_may_be_tried_again(
    new_settings: NewSettings,
) -> None:
    settings = new_settings(symbols="BTC-USDT", days=1, kinds="volatility")
    for state in ("begins", "goes on"):
        report = run_turn(settings, NOW)
        assert report["status"] == "failed"
        assert state in report["sentence"]
        assert "nothing serves yet" in only_slot(report)["sentence"]
        (failure,) = report["failures"]
        assert failure["stage"] == "fit"
        assert "fetch more days" in failure["message"]


def test_two_turns_never_overlap(new_settings: NewSettings) -> None:
    settings = new_settings()
    with turn_lock(settings), pytest.raises(TurnRunning, match="another turn is running"):
        run_turn(settings, NOW)


# ------------------------------------------------------------------ people and accidents


def test_an_alias_moved_by_hand_is_promotion_and_a_pin_holds_it(new_settings: NewSettings) -> None:
    settings = new_settings()
    slot = only_slot(run_turn(settings, NOW))
    key, chosen = Slot.parse(slot["slot"]), slot["challenger"]
    tracking = tracking_of(settings)
    tracking.set_alias(key, "champion", chosen)
    tracking.set_tags(key, chosen, {"pinned": "true"})
    after = only_slot(run_turn(settings, LATER))
    assert (after["action"], after["champion"]) == ("hold", chosen)
    assert registry_of(settings).linked(key) == chosen
    (champion,) = store_of(settings).list_models(slot_key=key.key, status="champion")
    assert champion.version == chosen
    # Its tenure begins now, and the way back is known.
    assert (champion.facts["tenure"], champion.facts["previous"]) == (1, slot["champion"])


def test_a_damaged_champion_is_brought_back_from_mlflow(new_settings: NewSettings) -> None:
    settings = new_settings()
    slot = only_slot(run_turn(settings, NOW))
    key = Slot.parse(slot["slot"])
    registry = registry_of(settings)
    graph = registry.folder(key, slot["champion"]) / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    report = run_turn(settings, LATER)
    assert report["failures"] == []
    assert registry.problems() == {}
    assert report["ledger"][0]["predictions"] == 3 * 2 * 720


def test_harm_in_the_ledger_rolls_back_and_flags(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(symbols="BTC-USDT")
    slot = only_slot(run_turn(settings, NOW))
    key = Slot.parse(slot["slot"])
    tracking_of(settings).set_alias(key, "champion", slot["challenger"])
    run_turn(settings, LATER)  # the version put in by hand is taken over
    hurt = tracking_of(settings).champion(key)
    assert hurt is not None
    assert hurt.endswith(slot["challenger"].rpartition("_")[2]), "it, or its own refit"

    verdict = DriftVerdict("HARM", ("harm",), "worse than the baseline over 24 h, z -3.10")
    monkeypatch.setattr(drift_rows, "assess", lambda *rest, **options: verdict)
    # The signal in this market is real: without this, its refit would be promoted instead.
    monkeypatch.setattr(deciding, "contender", lambda row: replace(contender(row), lower=-0.01))
    after = only_slot(run_turn(settings, "2025-05-21T00:00:00Z"))
    assert (after["action"], after["baseline"]) == ("rollback", True)
    assert "the ledger says HARM" in after["sentence"]
    assert registry_of(settings).linked(key) == after["champion"]
    store = store_of(settings)
    assert store.get_model(f"{key.key}/{hurt}").status in ("superseded", "unproven", "challenger")
    (flag,) = store.list_flags()
    assert (flag.name, flag.cleared_at is None) == (f"{key.key}/{hurt}", True), (
        "until it is retrained"
    )
