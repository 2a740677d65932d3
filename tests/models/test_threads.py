"""Eight threads predict while the champion changes: no error, and each answer is of one version."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import models.common.model as model_module
from models.common.model import Model, open_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from tests.models import tiny

SLOT = Slot("majors", "price", "1m")
# A price answer has five parts that come from the graph, the head and the novelty: a torn one
# would have parts of two versions.
VERSIONS = {f"v{i}": (0.1 * i, 0.5 + i) for i in range(8)}
THREADS = 8


@pytest.fixture
def registry(tmp_path: Path) -> PredictionModelRegistry:
    registry = PredictionModelRegistry(tmp_path / "models")
    for i, (version, (bias, novelty)) in enumerate(VERSIONS.items()):
        head = {"interval_q": 1.0 + i, "sign_slope": 0.5 + i}
        tiny.bundle(registry.root, "price", version, bias=bias, novelty=novelty, head=head)
    registry.promote(SLOT, "v0")
    return registry


def ask(model: Model, way: int) -> tuple[object, ...]:
    """Return one answer, asked for in one of three ways, as something to be looked up."""
    if way == 0:
        answer = model.predict(tiny.ROWS[:1], close=100.0)
    elif way == 1:
        answer = model.predict(tiny.ROWS[[0, 0]], close=[100.0, 100.0])
        answer = {name: value[0] for name, value in answer.items()}
    else:
        answer = model.bind(tiny.NAMES).predict(tiny.ROWS[0], 100.0)
    return tuple(np.ravel(answer[name]).astype(np.float64).tolist() for name in sorted(answer))


def shake(registry: PredictionModelRegistry, seconds: float, moves: int) -> dict[str, int]:
    """Let threads predict for `seconds` while ``latest`` moves; return answers by version."""
    home = registry.root.parent
    known = {
        str(ask(open_model(version, home=home), way)): version
        for version in VERSIONS
        for way in range(3)
    }
    assert set(known.values()) == set(VERSIONS)
    model = open_model("price", home=home)
    stop = threading.Event()

    def predict(way: int) -> dict[str, int]:
        mine: dict[str, int] = {}
        while not stop.is_set():
            way += 1
            version = known[str(ask(model, way % 3))]
            mine[version] = mine.get(version, 0) + 1
        return mine

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(predict, i) for i in range(THREADS)]
        try:
            for i in range(1, moves + 1):
                registry.promote(SLOT, f"v{i % len(VERSIONS)}")
                time.sleep(seconds / moves)
        finally:
            stop.set()
        seen = [one.result() for one in running]
    assert all(seen)
    last = f"v{moves % len(VERSIONS)}"
    time.sleep(model_module.LOOK_S)
    assert known[str(ask(model, 0))] == last
    return {version: sum(mine.get(version, 0) for mine in seen) for version in VERSIONS}


def test_each_answer_is_of_one_version(
    registry: PredictionModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "LOOK_S", 0.01)
    counts = shake(registry, 1.5, 24)
    assert sum(count > 0 for count in counts.values()) >= 4


@pytest.mark.slow
def test_each_answer_is_of_one_version_for_a_minute(registry: PredictionModelRegistry) -> None:
    """As it is served: the link is looked at five times a second, and moves 200 times."""
    counts = shake(registry, 60.0, 200)
    assert min(counts.values()) > 0
    assert sum(counts.values()) > 10_000
