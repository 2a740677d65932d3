"""Hot reload: a moved link is followed between two predictions, a bad one is not."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

import models.common.model as model_module
from models.common.model import LOOK_S, Model, open_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from tests.models import tiny

SLOT = Slot("majors", "direction", "1m")
BIAS = {"v1": -1.0, "v2": 1.0}


@pytest.fixture
def registry(tmp_path: Path) -> PredictionModelRegistry:
    registry = PredictionModelRegistry(tmp_path / "models")
    for version, bias in BIAS.items():
        tiny.bundle(registry.root, version=version, bias=bias)
    registry.promote(SLOT, "v1")
    return registry


@pytest.fixture
def model(registry: PredictionModelRegistry, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Return a model that looks at its link before every prediction."""
    monkeypatch.setattr(model_module, "LOOK_S", 0.0)
    monkeypatch.setattr(model_module, "RETRY_S", 0.0)
    return open_model("direction", home=registry.root.parent)


def answer(model: Model) -> float:
    return float(model.predict(tiny.ROWS[:1])["probability"])


def expected(version: str) -> object:
    return pytest.approx(tiny.probability(BIAS[version]), abs=1e-6)


def test_a_promotion_is_followed_and_a_rollback_too(
    registry: PredictionModelRegistry, model: Model
) -> None:
    for version in ("v1", "v2", "v1"):
        registry.promote(SLOT, version)
        assert answer(model) == expected(version)
        assert model.version_id == version


def test_the_link_is_looked_at_five_times_a_second(registry: PredictionModelRegistry) -> None:
    model = open_model("direction", home=registry.root.parent)
    registry.promote(SLOT, "v2")
    assert answer(model) == expected("v1")
    time.sleep(LOOK_S * 1.1)
    assert answer(model) == expected("v2")


def test_an_exact_version_stays(registry: PredictionModelRegistry, model: Model) -> None:
    exact = open_model("v1", home=registry.root.parent)
    registry.promote(SLOT, "v2")
    assert answer(exact) == expected("v1")
    assert answer(model) == expected("v2")


def test_a_bad_version_is_logged_once_and_the_old_one_stays(
    registry: PredictionModelRegistry, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    registry.promote(SLOT, "v2")
    registry.promote(SLOT, "v1")
    graph = registry.folder(SLOT, "v2") / "model.onnx"
    sound = graph.read_bytes()
    graph.write_bytes(sound[::-1])
    link = registry.root / "majors" / "direction" / "latest-1m"
    link.unlink()
    link.symlink_to("v2")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert answer(model) == expected("v1")
    assert len(caplog.records) == 1
    assert "model.onnx is damaged" in caplog.text
    assert "majors/direction/1m/v1 stays in service" in caplog.text
    graph.write_bytes(sound)
    assert answer(model) == expected("v2")


def test_a_removed_link_changes_nothing(
    registry: PredictionModelRegistry, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    registry.unlink(SLOT, "latest")
    assert answer(model) == answer(model) == expected("v1")
    assert len(caplog.records) == 1
    registry.promote(SLOT, "v2")
    assert answer(model) == expected("v2")


def test_a_link_to_another_slots_version_is_not_followed(
    registry: PredictionModelRegistry, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    tiny.bundle(registry.root, version="slow", timeframe="5m", bias=3.0)
    link = registry.root / "majors" / "direction" / "latest-1m"
    link.unlink()
    link.symlink_to("slow")
    assert answer(model) == expected("v1")
    assert "is of majors/direction/5m" in caplog.text


def test_threads_see_the_old_version_or_the_new_one_and_all_end_with_the_last(
    registry: PredictionModelRegistry, model: Model
) -> None:
    """Four threads predict while the champion changes forty times."""
    stop = threading.Event()
    seen: list[set[float]] = [set() for _ in range(4)]

    def predict(mine: set[float]) -> None:
        while not stop.is_set():
            mine.add(answer(model))

    threads = [threading.Thread(target=predict, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    for i in range(40):
        registry.promote(SLOT, "v2" if i % 2 else "v1")
    stop.set()
    for thread in threads:
        thread.join()
    both = {answer(open_model(version, home=registry.root.parent)) for version in BIAS}
    assert set().union(*seen) == both
    assert answer(model) == expected("v2")
