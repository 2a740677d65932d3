"""A replay is the live turns with another clock: the same at every run, however it is run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orchestration.service.beginning import turn_at
from orchestration.service.errors import BadReplay, OtherReplay, ReplayRunning, TurnRunning
from orchestration.service.refs import Dataset
from orchestration.service.replaying import Progress, replay
from orchestration.service.replays import record
from orchestration.service.replays.ahead import confirm, make
from orchestration.service.replays.plan import Plan, days_for
from orchestration.service.replays.record import DECISIONS
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.service.turn import run_turn
from orchestration.service.work import Work
from orchestration.tracking import LightTracking

NewPlan = Callable[..., Plan]


class Cut(Exception):  # noqa: N818 - it says what happened
    """The test ends a replay here."""


def test_turns_are_those_of_the_window(new_plan: NewPlan) -> None:
    made = new_plan()
    at = [datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %H:%M") for ms in made.turns]
    assert at == ["20 00:00", "20 12:00", "21 00:00", "21 12:00"]
    assert made.between(made.turns[0]) == ()
    assert made.between(made.turns[-1]) == (made.end_ms,), "the last predictions get their outcomes"
    assert made.folder.parent == made.live.home / "replays"
    assert new_plan().name == made.name != new_plan(seed=1).name
    assert new_plan(workers=2).name == made.name, "hands decide nothing"


def test_what_cannot_be_replayed_is_refused(new_plan: NewPlan) -> None:
    with pytest.raises(BadReplay, match="must be later"):
        new_plan(end="2025-05-20")
    with pytest.raises(BadReplay, match="closes of 5m bars"):
        new_plan(every="1m")
    with pytest.raises(BadReplay, match="cannot name a folder"):
        new_plan(name="../elsewhere")


def test_training_days_are_history_less_what_judges(new_plan: NewPlan) -> None:
    made = new_plan(train_days=5)
    assert made.settings.days == days_for(made.live, 5) > 5
    assert made.live.days == 8


def test_workers_and_kills_change_no_byte(new_plan: NewPlan) -> None:
    """Once in one process, once with workers ahead and cut off in the middle of it."""
    alone, beside = new_plan("one"), new_plan("two", workers=2)
    told: list[Progress] = []
    document = replay(alone, told.append)
    assert [progress.done for progress in told] == [1, 2, 3, 4]

    def cut(progress: Progress) -> None:
        if progress.done == 2:
            raise Cut

    with pytest.raises(Cut):
        replay(beside, cut)
    assert not (beside.folder / DECISIONS).exists()
    replay(beside)
    first, second = ((p.folder / DECISIONS).read_bytes() for p in (alone, beside))
    assert first == second
    assert json.loads(first) == document

    assert document["turns"][0]["summary"]["slots"][0]["action"] == "install"
    assert all(len(turn["bundles"]) == 3 for turn in document["turns"])
    (ledger,) = document["ledger"].values()
    assert ledger["rows"] > 1000
    text = first.decode()
    assert str(alone.live.home) not in text
    assert '"seconds"' not in text, "no clock's figure"


def test_a_replay_is_the_live_turns(new_plan: NewPlan) -> None:
    """The same turns one by one, live in all but MLflow, decide the same."""
    made = new_plan()
    document = replay(made)
    shutil.rmtree(made.folder)
    live = new_plan("live").live
    for moment, turn in zip(made.turns, document["turns"], strict=True):
        summary = run_turn(live.at(datetime.fromtimestamp(moment / 1000, UTC)), moment)
        assert record.decided(summary, live.home) == turn["summary"]


def test_records_bear_the_moment_of_their_turn(new_plan: NewPlan) -> None:
    made = new_plan(end="2025-05-20T12:00")
    replay(made)
    settings = record.settings_at(made, made.first_ms)
    assert isinstance(tracking_of(settings), LightTracking)
    assert not (made.folder / "mlflow").exists()
    moment = datetime(2025, 5, 20, tzinfo=UTC)
    store = store_of(made.settings)
    assert {turn.started_at for turn in store.list_turns()} == {moment}
    assert {model.created_at for model in store.list_models()} == {moment}


def test_fits_ahead_of_other_columns_are_thrown_away(new_plan: NewPlan) -> None:
    """A version in service that reads a column of its own decides which rows a panel has."""
    made = new_plan(end="2025-05-20T12:00")
    settings = record.settings_at(made, made.first_ms)
    turn = turn_at(settings, made.first_ms)
    assert confirm(turn), "nothing was made ahead"
    replay(made)
    later = turn_at(record.settings_at(made, made.end_ms), made.end_ms)
    make(made.settings, made.end_ms)
    assert confirm(later)
    store = store_of(settings)
    slot = later.slot("direction")
    data = Work(later.folder).load("dataset", Dataset)
    assert data is not None
    fewer = later.settings.model_copy(update={"kinds": ("risk",)})
    other = turn_at(fewer, made.end_ms)
    assert not confirm(other), "other columns are asked for"
    assert not other.folder.exists()
    assert store.list_models(slot_key=slot.key)


def test_bundles_that_are_out_are_removed_and_those_that_serve_stay(new_plan: NewPlan) -> None:
    made = new_plan(end="2025-05-23")
    replay(made)
    slot = turn_at(made.settings, made.first_ms).slot("direction")
    registry, store = registry_of(made.settings), store_of(made.settings)
    there = {m.version for m in store.list_models() if registry.folder(slot, m.version).is_dir()}
    serving = {m.version for m in store.list_models() if m.status in ("champion", "challenger")}
    assert serving <= there
    assert len(there) < len(store.list_models())
    assert not list(made.settings.work_dir.glob("*/panel"))


def test_another_replay_of_the_same_name_is_refused(new_plan: NewPlan) -> None:
    replay(new_plan(name="mine", end="2025-05-20T12:00"))
    other = new_plan(name="mine", end="2025-05-20T12:00", seed=5)
    with pytest.raises(OtherReplay, match=r"seed: 0 then, 5 now.*--fresh"):
        replay(other)
    assert replay(other, fresh=True)["parameters"]["seed"] == 5


def test_one_process_at_a_time(new_plan: NewPlan) -> None:
    made = new_plan(end="2025-05-20T12:00")

    def again(progress: Progress) -> None:
        with pytest.raises((ReplayRunning, TurnRunning)):
            replay(made)

    replay(made, again)


def test_predictions_between_turns_are_those_of_the_turns(new_plan: NewPlan) -> None:
    """Made earlier, by the same bytes: the ledger says the same."""
    rare, often = (
        new_plan("rare", end="2025-05-21"),
        new_plan("often", end="2025-05-21", predict_every="4h"),
    )
    assert [len(often.between(at)) for at in often.turns] == [2, 3]
    documents = replay(rare), replay(often)
    assert len(documents[1]["between"]) == 5
    assert all(found["failures"] == found["rolled_back"] == [] for found in documents[1]["between"])
    rows = []
    for made in (rare, often):
        store = store_of(made.settings)
        (key,) = {model.slot_key for model in store.list_models()}
        ledger = store.ledger(key)
        rows.append(ledger[ledger["ts_ms"] >= made.first_ms])
    same = ["symbol", "ts_ms", "version", "role", "raw_0"]
    a, b = (
        part.sort_values(["ts_ms", "symbol", "version"])[same].reset_index(drop=True)
        for part in rows
    )
    assert a.equals(b)
