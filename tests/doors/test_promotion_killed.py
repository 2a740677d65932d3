"""kill -9 at every step of a promotion: the next start of anything ends it, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.service.facade import get_service
from orchestration.settings import load_settings
from tests.doors.desk import MARKET, SLOT, Desk, call

SCRIPT = Path(__file__).with_name("killed_promotions.py")
ROOT = SCRIPT.parents[2]
BEFORE, AFTER = "2025-05-20T1200Z_1m_baseline", "2025-05-20T1200Z_1m_xgboost"


@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_whoever_starts_next_finds_alias_link_and_status_in_agreement(
    turned: Path, tmp_path: Path, forget_resources: Callable[[], None], stride: int
) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(turned), str(tmp_path), AFTER, str(stride)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    deaths = done.stdout.splitlines()
    homes = sorted(tmp_path.iterdir())
    assert len(homes) == len(deaths) + 1 > 15 / stride
    torn, finished = 0, 0
    for number, home in enumerate(homes):
        forget_resources()
        desk = Desk(load_settings(home=home, **MARKET), SLOT)
        alias, link, stored, tagged = desk.serving()
        torn += not (link == alias and stored == tagged == [alias])
        begun = bool(desk.pending())
        doors: list[Callable[[], object]] = [
            lambda home=home: call("models", "list", "--home", str(home)),  # type: ignore[misc]
            get_service(desk.settings).follow,
            get_service(desk.settings).sync,
        ]
        doors[number % len(doors)]()
        champion = desk.champion()
        assert champion == (AFTER if begun or number == len(deaths) else champion)
        assert champion in (BEFORE, AFTER)
        alias, link = desk.challenger()
        assert alias == link != champion
        assert desk.pending() == []
        finished += champion == AFTER
    assert torn >= 2, "kills fell between the places, or this test shows nothing"
    assert finished >= 2
