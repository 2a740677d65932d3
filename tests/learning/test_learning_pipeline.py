"""The seeds' calls end to end, on the simulated market: train, save, load, backtest, live."""

from __future__ import annotations

import concurrent.futures
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.feature_manager import FeatureManager
from features.model_set import MODEL_SET
from market.timeframes import DAY_MS, instant_ms
from ml_pipeline import bundling
from ml_pipeline.composed import compose
from ml_pipeline.direction_predictor import DirectionPredictor
from ml_pipeline.errors import NotTrained, RecipeError, ValidationError
from ml_pipeline.momentum_classifier import MomentumClassifier
from ml_pipeline.price_predictor import PricePredictor
from ml_pipeline.risk_scorer import RiskScorer
from ml_pipeline.tasks import TASKS
from ml_pipeline.train import TrainingPipeline, usable_columns
from ml_pipeline.trained import TrainedModel
from ml_pipeline.validate import ValidationPipeline
from ml_pipeline.volatility_regressor import VolatilityRegressor
from models.common.errors import FeatureError
from models.common.model import Model
from models.common.predictor import EnsemblePredictor, load_model

END = "2025-05-28T00:00:00Z"
SOURCE = "simulated:seed=5,signal=1.0"
SEED_COLUMNS = [
    "close", "returns", "rsi_14", "macd_histogram", "volume_sma_20", "atr_14", "vwap", "adx_14",
]  # fmt: skip
MODELS = [
    {
        "type": "xgboost",
        "name": "direction_predictor_001",
        "config": {"n_estimators": 100, "max_depth": 6, "learning_rate": 0.1},
    },
    {
        "type": "random_forest",
        "name": "risk_scorer_001",
        "config": {"n_estimators": 100, "max_depth": 10},
    },
    {"type": "gradient_boosting", "name": "volatility_regressor_001", "config": {}},
]
Trained = tuple[Path, TrainingPipeline, dict[str, TrainedModel]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The seeds' steps 1 and 2."""
    home = tmp_path_factory.mktemp("home")
    fm = FeatureManager(SOURCE, home=home, end=END)
    training_data = {
        symbol: fm.get_features(
            symbol=symbol, timeframe="1m", feature_list=SEED_COLUMNS, lookback_bars=2000
        )
        for symbol in ["BTC-USDT", "ETH-USDT", "XRP-USDT"]
    }
    pipeline = TrainingPipeline(home, source=SOURCE, end=END)
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as executor:
        futures = {
            model_def["name"]: executor.submit(pipeline.train_model, model_def, training_data)
            for model_def in MODELS
        }
        models = {name: future.result() for name, future in futures.items()}
    for name, model in models.items():
        pipeline.save_model(name, model)
    return home, pipeline, models


def validator(home: Path, **more: Any) -> ValidationPipeline:
    return ValidationPipeline(source=SOURCE, home=home, end=END, **more)


def test_a_definition_makes_its_kind_with_its_hyperparameters(trained: Trained) -> None:
    _, _, models = trained
    kinds = {name: model.kind for name, model in models.items()}
    assert kinds == {
        "direction_predictor_001": "direction",
        "risk_scorer_001": "risk",
        "volatility_regressor_001": "volatility",
    }
    model = models["direction_predictor_001"]
    assert model.type == "xgboost"
    assert model.config["max_depth"] == 6
    assert model.info["training"]["data_points"] > 5000
    assert model.info["simulated"] is True
    assert model.origin.slot.key == "majors/direction/1m"


def test_every_recipe_can_be_trained_by_hand(trained: Trained) -> None:
    home, pipeline, _ = trained
    fm = FeatureManager(SOURCE, home=home, end=END)
    data = {"BTC-USDT": fm.get_features("BTC-USDT", "1m", list(MODEL_SET), lookback_bars=1500)}
    model = pipeline.train_model({"type": "volatility/ridge", "name": "linear_001"}, data)
    assert (model.kind, model.recipe.name, model.info["type"]) == ("volatility", "ridge", "linear")
    assert model.fitted.spec["estimator"] == "ml_pipeline.linear:fit_variances"
    other = pipeline.train_model({"type": "logistic", "kind": "risk", "name": "linear_002"}, data)
    assert (other.kind, other.info["recipe"]) == ("risk", "logistic")


def test_a_predictor_trains_another_recipe_when_asked(trained: Trained) -> None:
    predictor = DirectionPredictor(SOURCE, home=trained[0], end=END)
    model = predictor.train("BTC-USDT", lookback_bars=1500, recipe="logistic")
    assert model.info["recipe"] == "logistic"
    assert predictor.predict("BTC-USDT")["direction"] in ("UP", "DOWN")


def test_columns_in_price_units_are_exchanged_for_their_twins(trained: Trained) -> None:
    home, _, models = trained
    assert models["direction_predictor_001"].recipe.features == (
        "returns", "rsi_14", "macd_histogram_pct", "volume_ratio_20", "natr_14", "close_to_vwap",
        "adx_14",
    )  # fmt: skip
    about = load_model("direction_predictor_001", home=home).info["training"]["exchanged"]
    assert about == {
        "close": "returns",
        "macd_histogram": "macd_histogram_pct",
        "volume_sma_20": "volume_ratio_20",
        "atr_14": "natr_14",
        "vwap": "close_to_vwap",
    }
    with pytest.raises(RecipeError, match="moonphase"):
        usable_columns(["rsi_14", "moonphase"])


def test_an_exchange_is_said_in_the_log_and_its_absence_is_not(
    trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    home, pipeline, _ = trained
    fm = FeatureManager(SOURCE, home=home, end=END)
    for columns in (["adx_14", "atr_14"], ["adx_14"]):
        frames = {"BTC-USDT": fm.get_features("BTC-USDT", "1m", columns, 1000)}
        model = pipeline.train_model({"type": "xgboost", "name": "spoken"}, frames)
        assert ("exchanged" in model.info["training"]) is ("atr_14" in columns)
    said = [record.getMessage() for record in caplog.records if record.name == "ml_pipeline.train"]
    assert len(said) == 1
    assert said[0].startswith("spoken: columns in price")
    assert said[0].endswith("atr_14 → natr_14")


@pytest.mark.parametrize("which", ["fresh", "loaded"])
def test_predicting_from_raw_columns_names_their_twins(trained: Trained, which: str) -> None:
    home, _, models = trained
    name = "direction_predictor_001"
    model = models[name] if which == "fresh" else load_model(name, home=home)
    fm = FeatureManager(SOURCE, home=home, end=END)
    raw = fm.get_features("BTC-USDT", "1m", SEED_COLUMNS, lookback_bars=1)
    with pytest.raises(FeatureError, match=r"natr_14 for atr_14.*close_to_vwap for vwap"):
        model.predict(raw)


@pytest.mark.parametrize("name", [model_def["name"] for model_def in MODELS])
def test_a_saved_model_is_loaded_unchanged(trained: Trained, name: str) -> None:
    home, _, models = trained
    loaded, model = load_model(name, home=home), models[name]
    rows = model.panel.columns(model.features)[-50:]
    np.testing.assert_array_equal(loaded.raw(rows), model.raw(rows))
    assert loaded.info["version_name"] == name
    assert loaded.info["performance"]["backtest_accuracy"] > 0
    assert loaded.info["trained_through"] == model.info["trained_through"]


@pytest.mark.parametrize("name", [model_def["name"] for model_def in MODELS])
def test_a_backtest_scores_only_what_was_never_seen(trained: Trained, name: str) -> None:
    home, _, models = trained
    results = validator(home).backtest_model(
        models[name], symbols=["BTC-USDT", "ETH-USDT"], days_back=7
    )
    assert {"accuracy", "precision", "recall", "f1", "skill", "lower", "upper"} <= set(results)
    seen = instant_ms(models[name].info["trained_through"])
    assert instant_ms(results["since"]) >= seen
    assert seen >= instant_ms(END) - 2.5 * DAY_MS
    assert 0 < results["n"] <= 2 * 2 * 1440 + 2
    assert results["lower"] <= results["skill"] <= results["upper"]


def test_a_loaded_bundle_is_judged_as_the_fresh_model(trained: Trained) -> None:
    home, _, models = trained
    name = "volatility_regressor_001"
    fresh, kept = (
        validator(home).backtest_model(model, ["BTC-USDT"])
        for model in (models[name], load_model(name, home=home))
    )
    assert kept == fresh


def test_retraining_as_the_seeds_write_it(trained: Trained) -> None:
    home, pipeline, _ = trained
    old_model = load_model("risk_scorer_001", home=home)
    fm = FeatureManager(SOURCE, home=home, end=END)
    latest = {"BTC-USDT": fm.get_features("BTC-USDT", "1m", old_model.features, 1000)}
    again = pipeline.train_model(
        model_type=old_model.type, config=old_model.config, training_data=latest
    )
    assert again.kind == "risk"
    assert again.config == old_model.config
    assert again.features == old_model.features
    assert "quarter_hour" not in again.recipe.features
    assert not any(name.startswith("log_rv") for name in again.recipe.features)
    assert again.origin.slot.scope == "BTC-USDT"


def test_nothing_unseen_is_an_error_that_says_so(trained: Trained) -> None:
    home, _, models = trained
    model = models["risk_scorer_001"]
    early = ValidationPipeline(source=SOURCE, home=home, end=model.info["trained_through"])
    with pytest.raises(ValidationError, match="no risk outcome is known after 2025-05-2"):
        early.backtest_model(model, ["BTC-USDT"])


def test_a_card_tells_the_verdict_with_the_figures(trained: Trained) -> None:
    home, _, models = trained
    model = load_model("risk_scorer_001", home=home)
    assert {"base_loss", "times", "effective_n"} <= set(
        validator(home).backtest_model(models["risk_scorer_001"], ["BTC-USDT"])
    )
    card = (
        home / "models" / "majors" / "risk" / model.info["version_name"] / "README.md"
    ).read_text()
    assert "## Verdict" in card


def test_what_lay_outside_of_what_it_knows_is_measured_on_the_bars_of_the_verdict(
    trained: Trained,
) -> None:
    home, _, models = trained
    model = models["direction_predictor_001"]
    examined = validator(home).examine(model, ["BTC-USDT", "ETH-USDT"], 2)
    novelty = model.novelty(examined.panel.columns(model.features))
    assert novelty is not None
    assert examined.figures["novel_share"] == np.mean(novelty > 1)
    saved = load_model("direction_predictor_001", home=home)
    assert isinstance(saved, Model)
    np.testing.assert_array_equal(saved.novelty(examined.panel.columns(model.features)), novelty)
    share = saved.bundle.metrics["novel_share"]
    assert 0 <= share < 0.2
    card = (saved.bundle.folder / "README.md").read_text()
    assert f"{100 * share:.1f} % of {saved.bundle.metrics['n']:,} unseen rows lay outside" in card


def test_a_real_model_is_not_judged_on_the_simulated_market(trained: Trained) -> None:
    home, _, models = trained
    model = models["risk_scorer_001"]
    real = replace(model, origin=replace(model.origin, source="binance", simulated=False))
    with pytest.raises(ValidationError, match="trained on binance, these candles come from sim"):
        validator(home).backtest_model(real, ["BTC-USDT"])


def test_an_ensemble_is_judged_beside_its_members(trained: Trained) -> None:
    home, pipeline, models = trained
    pipeline.save_model("risk_scorer_002", models["risk_scorer_001"])
    members = ["risk_scorer_001", "risk_scorer_002"]
    EnsemblePredictor(members, weights=[0.5, 0.5], home=home).save_config("ensemble_001")
    results = validator(home).backtest_ensemble("ensemble_001", ["BTC-USDT", "ETH-USDT"])
    assert set(results["members"]) == set(members)
    assert results["skill"] == pytest.approx(
        results["members"]["risk_scorer_001"]["skill"], abs=1e-6
    )
    assert results["members"]["risk_scorer_002"]["auc"] == pytest.approx(results["auc"])
    assert results["best_member"] in members
    assert abs(results["z_best"]) < 2
    assert (results["baseline"], results["missing"]) == (False, {})
    assert 0 <= results["novel_share"] < 0.2
    kept = load_model("ensemble_001", home=home)
    assert isinstance(kept, EnsemblePredictor)
    assert kept.results["backtest"]["skill"] == results["skill"]
    with pytest.raises(ValidationError, match="no ensemble"):
        validator(home).backtest_ensemble("risk_scorer_001", ["BTC-USDT"])


def test_an_ensemble_is_judged_as_it_answers_without_a_member(trained: Trained) -> None:
    home, pipeline, models = trained
    pipeline.save_model("risk_scorer_003", models["risk_scorer_001"])
    members = ["risk_scorer_001", "risk_scorer_003", "risk_scorer_gone"]
    ensemble = EnsemblePredictor(members, [0.5, 0.25, 0.25], "stacking", home=home)
    ensemble.save_config("ensemble_002")
    results = validator(home).backtest_ensemble("ensemble_002", ["BTC-USDT"])
    assert set(results["missing"]) == {"risk_scorer_gone"}
    assert results["skill"] == pytest.approx(
        results["members"]["risk_scorer_001"]["skill"], abs=1e-6
    )


def test_a_composed_ensemble_is_judged_as_any_model_is(trained: Trained) -> None:
    home, _, models = trained
    model, version = models["risk_scorer_001"], "2025-05-28T0000Z_1m_ensemble"
    pair = {"model": model.fitted, "plain": model.baseline}
    whole = compose(pair, (1, 0), "weighted_avg", model.panel)
    origin = model.origin
    about = bundling.metadata(whole, origin, version)
    folder = home / "models" / origin.slot.scope / "risk" / version
    bundling.write(folder, whole, about, model.panel, {})
    loaded = load_model(f"{origin.slot.scope}/risk/{version}", home=home)
    assert isinstance(loaded, Model)
    found = validator(home).backtest_model(loaded, ["BTC-USDT"])
    alone = validator(home).backtest_model(model, ["BTC-USDT"])
    assert found["skill"] == pytest.approx(alone["skill"], abs=1e-6)
    assert (found["baseline"], loaded.type) == (False, "ensemble")


class Ledger:
    """What the store would answer: two symbols, the later rows not resolved, a coin as baseline."""

    def ledger(
        self,
        slot_key: str,
        version: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> pd.DataFrame:
        assert slot_key == "majors/direction/1m"
        assert version in ("direction_predictor_001", None)
        assert since_ms is not None
        assert until_ms == instant_ms(END)
        ts = since_ms + 60_000 * np.arange(100, dtype=np.int64)
        up = (np.arange(100) % 4 != 0) * 1.0
        up[90:] = np.nan
        own = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": ts, "raw_0": 0.6, "outcome_0": up})
        late = own[:20].assign(ts_ms=own["ts_ms"][:20] + 7_200_000, raw_0=0.1, role="backfill")
        naive = own.assign(raw_0=0.5, role="baseline")[10:]
        rows = [own.assign(role="champion"), own.assign(symbol="ETH-USDT", raw_0=0.4), late]
        return pd.concat(rows if version else [*rows, naive], ignore_index=True)


def test_live_results_come_from_the_ledger(trained: Trained) -> None:
    home, _, models = trained
    model = models["direction_predictor_001"]
    live = validator(home, ledger=Ledger()).validate_on_live_data(model, "BTC/USDT", hours_back=24)
    assert live["n"] == 90
    assert live["accuracy"] == pytest.approx(67 / 90)
    # Beside it the baseline, on the eighty bars that it answered too.
    assert live["naive"]["n"] == 80
    assert live["base_loss"] == pytest.approx(np.log(2))
    gain = 1 - (np.log(1 / 0.6) * 60 + np.log(1 / 0.4) * 20) / 80 / np.log(2)
    assert live["skill"] == pytest.approx(gain)
    assert live["lower"] < live["skill"] < live["upper"]
    with pytest.raises(ValidationError, match="ValidationPipeline\\(ledger=store\\)"):
        validator(home).validate_on_live_data(model, "BTC-USDT")


def test_data_of_another_source_are_refused(trained: Trained) -> None:
    home, pipeline, _ = trained
    fm = FeatureManager("simulated:seed=6", home=home, end=END)
    frame = fm.get_features("BTC-USDT", "1m", ["rsi_14"], lookback_bars=50)
    with pytest.raises(RecipeError, match="this pipeline reads"):
        pipeline.train_model({"type": "xgboost", "name": "x"}, {"BTC-USDT": frame})
    with pytest.raises(RecipeError, match="no rows"):
        pipeline.train_model({"type": "xgboost", "name": "x"}, {})


PREDICTORS = {
    DirectionPredictor: {"direction", "confidence"},
    RiskScorer: set(),
    PricePredictor: {"predicted_price", "confidence"},
    MomentumClassifier: {"state", "confidence"},
    VolatilityRegressor: {"predicted_volatility", "confidence"},
}


@pytest.mark.parametrize("predictor_class", PREDICTORS)
def test_the_seeds_predictors(predictor_class: Any, trained: Trained) -> None:
    home, _, _ = trained
    predictor = predictor_class(SOURCE, home=home, end=END)
    with pytest.raises(NotTrained):
        predictor.predict(symbol="BTC-USDT")
    predictor.train(symbols=["BTC-USDT"], timeframe="1m", lookback_bars=1000)
    answer = predictor.predict(symbol="BTC-USDT")
    if predictor_class is RiskScorer:
        assert 0 <= answer <= 100
    else:
        assert PREDICTORS[predictor_class] <= set(answer)
    features = FeatureManager(SOURCE, home=home, end=END).get_features(
        "BTC-USDT", "1m", [*predictor.model.features, "close"], lookback_bars=3
    )
    assert predictor.predict(symbol="BTC-USDT", current_features=features) == answer
    results = predictor.backtest(symbols=["BTC-USDT"], days_back=7)
    assert results["n"] > 1000
    figures = {"rmse", "mae", "r2"} if predictor.kind in ("price", "volatility") else {"f1"}
    assert figures | {"accuracy", "lower"} <= set(results)


def test_a_horizon_that_is_not_the_kinds_is_refused(trained: Trained) -> None:
    predictor = DirectionPredictor(SOURCE, home=trained[0], end=END)
    with pytest.raises(RecipeError, match="predicts 5 bars of 1m ahead, not 7"):
        predictor.train(symbols=["BTC-USDT"], prediction_horizon=7)
    assert TASKS["direction"].horizon_bars("1m") == 5


def test_columns_are_chosen_and_hyperparameters_searched_when_asked(trained: Trained) -> None:
    home, pipeline, _ = trained
    fm = FeatureManager(SOURCE, home=home, end=END)
    frames = {"BTC-USDT": fm.get_features("BTC-USDT", "1m", SEED_COLUMNS, 2000)}
    model = pipeline.train_model({"type": "xgboost"}, frames, keep=3, tune_seconds=1)
    assert len(model.recipe.features) == 3
    assert model.fitted.facts["column_choice"]["of"] == 7
    assert model.fitted.facts["tuning"]["trials"] >= 1
    predictor = DirectionPredictor(SOURCE, home=home, end=END)
    config = {"max_depth": 2, "keep": 4, "tune_seconds": 0.1}
    model = predictor.train(["BTC-USDT"], lookback_bars=2000, config=config)
    assert len(model.recipe.features) == 4
    assert model.fitted.facts["tuning"]["trials"] >= 1
    for config in (
        {"keep": 2.5},
        {"keep": True},
        {"keep": 0},
        {"tune_seconds": -1},
        {"tune_seconds": "long"},
    ):
        with pytest.raises(RecipeError, match=r"keep|tune_seconds"):
            predictor.train(["BTC-USDT"], config=config)
