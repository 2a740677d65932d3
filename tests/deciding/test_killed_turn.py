"""kill -9 at any moment, then the same command: the same end, nothing twice, nothing torn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from models.common.slot import Slot
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.service.turn import run_turn
from orchestration.settings import Settings

SCRIPT = Path(__file__).with_name("killed_turn.py")
ROOT = SCRIPT.parents[2]
TURNS = ("2025-05-20T00:00:00Z", "2025-05-20T12:00:00Z")


def killed(home: Path, now: str, at: int) -> tuple[int, str]:
    """Run the turn in a child that dies at its `at`-th lasting change; 0 lets it live."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(home), now, str(at)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-2000:]
    return done.returncode, done.stdout.strip()


def end_state(settings: Settings) -> dict[str, object]:
    """All that counts when a turn is over, without moments, seconds and MLflow's own ids."""
    store, tracking, registry = (of(settings) for of in (store_of, tracking_of, registry_of))
    slot = Slot("BTC-USDT+ETH-USDT", "direction", "1m")
    passing = ("run_id", "seconds")
    return {
        "turns": {t.turn_id: t.status for t in store.list_turns()},
        "models": {
            m.version: (m.status, {k: v for k, v in m.facts.items() if k not in passing})
            for m in store.list_models()
        },
        "verdicts": sorted(
            (v.turn_id, v.version, v.against, v.decision, json.dumps(_judged(v.figures)))
            for v in store.list_verdicts()
        ),
        "ledger": store.ledger(slot.key).drop(columns="made_ms").to_json(),
        "drift": [{**row, "turn_id": row["turn_id"]} for row in store.list_drift()],
        "registry": sorted((v.version, v.status, v.aliases) for v in tracking.versions(slot)),
        "bundles": {b.version_id: b.checksums["model.onnx"] for b in registry.list_bundles()},
        "torn": registry.problems(),
        "links": [registry.linked(slot, role) for role in ("latest", "challenger")],
    }


def _judged(figures: dict[str, object]) -> dict[str, object]:
    """Return figures without how often the holdout was opened: each kill may open it again."""
    holdout = figures.get("holdout")
    if not isinstance(holdout, dict):
        return figures
    return {**figures, "holdout": {k: v for k, v in holdout.items() if k != "openings"}}


def crash_and_resume(settings: Settings, moments: list[int]) -> list[str]:
    """Run both turns, killed at the given changes in turn; return where it died."""
    deaths, left = [], list(moments)
    for now in TURNS:
        for _ in range(50):
            code, said = killed(settings.home, now, left.pop(0) if left else 0)
            if code == 0:
                break
            deaths.append(said)
    return deaths


@pytest.fixture
def undisturbed(
    new_settings: Callable[..., Settings], forget_resources: Callable[[], None], tmp_path: Path
) -> tuple[Settings, dict[str, object]]:
    """Settings of a home still empty, and the end state that two quiet turns reach elsewhere."""
    quiet = new_settings()
    for now in TURNS:
        run_turn(quiet, now)
    expected = end_state(quiet)
    (tmp_path / "home").rename(tmp_path / "quiet")
    # The new home gets the old one's path: connections to the old one must not answer for it.
    forget_resources()
    return new_settings(), expected


def test_killed_twice_and_run_again_it_ends_the_same(
    undisturbed: tuple[Settings, dict[str, object]],
) -> None:
    settings, expected = undisturbed
    deaths = crash_and_resume(settings, [45, 18])
    assert len(deaths) == 2, deaths
    assert all(report.startswith(("before", "after")) for report in deaths)
    assert end_state(settings) == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_dozen_moments_it_ends_the_same(
    undisturbed: tuple[Settings, dict[str, object]], seed: int
) -> None:
    settings, expected = undisturbed
    draw = Random(seed)
    deaths = crash_and_resume(settings, [draw.randint(4, 40) for _ in range(14)])
    assert len(deaths) >= 10
    assert end_state(settings) == expected
