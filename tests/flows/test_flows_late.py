"""Late scheduled runs: the newest turn has done the work of all that came before it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.late import turn_since
from orchestration.service.resources import store_of
from orchestration.settings import Settings

MONDAY, TUESDAY = (datetime(2025, 5, day, tzinfo=UTC) for day in (26, 27))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of a home in which Monday 13:07 was the last turn to end."""
    settings = Settings(home=tmp_path)
    store = store_of(settings)
    for turn_id, end in {
        "2025-05-26T1307Z_majors_1m": "completed",
        "2025-05-27T0100Z_majors_1m": "failed",
        "2025-05-27T0200Z_BTC-USDT_1m": "completed",
        "2025-05-27T0300Z_majors_5m": "completed with failures",
    }.items():
        store.begin_turn(turn_id, {})
        store.finish_turn(turn_id, end, {})
    store.begin_turn("2025-05-27T0400Z_majors_1m", {})
    return settings


def test_a_run_before_the_last_turn_is_done(settings: Settings) -> None:
    found = turn_since(settings, MONDAY)
    assert found is not None
    assert found.turn_id == "2025-05-26T1307Z_majors_1m"


def test_failed_running_and_foreign_turns_do_not_count(settings: Settings) -> None:
    assert turn_since(settings, TUESDAY) is None


def test_a_turn_at_the_very_moment_counts(settings: Settings) -> None:
    assert turn_since(settings, MONDAY.replace(hour=13, minute=7)) is not None
    assert turn_since(settings, MONDAY.replace(hour=13, minute=8)) is None


def test_turns_with_failures_count_too(settings: Settings) -> None:
    five = settings.model_copy(update={"timeframe": "5m"})
    assert turn_since(five, TUESDAY) is not None


def test_a_turn_of_one_kind_has_not_done_the_work_of_all(settings: Settings) -> None:
    store = store_of(settings)
    for minute, params in enumerate(
        ({"kinds": ["risk"]}, {"recipes": ["svm"]}, {"source": "files:/elsewhere"})
    ):
        turn_id = f"2025-05-28T000{minute}Z_majors_1m"
        store.begin_turn(turn_id, params)
        store.finish_turn(turn_id, "completed", {})
    assert turn_since(settings, TUESDAY) is None
    assert turn_since(settings.model_copy(update={"kinds": ("risk",)}), TUESDAY) is not None
