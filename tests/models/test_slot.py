"""Slots and version names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from models.common.errors import BadName
from models.common.slot import KINDS, SEED_NAMES, Slot, version_name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scope", ["majors", "BTC-USDT", "ADA-USDT+DOGE-USDT"])
def test_key_and_parse_are_inverse(kind: str, scope: str) -> None:
    slot = Slot(scope, kind, "5m")
    assert Slot.parse(slot.key) == slot


def test_every_kind_has_its_seed_name() -> None:
    assert set(SEED_NAMES) == set(KINDS)


@pytest.mark.parametrize(
    "key",
    [
        "majors/direction",
        "majors/direction/1m/x",
        "../direction/1m",
        "majors/up/1m",
        "majors/direction/minute",
        "majors/direction/0m",
        ".hidden/direction/1m",
        "a b/direction/1m",
        "/direction/1m",
    ],
)
def test_what_is_no_slot_is_refused(key: str) -> None:
    with pytest.raises(BadName):
        Slot.parse(key)


def test_version_names_sort_by_time() -> None:
    start = datetime(2025, 5, 28, tzinfo=UTC)
    names = [version_name(start + timedelta(hours=12 * i), "1m", "xgboost") for i in range(9)]
    assert names[0] == "2025-05-28T0000Z_1m_xgboost"
    assert names == sorted(names)


@pytest.mark.parametrize(
    "time",
    [datetime(2025, 5, 28), datetime(2025, 5, 28, tzinfo=timezone(timedelta(hours=2)))],  # noqa: DTZ001
)
def test_a_version_is_named_in_utc(time: datetime) -> None:
    with pytest.raises(BadName, match="UTC"):
        version_name(time, "1m", "xgboost")
