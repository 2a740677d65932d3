"""The light tracking of a replay answers as MLflow does, and its records bear its moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.service.resources import mlflow_of, store_of, tracking_of
from orchestration.settings import load_settings
from orchestration.tracking import LightTracking, Tracker, Tracking, TrackingError, UnknownVersion

SLOT = "majors/direction/1m"
MOMENT = datetime(2025, 5, 20, 12, tzinfo=UTC)


def light(folder: Path) -> Tracker:
    return LightTracking(folder / "versions.db")


def mlflow(folder: Path) -> Tracker:
    return Tracking(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")


@pytest.mark.parametrize("make", [light, mlflow])
def test_a_slot_without_versions_has_no_champion(
    tmp_path: Path, make: Callable[[Path], Tracker]
) -> None:
    tracking = make(tmp_path)
    assert tracking.champion(SLOT) is None
    assert tracking.versions(SLOT) == []
    assert not tracking.is_pinned(SLOT, "one")
    with pytest.raises(UnknownVersion, match="one"):
        tracking.set_status(SLOT, "one", "champion")


def test_aliases_statuses_and_tags_outlive_the_process(tmp_path: Path) -> None:
    tracking = light(tmp_path)
    numbers = [tracking.register(SLOT, v, v, tmp_path, {"skill": 0.5}) for v in ("one", "two")]
    assert tracking.register(SLOT, "one", "one", tmp_path) == numbers[0], "registered once"
    tracking.set_alias(SLOT, "champion", "one")
    tracking.set_alias(SLOT, "challenger", "two")
    tracking.set_alias(SLOT, "challenger", None)
    tracking.set_status(SLOT, "one", "champion")
    tracking.set_tags(SLOT, "one", {"pinned": "true"})

    again = light(tmp_path)
    assert (again.champion(SLOT), again.challenger(SLOT)) == ("one", None)
    assert again.champion("majors/risk/1m") is None
    newest, oldest = again.versions(SLOT)
    assert (newest.version, newest.status, newest.aliases) == ("two", "candidate", ())
    assert (oldest.version, oldest.status, oldest.aliases) == ("one", "champion", ("champion",))
    assert oldest.tags == {"status": "champion", "skill": "0.5", "pinned": "true"}
    assert again.is_pinned(SLOT, "one")
    assert not again.is_pinned(SLOT, "two")


def test_an_alias_goes_to_registered_versions_only(tmp_path: Path) -> None:
    tracking = light(tmp_path)
    with pytest.raises(UnknownVersion, match="two"):
        tracking.set_alias(SLOT, "champion", "two")
    with pytest.raises(TrackingError, match="no second copy"):
        tracking.fetch_bundle(SLOT, "two", tmp_path / "two")


def test_a_replay_has_its_own_clock_and_no_mlflow(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    replay = settings.at(MOMENT)
    assert isinstance(tracking_of(replay), LightTracking)
    assert isinstance(mlflow_of(settings), Tracking)

    store = store_of(replay)
    store.begin_turn("turn", {})
    store.flag_for_retraining("one")
    assert store.get_turn("turn").started_at == MOMENT
    assert store.list_flags()[0].raised_at == MOMENT
    store_of(settings).begin_turn("now", {})
    assert store.get_turn("now").started_at > MOMENT, "the live store keeps the clock's time"
    assert settings.moment is None
    assert replay.model_dump() == settings.model_dump(), "no file and no variable can set it"
