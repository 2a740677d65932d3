"""The service's answers, and the lifecycle's moves on a real registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models.common.slot import KINDS, Slot
from orchestration.lifecycle.errors import SyncRefused
from orchestration.service import facade
from orchestration.service.errors import NoTurn
from orchestration.service.facade import get_service
from orchestration.service.resources import registry_of, tracking_of
from orchestration.settings import Settings

NOW = "2025-05-20T00:00:00Z"


def test_before_any_turn_the_service_says_what_to_do(new_settings: Callable[..., Settings]) -> None:
    service = get_service(new_settings())
    assert service.list_turns() == []
    with pytest.raises(NoTurn, match="run one: tidewheel cycle"):
        service.leaderboard()


def test_the_service_answers_from_the_last_completed_turn(
    new_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings()
    service = get_service(settings)
    report = service.run_turn(NOW)
    (row,) = service.leaderboard()
    assert (row["rank"], row["champion"]) == (1, report["slots"][0]["champion"])
    (turn,) = service.list_turns()
    assert (turn["turn_id"], turn["status"]) == (report["turn_id"], "completed")
    assert turn["stages"]["fit"] > 0
    assert service.report(report["turn_id"])["slots"] == report["slots"]
    assert {m["version"] for m in service.list_models("direction")} == set(
        report["slots"][0]["versions_trained"]
    )
    assert service.list_models("risk") == []

    # Moving the alias in MLflow is promotion; sync makes the folder follow, at once and once.
    slot = Slot.parse(report["slots"][0]["slot"])
    champion, challenger = report["slots"][0]["champion"], report["slots"][0]["challenger"]
    assert service.sync()[slot.key].moved is False
    tracking_of(settings).set_alias(slot, "champion", challenger)
    moved = service.sync()[slot.key]
    assert (moved.champion, moved.moved) == (challenger, True)
    assert service.sync()[slot.key].moved is False

    # A champion that is sound nowhere does not get in: what served keeps serving.
    tracking = tracking_of(settings)
    (stored,) = [v for v in tracking.versions(slot) if v.version == champion]
    source = tracking._client.get_model_version(
        slot.key.replace("/", "."), str(stored.number)
    ).source
    for graph in (
        registry_of(settings).folder(slot, champion) / "model.onnx",
        Path(source) / "model.onnx",
    ):
        graph.write_bytes(b"not a graph")
    tracking.set_alias(slot, "champion", champion)
    # The slots after it follow all the same.
    asked = []
    follow = facade.sync
    monkeypatch.setattr(
        facade, "sync", lambda s, *rest: (asked.append(s.kind), follow(s, *rest))[1]
    )
    with pytest.raises(SyncRefused, match="and MLflow's copy"):
        service.sync()
    assert asked == list(KINDS)
    assert registry_of(settings).linked(slot) == challenger


def test_an_alias_moved_by_hand_is_followed_in_every_scope(
    new_settings: Callable[..., Settings],
) -> None:
    settings = new_settings(symbols="BTC-USDT")
    (row,) = get_service(settings).run_turn(NOW)["slots"]
    slot = Slot.parse(row["slot"])
    desk = get_service(new_settings(symbols="ETH-USDT", home=settings.home))  # another scope's
    assert desk.follow() == []
    tracking_of(settings).set_alias(slot, "champion", row["challenger"])
    (said,) = desk.follow()
    assert row["challenger"] in said
    assert registry_of(settings).linked(slot) == row["challenger"]
    assert desk.follow() == []


def test_a_slot_that_cannot_follow_holds_no_other_back(
    new_settings: Callable[..., Settings],
) -> None:
    settings = new_settings(kinds="direction,momentum", recipes="logistic")
    first, last = get_service(settings).run_turn(NOW)["slots"]
    tracking, registry = tracking_of(settings), registry_of(settings)
    for row in (first, last):
        (learnt,) = {v for v in row["versions_trained"] if v.endswith("_logistic")}
        (naive,) = {v for v in row["versions_trained"] if v.endswith("_baseline")}
        row["other"] = naive if row["champion"] == learnt else learnt
        tracking.set_alias(Slot.parse(row["slot"]), "champion", row["other"])
    broken = Slot.parse(first["slot"])
    shutil.rmtree(registry.folder(broken, first["other"]))
    shutil.rmtree(settings.mlflow_dir / "artifacts")
    with pytest.raises(SyncRefused, match="direction/1m cannot serve"):
        get_service(settings).follow()
    assert registry.linked(broken) == first["champion"]
    assert registry.linked(Slot.parse(last["slot"])) == last["other"]
