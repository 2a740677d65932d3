"""`tidewheel cycle` killed with -9 at ten moments, then the same command: the same end state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from models.common.slot import KINDS, Slot
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.settings import load_settings

ROOT = Path(__file__).parents[2]
NOW = "2025-05-28T00:00:00Z"
MOMENTS = 10


def command(home: Path) -> list[str]:
    asked = ["--home", str(home), "--source", "simulated", "--days", "14", "--now", NOW, "--json"]
    return [sys.executable, "-m", "serving.cli", "cycle", *asked]


def start(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(home),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
    )


def complete(home: Path) -> float:
    """Run the command to its end and return its seconds."""
    started = time.monotonic()
    process = start(home)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr.decode()[-2000:]
    return time.monotonic() - started


def killed(home: Path, after: float) -> bool:
    """Kill the command `after` seconds from its start; false if it was over by then."""
    process = start(home)
    time.sleep(after)
    over = process.poll() is not None
    if not over:
        os.kill(process.pid, signal.SIGKILL)  # the process alone: its servers must not outlive it
    process.communicate(timeout=60)
    return not over


def end_state(home: Path) -> dict[str, Any]:
    """Return champions, statuses, registry and bundles of a home: all that a turn decides."""
    settings = load_settings(home=home)
    store, tracking, registry = (of(settings) for of in (store_of, tracking_of, registry_of))
    slots = [Slot("majors", kind, "1m") for kind in KINDS]
    return {
        "turns": {turn.turn_id: turn.status for turn in store.list_turns()},
        "models": sorted((m.slot_key, m.version, m.status) for m in store.list_models()),
        "champions": {slot.key: tracking.champion(slot) for slot in slots},
        "served": {slot.key: registry.linked(slot) for slot in slots},
        "registry": {
            slot.key: sorted((v.version, v.status, v.aliases) for v in tracking.versions(slot))
            for slot in slots
        },
        "bundles": sorted(
            (b.key, b.version_id, b.checksums["model.onnx"]) for b in registry.list_bundles()
        ),
        "torn": registry.problems(),
        "ledger": {
            slot.key: store.ledger(slot.key).drop(columns="made_ms").to_json() for slot in slots
        },
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_ten_moments_it_ends_the_same(tmp_path: Path) -> None:
    seconds = complete(tmp_path / "whole")
    wanted = end_state(tmp_path / "whole")
    assert not wanted["torn"]
    hits = 0
    for moment in range(1, MOMENTS + 1):
        home = tmp_path / f"killed-{moment}"
        hits += killed(home, seconds * moment / (MOMENTS + 1))
        complete(home)
        assert end_state(home) == wanted, f"killed at {moment} of {MOMENTS + 1} parts"
    assert hits >= MOMENTS - 2, f"only {hits} of {MOMENTS} kills came before the end"
