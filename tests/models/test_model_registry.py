"""Registry folder: listing, selecting, and promotion that no reader can catch midway."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.common.errors import BadName, BundleError, ModelNotFound
from models.common.registry import PredictionModelRegistry, models_folder, parse_kind
from models.common.slot import KINDS, SEED_NAMES, Slot
from tests.models import tiny

SLOT = Slot("majors", "direction", "1m")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def registry(tmp_path: Path) -> PredictionModelRegistry:
    for version in ("v1", "v2"):
        tiny.bundle(tmp_path, version=version)
    registry = PredictionModelRegistry(tmp_path)
    registry.promote(SLOT, "v1")
    return registry


def test_the_folder_is_that_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    assert PredictionModelRegistry().root == models_folder() == tmp_path / "models"
    config = SimpleNamespace(model_registry_path="elsewhere")
    assert PredictionModelRegistry(config).root == Path("elsewhere")
    monkeypatch.delenv("TIDEWHEEL_HOME")
    assert models_folder() == Path("var/models")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_goes_by_two_names(kind: str) -> None:
    assert parse_kind(kind) == parse_kind(SEED_NAMES[kind]) == kind


def test_the_documented_calls(registry: PredictionModelRegistry) -> None:
    assert [bundle.key for bundle in registry.list_bundles()] == [
        "majors/direction/1m/v1",
        "majors/direction/1m/v2",
    ]
    bundle = registry.select_bundle(symbol="BTCUSDT", model_type="direction", timeframe="1m")
    assert (bundle.version_id, bundle.metadata.get("timeframe")) == ("v1", "1m")
    prediction = bundle.runner.predict(np.random.default_rng(0).random((120, 3)))
    assert len(prediction.confidence) == len(prediction.direction) == 120


@pytest.mark.parametrize("symbol", ["BTC-USDT", "BTC/USDT", "btc_usdt", "BTCUSDT"])
def test_a_symbol_is_served_by_its_own_model_before_a_pooled_one(
    registry: PredictionModelRegistry, symbol: str
) -> None:
    assert registry.select_bundle(symbol, "direction", "1m").slot.scope == "majors"
    tiny.bundle(registry.root, scope="BTC-USDT", version="own")
    registry.promote(Slot("BTC-USDT", "direction", "1m"), "own")
    assert registry.select_bundle(symbol, "direction", "1m").version_id == "own"
    assert registry.select_bundle("ETH-USDT", "direction").version_id == "v1"


def test_a_version_can_be_asked_for(registry: PredictionModelRegistry) -> None:
    assert registry.select_bundle("majors", "direction", version="v2").version_id == "v2"
    with pytest.raises(BadName):
        registry.select_bundle("majors", "direction", version="../direction/v2")


@pytest.mark.parametrize(
    ("symbol", "kind", "timeframe"),
    [("DOGE-USDT", "direction", "1m"), ("BTC-USDT", "risk", "1m"), ("BTC-USDT", "direction", "5m")],
)
def test_what_nobody_serves_is_said_with_what_there_is(
    registry: PredictionModelRegistry, symbol: str, kind: str, timeframe: str
) -> None:
    with pytest.raises(ModelNotFound, match=rf"no {kind} model serves {symbol}"):
        registry.select_bundle(symbol, kind, timeframe)


def test_links_lead_to_the_version_and_the_first_timeframe_owns_the_bare_one(
    registry: PredictionModelRegistry,
) -> None:
    folder = registry.root / "majors" / "direction"
    tiny.bundle(registry.root, version="slow", timeframe="5m")
    registry.promote(Slot("majors", "direction", "5m"), "slow")
    registry.promote(SLOT, "v2")
    assert (folder / "latest").resolve().name == "v2"
    assert (folder / "latest-1m").resolve().name == "v2"
    assert (folder / "latest-5m").resolve().name == "slow"
    assert registry.linked(SLOT) == "v2"
    assert registry.linked(SLOT, "challenger") is None
    assert registry.versions(SLOT) == ["v1", "v2"]


def test_a_role_can_be_given_and_taken(registry: PredictionModelRegistry) -> None:
    registry.link(SLOT, "challenger", "v2")
    assert registry.linked(SLOT, "challenger") == "v2"
    registry.unlink(SLOT, "challenger")
    registry.unlink(SLOT, "challenger")
    registry.unlink(Slot("nobody", "risk", "1m"), "challenger")
    assert registry.linked(SLOT, "challenger") is None
    names = {p.name for p in (registry.root / "majors" / "direction").iterdir()}
    assert names == {".lock", "v1", "v2", "latest", "latest-1m"}
    with pytest.raises(BadName, match="no role"):
        registry.link(SLOT, "emperor", "v2")


def test_a_damaged_version_is_not_promoted_and_the_old_one_stays(
    registry: PredictionModelRegistry,
) -> None:
    (registry.folder(SLOT, "v2") / "model.onnx").write_bytes(b"rubbish")
    with pytest.raises(BundleError, match=r"model\.onnx is damaged"):
        registry.promote(SLOT, "v2")
    with pytest.raises(BundleError, match="no such folder"):
        registry.promote(SLOT, "v3")
    assert registry.linked(SLOT) == "v1"


def test_a_version_of_another_slot_is_not_promoted(registry: PredictionModelRegistry) -> None:
    tiny.bundle(registry.root, version="slow", timeframe="5m")
    with pytest.raises(BundleError, match="is of majors/direction/5m"):
        registry.promote(SLOT, "slow")


def test_a_bundle_in_the_place_of_another_is_refused(registry: PredictionModelRegistry) -> None:
    folder = registry.folder(SLOT, "v2")
    folder.rename(folder.with_name("v3"))
    with pytest.raises(BundleError, match="does not belong here"):
        registry.promote(SLOT, "v3")


def test_a_damaged_bundle_is_left_out_of_the_list_and_named_among_the_problems(
    registry: PredictionModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    (registry.folder(SLOT, "v1") / "README.md").unlink()
    (registry.folder(SLOT, "v2") / "model.onnx").write_bytes(b"rubbish")
    with caplog.at_level(logging.WARNING):
        assert [bundle.version_id for bundle in registry.list_bundles()] == ["v2"]
    assert "README.md missing" in caplog.text
    problems = registry.problems()
    assert "README.md missing" in problems["majors/direction/v1"]
    assert "model.onnx is damaged" in problems["majors/direction/v2"]


def test_a_link_that_leads_out_of_the_models_folder_is_refused(
    registry: PredictionModelRegistry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tiny.bundle(tmp_path_factory.mktemp("outside"), version="v1")
    link = registry.root / "majors" / "direction" / "latest-1m"
    link.unlink()
    link.symlink_to(outside)
    with pytest.raises(BundleError, match="outside of the models folder"):
        registry.select_bundle("majors", "direction", "1m")


READER = """
import sys
from pathlib import Path
from models.common.registry import PredictionModelRegistry

registry = PredictionModelRegistry(Path(sys.argv[1]))
seen = {}
print("ready", flush=True)
while not (registry.root / "stop").exists():
    version = registry.select_bundle("majors", "direction", "1m").version_id
    seen[version] = seen.get(version, 0) + 1
print(seen)
"""


def test_promotion_is_atomic_under_a_reader_in_another_process(
    registry: PredictionModelRegistry,
) -> None:
    """A reader that looks all the time finds v1 or v2 whole, never nothing."""
    reader = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", READER, str(registry.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for i in range(150):
        registry.promote(SLOT, f"v{1 + i % 2}")
    (registry.root / "stop").touch()
    out, err = reader.communicate(timeout=60)
    assert reader.returncode == 0, err
    assert "'v1'" in out
    assert "'v2'" in out


def test_two_processes_may_write_the_same_version_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.models import tiny\n"
        "for i in range(6): tiny.bundle(Path(sys.argv[1]), version=f'v{i}')"
    )
    writers = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", script, str(tmp_path)], cwd=ROOT)
        for _ in range(2)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    registry = PredictionModelRegistry(tmp_path)
    assert registry.problems() == {}
    assert len(registry.list_bundles()) == 6


@pytest.mark.parametrize("word", ["basic", "sentiment", "price", "price_predictor"])
def test_a_price_model_goes_by_several_words(tmp_path: Path, word: str) -> None:
    """As `PredictionModelRegistry(config)` with a path in the configuration is asked."""
    models = tmp_path / "models"
    for version, timeframe in (("v1", "1h"), ("v2", "1h"), ("v3", "1m")):
        tiny.bundle(models, "price", version, scope="BTC-USDT", timeframe=timeframe)
        PredictionModelRegistry(models).promote(Slot("BTC-USDT", "price", timeframe), version)
    config = SimpleNamespace(model_registry_path=models)
    registry = PredictionModelRegistry(config)
    bundle = registry.select_bundle(symbol="BTCUSDT", model_type=word, timeframe="1h")
    assert (bundle.version_id, bundle.metadata["timeframe"]) == ("v2", "1h")
    assert bundle.key == "BTC-USDT/price/1h/v2"
    assert registry.select_bundle("BTCUSDT", word, version="v1").version_id == "v1"
    assert registry.select_bundle("BTCUSDT", word).version_id == "v2"
    features = np.random.default_rng(0).random((120, 3)).astype(np.float32)
    prediction = bundle.runner.predict(features)
    assert prediction.price is None
    assert prediction.confidence.shape == prediction.direction.shape == (120,)
    assert bundle.runner.predict(features, close=np.full(120, 100.0)).price.shape == (120,)
    assert (bundle.metrics, len(bundle.schema)) == ({"skill": 0.01}, 3)
