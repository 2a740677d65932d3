"""Turns, models and verdicts: idempotent, found by every name, refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from orchestration.store import Store
from orchestration.store.errors import (
    AmbiguousModel,
    BadRecord,
    NoVerdict,
    UnknownModel,
    UnknownTurn,
)

SLOT = "majors/direction/1m"
TURN = "2025-05-28T0000Z_majors_1m"


def test_a_turn_is_new_once_and_then_as_it_was_left(store: Store) -> None:
    assert store.begin_turn(TURN, {"seed": 7}).status == "new"
    again = store.begin_turn(TURN, {"seed": 8})
    assert (again.status, again.params, again.done) == ("running", {"seed": 7}, False)
    store.finish_turn(TURN, "completed with failures", {"failed": ["risk"]})
    ended = store.begin_turn(TURN, {"seed": 9})
    assert (ended.status, ended.summary) == ("completed with failures", {"failed": ["risk"]})
    assert ended.done
    assert ended.finished_at is not None
    assert ended.finished_at >= ended.started_at


def test_an_ending_can_be_written_again(store: Store) -> None:
    store.begin_turn(TURN, {})
    store.finish_turn(TURN, "failed", {})
    assert store.finish_turn(TURN, "completed", {"n": 1}).summary == {"n": 1}
    assert len(store.list_turns()) == 1


def test_turns_are_listed_last_begun_first(database_url: str) -> None:
    hours = iter(range(24))
    store = Store(
        database_url, clock=lambda: datetime(2025, 5, 28, tzinfo=UTC) + timedelta(hours=next(hours))
    )
    for name in ("a", "b", "c"):
        store.begin_turn(name, {})
    assert [turn.turn_id for turn in store.list_turns(limit=2)] == ["c", "b"]
    store.close()


def test_a_stage_keeps_its_last_time(store: Store) -> None:
    store.begin_turn(TURN, {})
    store.record_stage(TURN, "fetch", 9.0)
    store.record_stage(TURN, "fetch", 1.5)
    store.record_stage(TURN, "fit", 2)
    assert store.get_turn(TURN).stages == {"fetch": 1.5, "fit": 2.0}


def test_a_turn_that_was_not_begun_is_unknown(store: Store) -> None:
    for call in (
        lambda: store.get_turn("x"),
        lambda: store.finish_turn("x", "completed", {}),
        lambda: store.record_stage("x", "fetch", 1),
        lambda: store.add_drift("x", SLOT, {}),
    ):
        with pytest.raises(UnknownTurn, match="'x'"):
            call()
    with pytest.raises(BadRecord, match="completed with failures"):
        store.finish_turn(TURN, "done", {})


def test_times_are_utc_whatever_the_clock_says(database_url: str) -> None:
    tokyo = datetime(2025, 5, 28, 9, tzinfo=timezone(timedelta(hours=9)))
    store = Store(database_url, clock=lambda: tokyo)
    started = store.begin_turn(TURN, {}).started_at
    assert started == datetime(2025, 5, 28, tzinfo=UTC)
    assert started.utcoffset() == timedelta(0)
    store.close()


def test_a_clock_without_a_zone_is_refused(database_url: str) -> None:
    store = Store(database_url, clock=lambda: datetime(2025, 5, 28))  # noqa: DTZ001
    with pytest.raises(BadRecord, match="time zone"):
        store.begin_turn(TURN, {})
    store.close()


def test_registering_again_merges_facts_and_keeps_the_status(store: Store) -> None:
    first = store.register_model(SLOT, "v1", status="champion", recipe="xgboost", rows=1)
    again = store.register_model(SLOT, "v1", rows=2, hash="ab")
    assert again.facts == {"recipe": "xgboost", "rows": 2, "hash": "ab"}
    assert (again.status, again.name, again.created_at) == ("champion", "v1", first.created_at)
    assert store.register_model(SLOT, "v1", status="archived").status == "archived"
    assert len(store.list_models()) == 1


def test_facts_may_be_numpy_and_not_finite(store: Store) -> None:
    record = store.register_model(
        SLOT, "v1", skill=np.float32(0.5), bound=float("nan"), z=np.inf, ids=np.arange(2)
    )
    assert record.facts == {"skill": 0.5, "bound": None, "z": None, "ids": [0, 1]}
    with pytest.raises(BadRecord, match="object"):
        store.register_model(SLOT, "v2", odd=object())


def test_a_model_is_found_by_every_name(store: Store) -> None:
    store.register_model(SLOT, "old", status="superseded")
    champion = store.register_model(SLOT, "v1", status="champion", name="my_model")
    store.register_model("BTC-USDT/direction/1m", "w1", status="champion")
    store.register_model("majors/risk/1m", "r1", status="challenger")
    names = ("majors/direction/1m/v1", "v1", "my_model", SLOT, "direction", "model_001",
             "direction_predictor_001", "direction_predictor_017")  # fmt: skip
    assert {store.get_model(name).key for name in names} == {champion.key}
    assert store.get_model("BTC-USDT/direction/1m").version == "w1"
    for unknown in ("risk", "model_006", "risk_scorer", "nobody", "a/b/c/d"):
        with pytest.raises(UnknownModel, match=unknown):
            store.get_model(unknown)


def test_a_name_that_means_several_models_is_refused_with_their_names(store: Store) -> None:
    store.register_model("majors/direction/1m", "baseline")
    store.register_model("majors/risk/1m", "baseline")
    with pytest.raises(AmbiguousModel, match=r"majors/direction/1m/baseline, majors/risk/1m"):
        store.get_model("baseline")
    store.register_model("BTC-USDT/risk/1m", "r")
    store.register_model("majors/risk/1m", "r")
    assert store.get_model("r").slot_key == "majors/risk/1m"


def test_statuses_are_a_closed_list(store: Store) -> None:
    store.register_model(SLOT, "v1")
    assert store.update_model_status("v1", "active").status == "champion"
    assert store.update_model_status("v1", "archived").status == "archived"
    with pytest.raises(BadRecord, match="superseded"):
        store.update_model_status("v1", "great")
    with pytest.raises(BadRecord):
        store.register_model(SLOT, "v2", status="great")
    with pytest.raises(UnknownModel):
        store.update_model_status("v9", "archived")


def test_models_are_listed_by_slot_newest_first(store: Store) -> None:
    for version in ("2025-05-27", "2025-05-28"):
        store.register_model(SLOT, version)
    store.register_model("majors/risk/1m", "2025-05-27", status="champion")
    assert [m.version for m in store.list_models(SLOT)] == ["2025-05-28", "2025-05-27"]
    assert [m.slot_key for m in store.list_models(status="active")] == ["majors/risk/1m"]


@pytest.fixture
def judged(store: Store) -> Store:
    store.begin_turn("t1", {})
    store.begin_turn("t2", {})
    store.register_model(SLOT, "v1")
    return store


def test_a_verdict_keeps_its_figures_and_is_written_once(judged: Store) -> None:
    judged.add_verdict("t1", SLOT, "v1", "baseline", {"f1": 0.1}, "keep", "no")
    judged.add_verdict("t1", SLOT, "v1", "baseline", {"f1": 0.5, "z": np.nan}, "promote", "yes")
    (verdict,) = judged.list_verdicts("t1")
    assert verdict.figures == {"f1": 0.5, "z": None}
    assert (verdict.decision, verdict.sentence, verdict.slot_key) == ("promote", "yes", SLOT)
    assert judged.list_verdicts("t2") == []
    assert judged.list_verdicts(slot_key="majors/risk/1m") == []


def test_the_last_backtest_is_the_last_one_against_the_baseline(judged: Store) -> None:
    with pytest.raises(NoVerdict, match="never judged"):
        judged.get_last_backtest("v1")
    judged.add_verdict("t1", SLOT, "v1", "baseline", {"accuracy": 0.51}, "keep", "")
    judged.add_verdict("t2", SLOT, "v1", "baseline", {"accuracy": 0.52}, "keep", "")
    judged.add_verdict("t2", SLOT, "v1", "v0", {"z": 2.0}, "promote", "better")
    last = judged.get_last_backtest("v1")
    assert (last["accuracy"], last["turn_id"], last["against"]) == (0.52, "t2", "baseline")
    latest = judged.get_validation_results("v1")
    assert (latest["z"], latest["decision"]) == (2.0, "promote")


def test_a_verdict_needs_its_turn_and_its_model(judged: Store) -> None:
    with pytest.raises(UnknownTurn):
        judged.add_verdict("t9", SLOT, "v1", "baseline", {}, "keep", "")
    with pytest.raises(UnknownModel):
        judged.add_verdict("t1", SLOT, "v9", "baseline", {}, "keep", "")
