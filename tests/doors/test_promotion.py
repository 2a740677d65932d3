"""`tidewheel models promote` and `rollback`: three places move as one, or nothing moves."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable

import pytest

from models.common.predictor import load_model
from orchestration.lifecycle.errors import ChampionMoved, CutOff, PromotionRunning, Unproven
from orchestration.lifecycle.intent import one_at_a_time
from orchestration.lifecycle.promotion import promote as lifecycle_promote
from orchestration.service import steps
from orchestration.service.promoting import promote
from orchestration.service.resources import places_of, registry_of, store_of, tracking_of
from orchestration.service.turn import run_turn
from orchestration.tracking import Tracking, TrackingDown
from orchestration.tracking.backend import registry_name
from serving.models import by
from tests.doors.desk import LATER, SLOT, Desk, answer, call

BASELINE, LEARNT = "2025-05-20T1200Z_1m_baseline", "2025-05-20T1200Z_1m_xgboost"
PROMOTE = ("models", "promote", "BTCUSDT", "direction", "2025-05-20T12", "--now", LATER)
Capsys = pytest.CaptureFixture[str]


def test_what_is_not_proven_needs_insisting(desk: Desk, capsys: Capsys) -> None:
    assert desk.champion() == BASELINE
    assert call(*PROMOTE) == 1
    said = capsys.readouterr().err
    assert re.search(r"not proven to beat its baseline: skill [+-]\d.*%, 95 % interval", said)
    assert "--force" in said
    assert "simulated market" in said
    assert desk.champion() == BASELINE


def test_the_ledger_of_its_line_says_what_is_proven(desk: Desk, capsys: Capsys) -> None:
    """A lucky holdout promotes nobody whose weeks say otherwise, and no holdout bars the proven."""
    places, now = places_of(desk.settings), by("a", "", False, LATER)
    bad = {"line": "xgboost", "skill": 0.02, "lower": -0.01, "upper": 0.04, "z": 1.0, "n": 9_000}
    bad |= {"days": 20.0, "z_champion": 1.0, "sure_z_champion": 1.0, "worse": False}
    for changes, said in (({}, "on 20.0 days of its line's ledger"), (
        {"sure_lower": 0.01, "sure_z_champion": -2.0, "worse": True}, "provably worse .* z -2.00",
    ), ({"lower": 0.01, "sure_lower": -0.01}, "not proven")):  # fmt: skip
        with pytest.raises(Unproven, match=said):
            lifecycle_promote(SLOT, LEARNT, places, now, ledger=bad | changes)
    assert desk.champion() == BASELINE
    lifecycle_promote(SLOT, LEARNT, places, now, ledger=bad | {"sure_lower": 0.01})
    assert desk.champion() == LEARNT


def test_alias_statuses_and_links_move_and_the_decision_is_kept(desk: Desk, capsys: Capsys) -> None:
    model = load_model(f"{SLOT.scope}/direction")
    found = answer(capsys, *PROMOTE, "--force", "--reason", "tested by hand", "--by", "ada")
    assert (found["champion"], found["before"], found["moved"]) == (LEARNT, BASELINE, True)
    assert "not proven, promoted all the same" in found["sentence"]
    assert desk.champion() == LEARNT
    alias, link = desk.challenger()
    assert alias == link != LEARNT
    assert desk.pending() == []
    shown = answer(capsys, "models", "show", LEARNT)
    (decision,) = shown["decisions"]
    assert (decision["who"], decision["reason"]) == ("ada", "tested by hand")
    figures = decision["figures"]
    assert (figures["line"], figures["days"]) == ("xgboost", pytest.approx(0.93, abs=0.1))
    assert "days of its line's ledger" in found["sentence"]
    assert shown["n"] < figures["n"]  # of the holdout alone
    (tagged,) = [v for v in tracking_of(desk.settings).versions(SLOT) if v.version == LEARNT]
    assert tagged.tags["promoted_by"] == "ada"
    assert tagged.tags["promoted_because"] == "tested by hand"
    assert load_model(f"{SLOT.scope}/direction").info["version_name"] == LEARNT
    assert model.info["version_name"] in (BASELINE, LEARNT), "one that runs follows by itself"
    again = answer(capsys, *PROMOTE)
    assert again["moved"] is False
    assert "already" in again["sentence"]


def test_back_to_the_champion_before_then_the_baseline_then_no_further(
    desk: Desk, capsys: Capsys
) -> None:
    store = store_of(desk.settings)
    older = desk.version("2025-05-20T0000Z_1m_xgboost")
    rollback = ("models", "rollback", "BTC-USDT", "direction_predictor", "--now", LATER)
    for version in (older, LEARNT):
        assert call("models", "promote", "BTCUSDT", "direction", version, "--force") == 0
    assert answer(capsys, *rollback)["champion"] == older
    assert desk.champion() == older
    assert store.get_model(f"{SLOT.key}/{LEARNT}").status == "archived"
    assert answer(capsys, *rollback)["champion"] == BASELINE
    assert desk.champion() == BASELINE
    assert call(*rollback) == 1
    assert "neither a previous champion nor a baseline" in capsys.readouterr().err
    assert desk.champion() == BASELINE


def test_a_hand_promoted_version_is_the_next_turns_champion(desk: Desk) -> None:
    store_of(desk.settings).flag_for_retraining(f"{SLOT.key}/{BASELINE}", "DRIFT")
    assert call(*PROMOTE, "--force") == 0
    assert store_of(desk.settings).get_flagged_for_retraining() == []
    report = run_turn(desk.settings, "2025-05-21T00:00:00Z")
    (slot,) = report["slots"]
    assert report["failures"] == []
    assert slot["before"] == LEARNT
    # It predicted the bars between the promotion and this turn, and none from before it served.
    rows = store_of(desk.settings).ledger(SLOT.key, LEARNT)
    assert len(rows) > 0
    assert desk.champion() == slot["champion"]


def test_a_turn_that_runs_meanwhile_leaves_what_a_person_chose(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = steps.publish_kind

    def publish_and_be_overtaken(*arguments: object) -> object:
        published = publish(*arguments)  # type: ignore[arg-type]
        assert call(*PROMOTE, "--force") == 0
        return published

    monkeypatch.setattr(steps, "publish_kind", publish_and_be_overtaken)
    report = run_turn(desk.settings, "2025-05-21T00:00:00Z")
    (failure,) = report["failures"]
    assert failure["error"] == ChampionMoved.__name__
    assert desk.champion() == LEARNT


def test_with_mlflow_out_of_reach_nothing_moves_and_looking_still_works(
    desk: Desk,
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
    forget_resources: Callable[[], None],
) -> None:
    before = desk.serving()
    forget_resources()
    monkeypatch.setenv("TIDEWHEEL_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert call(*PROMOTE, "--force") == 1
    assert "cannot be reached" in capsys.readouterr().err
    assert call("models", "list") == 0
    assert call("models", "show", LEARNT) == 0
    forget_resources()
    assert desk.serving() == before
    assert desk.pending() == []


def test_mlflow_that_fails_half_way_is_finished_by_the_next_command(
    desk: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TrackingDown("MLflow cannot be reached: pulled the plug")

    with monkeypatch.context() as cut:
        cut.setattr(Tracking, "set_status", fail)
        with pytest.raises(CutOff, match="next turn, `tidewheel up` or `tidewheel models` command"):
            promote(desk.settings, "BTCUSDT", "direction", LEARNT, by("a", "", True, LATER))
    assert len(desk.pending()) == 1
    assert call("models", "list") == 0
    assert "which was cut off, is finished" in capsys.readouterr().err
    assert desk.champion() == LEARNT


def test_a_bundle_that_broke_after_the_kill_undoes_the_promotion(
    desk: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TrackingDown("pulled the plug")

    with monkeypatch.context() as cut:
        cut.setattr(Tracking, "set_status", fail)
        assert call(*PROMOTE, "--force") == 1
    assert tracking_of(desk.settings).champion(SLOT) == LEARNT
    shutil.rmtree(registry_of(desk.settings).folder(SLOT, LEARNT))
    with monkeypatch.context() as gone:
        gone.setattr(Tracking, "fetch_bundle", fail)
        assert call("models", "list") == 0
    assert "is undone" in capsys.readouterr().err
    assert desk.champion() == BASELINE


def test_a_broken_bundle_is_refused_and_nothing_moves(
    desk: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise TrackingDown("its artifacts are gone")

    graph = registry_of(desk.settings).folder(SLOT, LEARNT) / "model.onnx"
    graph.write_bytes(b"not a graph")
    with monkeypatch.context() as broken:
        broken.setattr(Tracking, "fetch_bundle", gone)
        assert call(*PROMOTE, "--force") == 1
    assert "model.onnx is damaged" in capsys.readouterr().err
    assert desk.champion() == BASELINE
    assert desk.pending() == []
    assert call(*PROMOTE, "--force") == 0, "with MLflow's copy it is brought back"
    assert desk.champion() == LEARNT


def test_two_promotions_at_once_end_in_one_of_them(desk: Desk) -> None:
    versions = (LEARNT, "2025-05-20T0000Z_1m_xgboost")
    failed: list[Exception] = []

    def ask(version: str) -> None:
        try:
            promote(desk.settings, "BTCUSDT", "direction", version, by("a", "", True, LATER))
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert desk.champion() in versions


def test_whoever_holds_the_lock_too_long_is_named(desk: Desk) -> None:
    registry = places_of(desk.settings).registry
    with (
        one_at_a_time(registry, SLOT),
        pytest.raises(PromotionRunning, match="another promotion in"),
        one_at_a_time(registry, SLOT, timeout_s=0),
    ):
        pass


def test_a_bundle_put_into_the_folder_is_registered_on_the_way(
    desk: Desk, capsys: Capsys, forget_resources: Callable[[], None]
) -> None:
    forget_resources()
    home = desk.settings.home
    shutil.rmtree(home / "mlflow")
    for left in home.glob("tidewheel.db*"):
        left.unlink()
    assert answer(capsys, *PROMOTE, "--force")["champion"] == LEARNT
    assert desk.champion() == LEARNT
    record = store_of(desk.settings).get_model(f"{SLOT.key}/{LEARNT}")
    assert record.facts["recipe"] == "xgboost"
    assert record.facts["run_id"]


@pytest.mark.parametrize(
    ("cut_at", "deleted", "said", "serving"),
    [
        ("set_alias", LEARNT, "is undone", BASELINE),
        ("set_status", BASELINE, "is finished", LEARNT),
    ],
)
def test_a_version_deleted_in_mlflow_meanwhile_does_not_block_the_slot_for_ever(
    desk: Desk,
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
    cut_at: str,
    deleted: str,
    said: str,
    serving: str,
) -> None:
    def fail(*_: object) -> None:
        raise TrackingDown("pulled the plug")

    with monkeypatch.context() as cut:
        cut.setattr(Tracking, cut_at, fail)
        assert call(*PROMOTE, "--force") == 1
    tracking = tracking_of(desk.settings)
    (number,) = [v.number for v in tracking.versions(SLOT) if v.version == deleted]
    tracking._client.delete_model_version(registry_name(SLOT.key), str(number))
    assert call("models", "list") == 0
    assert said in capsys.readouterr().err
    assert desk.serving()[:3] == (serving, serving, [serving])
    assert desk.pending() == []


def test_where_the_folder_cannot_be_written_looking_still_works(
    desk: Desk, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TrackingDown("pulled the plug")

    with monkeypatch.context() as cut:
        cut.setattr(Tracking, "set_status", fail)
        assert call(*PROMOTE, "--force") == 1
    lock = next((registry_of(desk.settings).root / ".promotions").glob("*.lock"))
    lock.unlink()
    lock.mkdir()  # as little to be opened for writing as somebody else's
    assert call("models", "list") == 0
    assert "waits to be finished" in capsys.readouterr().err
    assert len(desk.pending()) == 1
    lock.rmdir()
    assert call("models", "list") == 0
    assert desk.champion() == LEARNT


def test_an_intent_that_cannot_be_read_is_put_aside(desk: Desk) -> None:
    folder = registry_of(desk.settings).root / ".promotions"
    folder.mkdir(exist_ok=True)
    (folder / f"{SLOT.key.replace('/', '.')}.json").write_text("{")
    (folder / "notes.json").write_text("not ours")
    assert call("models", "list") == 0
    assert desk.pending() == ["notes.json"]
    assert desk.champion() == BASELINE


def test_a_previous_champion_that_may_not_serve_is_passed_over(desk: Desk, capsys: Capsys) -> None:
    older = desk.version("2025-05-20T0000Z_1m_xgboost")
    for version in (older, LEARNT):
        assert call("models", "promote", "BTCUSDT", "direction", version, "--force") == 0
    store_of(desk.settings).register_model(SLOT.key, older, faults=["parity 0.1"])
    rollback = ("models", "rollback", "BTCUSDT", "direction", "--now", LATER)
    assert call(*rollback) == 0
    assert desk.champion() == BASELINE


def test_no_way_back_says_why(desk: Desk, capsys: Capsys) -> None:
    assert call(*PROMOTE, "--force") == 0
    store = store_of(desk.settings)
    for model in store.list_models(slot_key=SLOT.key):
        if model.facts["baseline"]:
            store.update_model_status(model.key, "refused")
    assert call("models", "rollback", "BTCUSDT", "direction", "--now", LATER) == 1
    assert "its turn refused it" in capsys.readouterr().err
    assert desk.champion() == LEARNT
