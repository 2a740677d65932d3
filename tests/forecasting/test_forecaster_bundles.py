"""A forecaster in the registry: promoted, opened by `load_model`, answering one bar and many."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.program import FeatureProgram
from ml_pipeline.forecasters.autoregressive_predictor import AutoregressivePricePredictor
from ml_pipeline.forecasters.bundling import Source, write_forecaster
from ml_pipeline.forecasters.judging import judge_forecaster
from ml_pipeline.forecasters.multi_ohlc_predictor import MultiOHLCPredictor
from ml_pipeline.forecasters.predictor import ForecasterPredictor
from models.common.bundle import read_bundle
from models.common.errors import BundleError
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.engine import Prediction, PredictionConfig, PredictionEngine
from tests.forecasting.test_forecasters import swinging
from tests.models import tiny

KINDS = (AutoregressivePricePredictor, MultiOHLCPredictor)
SOURCE = Source("simulated", simulated=True, created_ms=1_748_390_400_000)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.type)
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ForecasterPredictor, pd.DataFrame]:
    home = tmp_path_factory.mktemp("home")
    predictor = request.param(n_steps_ahead=60)
    train, test = predictor.prepare_data(swinging(5000, memory=0.4))
    predictor.train(train, symbol="BTC-USDT")
    registry = PredictionModelRegistry(home / "models")
    judged = judge_forecaster(predictor.forecaster, test, horizons=(1, 5), every=5)
    folder = write_forecaster(registry, "BTC-USDT", predictor, test, SOURCE, judged)
    registry.promote(Slot("BTC-USDT", predictor.type, "1m"), folder.name)
    return home, predictor, test


Written = tuple[Path, ForecasterPredictor, pd.DataFrame]


def test_load_model_knows_it_by_kind_and_name(written: Written) -> None:
    home, predictor, test = written
    for name in (predictor.type, f"{predictor.type}_predictor_001", f"BTC-USDT/{predictor.type}"):
        model = load_model(name, home=home)
        assert model.kind == predictor.type
        assert model.info["simulated"] is True
    assert model.forecaster.predict(test).equals(predictor.predict(test))


def test_the_graph_answers_the_next_bar(written: Written) -> None:
    home, predictor, test = written
    model = load_model(predictor.type, home=home)
    rows = FeatureProgram(model.features).run(test)[-40:]
    close = test["close"].to_numpy()[-40:]
    answer = model.predict(rows, close=close)
    frame = predictor.predict(test, every=1).iloc[-40:]
    sides = ["price"] if predictor.type == "autoregressive" else ["open", "high", "low", "close"]
    names = {f"predicted_{side}": f"predicted_{side}_1" for side in sides}
    for mine, theirs in names.items():
        np.testing.assert_allclose(answer[mine], frame[theirs], rtol=1e-6)
    np.testing.assert_allclose(answer["interval"][:, 0], frame["lower_1"], rtol=1e-5)
    np.testing.assert_allclose(answer["interval"][:, 1], frame["upper_1"], rtol=1e-5)
    np.testing.assert_allclose(answer["confidence"], frame["confidence_1"], atol=0.011)
    one = model.predict(rows[-1:], close=float(close[-1]))
    for name, value in one.items():
        if value is not None and name not in ("novelty", "out_of_distribution"):
            np.testing.assert_allclose(value, np.asarray(answer[name])[-1], rtol=1e-9)


def test_its_figures_are_kept(written: Written) -> None:
    home, predictor, _ = written
    bundle = load_model(predictor.type, home=home).bundle
    assert bundle.metrics["skill"] == bundle.metrics["horizons"][0]["returns"]["skill"]
    assert "| 5 |" in (bundle.folder / "README.md").read_text()
    assert "simulated" in (bundle.folder / "README.md").read_text()


def test_a_damaged_booster_is_refused(written: Written) -> None:
    home, predictor, _ = written
    model = load_model(predictor.type, home=home)
    (text, *_) = sorted(model.bundle.folder.glob("booster-*.txt"))
    whole = text.read_bytes()
    text.write_bytes(whole.replace(b"leaf_value=", b"leaf_value=1", 1))
    try:
        with pytest.raises(BundleError, match="damaged"):
            _ = load_model(predictor.type, home=home).forecaster
    finally:
        text.write_bytes(whole)


def test_the_five_kinds_forecast_no_steps(tmp_path: Path) -> None:
    bundle = read_bundle(tiny.bundle(tmp_path))
    with pytest.raises(BundleError, match="no forecaster of many steps"):
        _ = bundle.forecaster


def test_the_prediction_engine_answers_with_the_next_bar(written: Written) -> None:
    home, predictor, test = written
    config = PredictionConfig(home=home, model_type=f"{predictor.type}_predictor")
    said = PredictionEngine(config).predict(test, "BTCUSDT")
    last = predictor.predict(test, every=1).iloc[-1]
    close = "price" if predictor.type == "autoregressive" else "close"
    assert said.price == pytest.approx(last[f"predicted_{close}_1"], rel=1e-6)
    assert said.interval == pytest.approx((last["lower_1"], last["upper_1"]), rel=1e-5)
    assert said.model_name == f"BTC-USDT/{predictor.type}/1m"
    assert Prediction.from_dict(json.loads(json.dumps(said.as_dict()))).interval == said.interval
