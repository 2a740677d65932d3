"""A model asked at a bar: the same answer from a live row as from a frame, whoever serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.compute_once import FeatureCache
from features.errors import NotEnoughHistory
from features.program import FeatureProgram
from models.common.base_model import BaseModel
from models.common.errors import FeatureError
from models.common.predictor import EnsemblePredictor, load_model
from models.common.registry import PredictionModelRegistry
from models.common.schema import FeatureSchema
from models.common.slot import Slot
from orchestration.recorder import Recorder
from orchestration.service.resources import store_of
from orchestration.settings import load_settings
from orchestration.store import Store
from strategies.asked_model import AskedModel, declared
from strategies.live_features import LiveFeatures
from tests.features.walks import records, walk
from tests.models import tiny

SYMBOL = "BTC-USDT"
BARS = 700
FEWER = tiny.NAMES[:2]


def schema(names: tuple[str, ...]) -> FeatureSchema:
    program = FeatureProgram(names)
    return FeatureSchema(names, program.hashes, program.units)


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return walk(BARS, seed=71)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PredictionModelRegistry:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    monkeypatch.setattr("models.common.model.LOOK_S", 0.0)
    made = PredictionModelRegistry(tmp_path / "models")
    for kind in ("direction", "price"):
        for version, bias in (("v1", 0.5), ("v2", -2.0)):
            tiny.bundle(made.root, kind, version, bias=bias, schema=schema(tiny.NAMES))
        made.promote(Slot("majors", kind, "1m"), "v1")
    return made


@pytest.fixture
def live(candles) -> LiveFeatures:
    made = LiveFeatures("1m")
    made.extend(SYMBOL, candles)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of(load_settings(home=tmp_path))


class Frames:
    """Live features without the quick way."""

    def __init__(self, live: LiveFeatures) -> None:
        self.get_features = live.get_features


@pytest.mark.parametrize("kind", ["direction", "price"])
def test_row_and_frame_give_one_answer(registry, live, candles, kind) -> None:
    quick, slow = AskedModel(kind), AskedModel(kind)
    cache = FeatureCache(candles, SYMBOL)
    for bar in records(walk(BARS + 20, seed=71))[BARS:]:
        live.push(SYMBOL, bar)
        close = bar[4]
        answer = quick.about(SYMBOL, live, close)
        assert answer == slow.about(SYMBOL, Frames(live), close)
    again = LiveFeatures("1m")
    again.extend(SYMBOL, candles)
    close = float(candles["close"].iloc[-1])
    assert quick.about(SYMBOL, again, close) == slow.about(SYMBOL, cache, close)
    assert quick._bound is not None
    assert slow._bound is None


def test_it_follows_the_champion(registry, live) -> None:
    asked = AskedModel("direction")
    assert asked.about(SYMBOL, live)["direction"] == "UP"
    registry.promote(Slot("majors", "direction", "1m"), "v2")
    assert asked.about(SYMBOL, live)["direction"] == "DOWN"


def test_one_that_reads_other_columns_is_bound_anew(registry, live) -> None:
    slot = Slot("majors", "direction", "1m")
    tiny.bundle(registry.root, "direction", "few", bias=1.0, schema=schema(FEWER))
    registry.promote(slot, "few")
    asked = AskedModel("direction")
    before = asked.about(SYMBOL, live)
    assert asked.features == list(FEWER)
    registry.promote(slot, "v2")
    row = live.row(SYMBOL, "1m", tiny.NAMES)
    assert asked.about(SYMBOL, live) == load_model("direction").predict(row) != before


def test_a_model_itself_will_do(registry, live) -> None:
    class Told(BaseModel):
        """Answers by the bar it is shown, like one that looks up what was served."""

        kind, features, info = "direction", ["return_1"], {"timeframe": "5m"}  # type: ignore[assignment]

        def predict(self, features: Any, *, close: Any = None) -> Any:
            return features.index[-1], features.attrs["symbol"], features.attrs["timeframe"]

    asked = AskedModel(Told())
    last = live.get_features(SYMBOL, "5m", ["close"]).index[-1]
    assert asked.about(SYMBOL, live) == (last, SYMBOL, "5m")
    assert AskedModel(load_model("direction")).about(SYMBOL, live)["direction"] == "UP"
    ensemble = EnsemblePredictor(["direction"])
    assert AskedModel(ensemble).timeframe == ensemble.timeframe == "1m"
    assert AskedModel(ensemble).about(SYMBOL, live)["probability"] == pytest.approx(
        AskedModel("direction").about(SYMBOL, live)["probability"], abs=1e-6
    )


def test_what_it_says_live_can_be_recorded(registry, live, store) -> None:
    """One row of the ledger a bar, and the answer that it would give anyway."""
    store.register_model("majors/price/1m", "v1", status="champion", serves_from_ms=0)
    bar = live.get_features(SYMBOL, "1m", ["close"]).index[-1]
    two_seconds_later = bar.timestamp() + 60 + 2
    with Recorder(store, clock=lambda: two_seconds_later) as recorder:
        asked = AskedModel(recorder.of(load_model("price")))
        answer = asked.about(SYMBOL, live, 100.0)
    assert answer == AskedModel("price").about(SYMBOL, live, 100.0)
    assert asked.timeframe == "1m"
    row = store.ledger("majors/price/1m").iloc[0]
    assert (row["symbol"], row["ts_ms"]) == (SYMBOL, int(bar.timestamp() * 1000))
    assert row["raw_0"] == answer["expected_return"]
    assert recorder.written == 1


def test_what_it_is_not_shown_it_does_not_answer(registry, candles) -> None:
    asked, live = AskedModel("direction"), LiveFeatures("1m")
    live.extend(SYMBOL, candles.iloc[:500])
    with pytest.raises(NotEnoughHistory):
        asked.about(SYMBOL, live)
    tiny.bundle(registry.root, "direction", "other")  # its columns are defined otherwise
    live.extend(SYMBOL, candles.iloc[500:])
    with pytest.raises(FeatureError, match="defined otherwise"):
        AskedModel("other").about(SYMBOL, live)


def test_declared_columns_are_named_once(registry) -> None:
    both = declared(AskedModel("direction"), AskedModel("price"))
    assert both == {"1m": list(tiny.NAMES)}
    assert np.unique(both["1m"]).size == len(tiny.NAMES)
