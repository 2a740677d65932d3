"""How models are opened inside a block: of which home, pinned, or answered by what served."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from models.common import model as opened_model
from models.common.ensemble import EnsemblePredictor
from models.common.errors import EnsembleError, ModelNotFound
from models.common.model import Model, open_model
from models.common.opening import Opening, opening, opening_now
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from tests.models import tiny

SLOT = Slot("majors", "direction", "1m")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with a champion v1 and a v2 beside it; it is not the default one."""
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path / "nothing"))
    for version, bias in (("v1", 0.0), ("v2", 1.0)):
        tiny.bundle(tmp_path / "home" / "models", version=version, bias=bias)
    PredictionModelRegistry(tmp_path / "home" / "models").promote(SLOT, "v1")
    return tmp_path / "home"


def test_inside_a_block_the_default_home_is_its_own(home: Path) -> None:
    with pytest.raises(ModelNotFound):
        load_model("direction")
    with opening(Opening(home)) as how:
        assert load_model("direction").info["version_name"] == "v1"
        EnsemblePredictor(["majors/direction@champion"])
    assert list(how.opened) == ["direction", "majors/direction@champion"]
    assert opening_now() is None


def test_a_model_stays_what_it_was_though_the_champion_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_model, "LOOK_S", 0.0)
    with opening(Opening(home)):
        pinned = load_model("direction")
    follows = load_model("direction", home=home)
    PredictionModelRegistry(home / "models").promote(SLOT, "v2")
    assert isinstance(pinned, Model)
    assert isinstance(follows, Model)
    assert (pinned.version_id, follows.version_id) == ("v1", "v2")


def test_where_somebody_else_answers_no_bundle_can_be_opened(home: Path) -> None:
    answer = load_model("direction", home=home)
    asked: list[tuple[str, str | None]] = []

    def answering(name: str, timeframe: str | None) -> Model:
        asked.append((name, timeframe))
        assert isinstance(answer, Model)
        return answer

    with opening(Opening(home, answering)) as how:
        assert load_model("model_001", home=home, timeframe="1m") is answer
        with pytest.raises(ModelNotFound, match="load_model for the kind"):
            open_model("direction", home=home)
        with pytest.raises(EnsembleError, match="really served"):
            EnsemblePredictor(["direction"], home=home)
    assert asked == [("model_001", "1m")]
    assert how.opened == {"model_001": answer}


def test_other_threads_are_not_in_the_block(home: Path) -> None:
    seen = []
    with opening(Opening(home)):
        thread = threading.Thread(target=lambda: seen.append(opening_now()))
        thread.start()
        thread.join()
    assert seen == [None]
