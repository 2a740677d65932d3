"""The Python of the users' documents runs as it is written; only import lines are others.

`tests/documents/` holds every snippet word for word, and where the documents themselves are at hand
they are compared. Names that a snippet takes for granted (``db``, ``df``, ``execute_trade``) are
given by the functions below, one a snippet; the few words that had to change are in `CHANGED`, and
what other parts of the house will bring is in `NOT_YET`, each with its reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.engineer import PriceFeatureEngineer
from features.feature_manager import FeatureManager
from market.source import open_source
from market.timeframes import DAY_MS
from ml_pipeline import bundling
from ml_pipeline.fit import fit
from ml_pipeline.history import History
from ml_pipeline.lineage import lineage
from ml_pipeline.recipes import RECIPES
from ml_pipeline.splits import turn_split
from ml_pipeline.tasks import TASKS
from ml_pipeline.train import TrainingPipeline
from models.common.errors import FeatureError
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from models.common.schema import FeatureSchema
from models.common.slot import Slot
from orchestration.engine import PredictionConfig
from orchestration.service.resources import store_of
from orchestration.settings import load_settings
from orchestration.store.store import Store
from strategies.backtest_engine import BacktestEngine
from tests.models import tiny

COPIES = Path(__file__).parent / "documents"
ORIGINALS = Path(
    os.environ.get("TIDEWHEEL_DOCUMENTS", Path(__file__).parents[2] / "shared" / "seeds")
)
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
HOURLY = "2025-09-17_1h_v1"
Words = dict[str, Any]

CHANGED: dict[str, tuple[str, str, str]] = {
    "Monitor Live Accuracy": (
        "validator = ValidationPipeline()",
        "validator = ValidationPipeline(ledger=db)",
        "live accuracy comes from stored predictions; the pipeline lies below the store and has "
        "to be handed it",
    ),
    "Retrain Drifting Models": (
        "backtest_model(retrained, ...)",
        "backtest_model(retrained, symbols=['BTC-USDT'])",
        "the document leaves the markets open",
    ),
}

# Where the documents' modules live here. Candles come from the reader's source, not from Binance.
IMPORTS = {
    "from src.data_providers.binance_provider import BinanceProvider": (
        "from market.providers import HistoryProvider as BinanceProvider"
    ),
    "from src.prediction.config": "from orchestration.engine.config",
    "from src.prediction.engine": "from orchestration.engine",
    "from src.prediction.models.registry": "from models.common.registry",
    "from src.strategies.ml_basic": "from strategies.ml_basic",
    "from backtesting.engine": "from strategies.backtest_engine",
    "from domain.strategies.implementations.ml_predictive_strategy": (
        "from strategies.ml_predictive"
    ),
    "from domain.ml.features.price_features": "from features.engineer",
    "from domain.ml.predictors": "from ml_pipeline.forecasters",
    "from data.historical": "from market.historical",
    "from api.services.ml_service": "from orchestration.service.ml_service",
}

NOT_YET: dict[tuple[str, int], str] = {}
SERVICE = {
    ("004", 11): "ML Service API",
    ("004", 12): "Train Model",
    ("004", 13): "List Models",
    ("004", 14): "Generate Predictions",
    ("004", 15): "Save Prediction",
    ("004", 16): "Example 1: Train and Predict",
    ("004", 20): "Insufficient data for training",
}
"""Run in `tests/api/test_service_documents.py`."""

REGISTRY = {("001", 1): "Manual bundle access", ("002", 0): "Selecting a bundle"}
ENGINE = {("000", 0): "Prediction engine", ("001", 0): "Via Prediction Engine"}
ENGINEER = {("004", 6): "Feature Engineering", ("004", 7): "Feature Caching"}
FORECASTS = {
    ("004", 0): "Autoregressive: Initialization",
    ("004", 1): "Autoregressive: Training",
    ("004", 2): "Autoregressive: Prediction",
    ("004", 3): "Multi-OHLC: Initialization",
    ("004", 4): "Multi-OHLC: Training",
    ("004", 5): "Multi-OHLC: Prediction",
    ("004", 8): "Save Model",
    ("004", 9): "Load Model",
    ("004", 10): "Config Structure",
    ("004", 17): "Example 2: Compare Model Types",
    ("004", 18): "Example 3: Feature Importance Analysis",
    ("004", 21): "Low Validation R²",
    ("004", 22): "Model Overfitting",
}
"""Run in `tests/forecasting/test_forecaster_documents.py`."""
BY_PRICE = {
    ("001", 2): "Via Strategy Components",
    ("004", 19): "Example 4: Backtesting with ML Strategy",
}
"""What runs with a price model of hourly bars in service."""

TRAINS = """ml_service = get_ml_service()
model_info = ml_service.train_model('BTC/USDT', '1h', 300, 30)
"""
"""Lines of `BY_PRICE` that are left out: there ``model_info`` names a price model, which strategies
ask. They run in `tests/api/test_service_documents.py`, as a part of other snippets."""


def snippets(number: str) -> dict[str, str]:
    """Return the snippets of a document by the heading above each."""
    (path,) = COPIES.glob(f"{number}-*.md")
    parts = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0]: BLOCK.findall(part)[0] for part in parts}


@pytest.mark.parametrize("number", ["000", "001", "002", "003", "004"])
def test_the_copies_are_word_for_word(number: str) -> None:
    originals = sorted(ORIGINALS.glob(f"{number}_*.txt"))
    if not originals:
        pytest.skip(f"no documents in {ORIGINALS}; set TIDEWHEEL_DOCUMENTS")
    (path,) = COPIES.glob(f"{number}-*.md")
    assert BLOCK.findall(path.read_text()) == BLOCK.findall(originals[0].read_text())


def test_every_snippet_is_run_or_says_why_not() -> None:
    there = {(n, i) for n in ("000", "001", "002", "004") for i in range(len(snippets(n)))}
    run = REGISTRY | ENGINE | ENGINEER | FORECASTS | SERVICE | BY_PRICE
    assert set(NOT_YET) | set(run) == there
    assert not set(NOT_YET) & set(run)
    assert all(list(snippets(n))[i] == heading for (n, i), heading in run.items())
    assert set(STEPS) == set(snippets("003"))
    assert all(old in snippets("003")[name] for name, (old, _, _) in CHANGED.items())


def typed(number: str, heading: str, words: Words) -> None:
    """Run a snippet with our import lines."""
    code = snippets(number)[heading].replace(TRAINS, "")
    for theirs, ours in IMPORTS.items():
        code = code.replace(theirs, ours)
    exec(compile(code, heading, "exec"), words)


# ---------------------------------------------------------------- what snippets take for granted


class Reader:
    """Somebody who types the guide's snippets in, one after the other, into one session."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.db: Store = store_of(load_settings(home=home))
        self.words: Words = {"db": self.db}
        self.done: list[str] = []

    def through(self, heading: str) -> Words:
        """Type everything up to a heading, what was typed before excepted."""
        for name, code in snippets("003").items():
            if name not in self.done:
                STEPS[name](self)
                old, new, _ = CHANGED.get(name, ("", "", ""))
                text = code.replace(old, new) if old else code
                exec(compile(text, name, "exec"), self.words)
                self.done.append(name)
            if name == heading:
                break
        return self.words

    def columns(self, names: Any, bars: int = 50) -> pd.DataFrame:
        return FeatureManager().get_features("BTC-USDT", "1m", names, lookback_bars=bars)

    def judged(self, name: str, kind: str, accuracy: float, f1: float) -> None:
        """Store a version and a verdict on it, as a turn does."""
        slot = f"majors/{kind}/1m"
        self.db.register_model(slot, name, status="champion")
        self.db.begin_turn("by-hand", {})
        figures = {"accuracy": accuracy, "f1": f1}
        self.db.add_verdict("by-hand", slot, name, "baseline", figures, "keep", "as told")


def nothing(reader: Reader) -> None:
    """The snippet brings all it needs."""


def for_direction(reader: Reader) -> None:
    reader.words["df"] = reader.columns(RECIPES["direction"][0].columns("1m"))


def for_risk(reader: Reader) -> None:
    reader.words["df"] = reader.columns(RECIPES["risk"][0].columns("1m"))
    reader.words["traded"] = traded = []
    reader.words["execute_trade"] = lambda: traded.append(1)


def for_momentum(reader: Reader) -> None:
    reader.words["df"] = reader.columns(RECIPES["momentum"][0].columns("1m"))


def for_drift(reader: Reader) -> None:
    """A model in service that was judged far better than it did in its last day."""
    name = "direction_predictor_001"
    reader.judged(name, "direction", accuracy=0.9, f1=0.0)
    model = reader.words["trained_models"][name]
    rows = model.panel.rows(model.panel.ts >= model.panel.ts[-1] - 20 * 3_600_000)
    symbols = np.array(rows.symbols)[rows.symbol]
    told = pd.DataFrame({"symbol": symbols, "ts_ms": rows.ts})
    told["raw"] = list(np.asarray(model.raw(rows.columns(model.features)), dtype=np.float64))
    came = told.assign(outcome=list(rows.labels["direction"][:, None])).drop(columns="raw")
    reader.db.add_predictions("majors/direction/1m", name, "champion", told)
    reader.db.add_outcomes("majors/direction/1m", came)
    reader.words |= {"active_models": [name], "load_model": load_model}


def for_retraining(reader: Reader) -> None:
    reader.words["check_model_drift"]()
    pipeline: TrainingPipeline = reader.words["pipeline"]

    def save_model(name: str, model: Any) -> None:
        pipeline.save_model(name, model)
        reader.db.register_model("majors/direction/1m", name)

    columns = load_model("direction_predictor_001").features
    symbols = ["BTC-USDT", "ETH-USDT", "XRP-USDT"]
    fm = FeatureManager()
    reader.words |= {
        "trainer": pipeline,
        "save_model": save_model,
        "get_latest_data": lambda: {s: fm.get_features(s, "1m", columns, 1500) for s in symbols},
    }


def for_ensemble(reader: Reader) -> None:
    """Three models of one kind under the document's names."""
    model = reader.words["trained_models"]["direction_predictor_001"]
    for name in ("model_001", "model_002", "model_003"):
        reader.words["pipeline"].save_model(name, model)
        reader.judged(name, "direction", accuracy=0.5, f1=0.0)
    reader.words["features"] = reader.columns(model.features, 1)


def for_ensemble_test(reader: Reader) -> None:
    reader.db.save_ensemble("ensemble_001", {"slot": "majors/direction/1m"})


STEPS: dict[str, Callable[[Reader], None]] = {
    "1. Direction Predictor (XGBoost)": for_direction,
    "2. Risk Scorer (Random Forest)": for_risk,
    "3. Price Predictor (Neural Network)": nothing,
    "4. Momentum Classifier (SVM)": for_momentum,
    "5. Volatility Regressor (Gradient Boosting)": nothing,
    "Step 1: Data Preparation": nothing,
    "Step 2: Build Models": nothing,
    "Step 3: Validation (Backtest)": nothing,
    "Step 4: Ranking": nothing,
    "Monitor Live Accuracy": for_drift,
    "Retrain Drifting Models": for_retraining,
    "Create an Ensemble": for_ensemble,
    "Test Ensemble": for_ensemble_test,
    "Integration with Strategies": nothing,
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("TIDEWHEEL_HOME", str(home))
        patch.setenv("TIDEWHEEL_SOURCE", "simulated:seed=5,signal=1.0")
        yield Reader(home)


# ---------------------------------------------------------------- the guide, snippet by snippet


def test_direction(reader: Reader) -> None:
    words = reader.through("1. Direction Predictor (XGBoost)")
    assert words["pred"]["direction"] in ("UP", "DOWN")
    assert 0.5 <= words["pred"]["confidence"] <= 1
    assert {"accuracy", "precision", "recall", "f1"} <= set(words["results"])


def test_risk(reader: Reader) -> None:
    words = reader.through("2. Risk Scorer (Random Forest)")
    assert 0 <= words["risk"] <= 100
    assert bool(words["traded"]) is (words["risk"] < 60)


def test_price(reader: Reader) -> None:
    words = reader.through("3. Price Predictor (Neural Network)")
    assert words["price_pred"]["predicted_price"] > 0
    assert 0 <= words["price_pred"]["confidence"] <= 1
    assert {"rmse", "mae", "r2"} <= set(words["results"])


def test_momentum(reader: Reader) -> None:
    words = reader.through("4. Momentum Classifier (SVM)")
    assert words["momentum_state"]["state"] in ("accelerating", "decelerating")
    assert 0.5 <= words["momentum_state"]["confidence"] <= 1


def test_volatility(reader: Reader) -> None:
    words = reader.through("5. Volatility Regressor (Gradient Boosting)")
    assert 0 < words["vol"]["predicted_volatility"] < 1
    assert 0 <= words["vol"]["confidence"] <= 1


def test_training_in_steps(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    words = reader.through("Step 4: Ranking")
    assert {name: len(df) for name, df in words["training_data"].items()} == {
        "BTC-USDT": 2000, "ETH-USDT": 2000, "XRP-USDT": 2000,
    }  # fmt: skip
    assert list(words["trained_models"]) == ["direction_predictor_001", "risk_scorer_001"]
    assert load_model("risk_scorer_001").config["max_depth"] == 10
    said = capsys.readouterr().out
    assert "✓ direction_predictor_001 trained" in said
    assert re.search(r"Accuracy: \d\d\.\d\d%", said)
    assert {name for name, _ in words["top_models"]} == set(words["trained_models"])
    assert words["to_remove"] == []


def test_drift_and_retraining(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    words = reader.through("Retrain Drifting Models")
    assert "direction_predictor_001 accuracy drifting" in capsys.readouterr().out
    (flagged,) = reader.db.get_flagged_for_retraining()
    assert "direction_predictor_001" in flagged
    words["retrain_drifting_models"]()
    assert "✓ Retrained" in capsys.readouterr().out
    statuses = {m.version: m.status for m in reader.db.list_models(slot_key="majors/direction/1m")}
    assert statuses["direction_predictor_001"] == "superseded"
    assert statuses["direction_predictor_002"] == "champion"


def test_the_library_has_both_functions_by_the_real_verdict(reader: Reader) -> None:
    """What the document's functions do with one difference of 24 h and one f1 against another."""
    from orchestration.service.drifting import check_model_drift, retrain_drifting_models

    reader.through("Retrain Drifting Models")
    settings = load_settings(home=reader.home)
    rows = check_model_drift(settings)
    assert {row["status"] for row in rows} <= {"LEARNING", "OK"}, "a day of ledger says nothing yet"
    for name in reader.db.get_flagged_for_retraining():
        reader.db.clear_flag(name)
    assert retrain_drifting_models(settings)["sentence"] == "nothing is flagged for retraining"


def test_ensembles(reader: Reader) -> None:
    words = reader.through("Test Ensemble")
    assert words["pred"]["direction"] in ("UP", "DOWN")
    assert words["pred"]["missing"] == []
    assert (reader.home / "models" / "ensembles" / "ensemble_001.json").exists()
    assert words["results"]["f1"] > 0
    active = reader.db.active_ensemble("majors/direction/1m")
    assert active is not None
    assert active.name == "ensemble_001"


def test_the_strategy_runs_until_it_shows_prices_to_a_model(reader: Reader) -> None:
    """It hands raw columns over, which are refused by design, with what to ask for instead.

    A price that never was before is what a model cannot know, and the twin cannot be computed from
    a row of levels alone. `strategies.ml_enhanced` is the same strategy, asking `model.features`;
    it also maps UP to LONG, which the document compares as they are, so that it never trades.
    """
    words = reader.through("Integration with Strategies")
    strategy = words["MLEnhancedStrategy"]()
    fm = FeatureManager()
    rsi = fm.get_features("BTC-USDT", "5m", ["rsi_14"], lookback_bars=2000)["rsi_14"]
    calm = rsi[(rsi > 40) & (rsi < 60)].index[-1] + pd.Timedelta("5min")
    bought = rsi[rsi > 72].index[-1] + pd.Timedelta("5min")
    now = [FeatureManager(end=moment) for moment in (calm, bought)]
    assert strategy.detect("BTC-USDT", 1.0, 1.0, 0, None, now[0]) is None
    with pytest.raises(FeatureError, match=r"natr_14 for atr_14"):
        strategy.detect("BTC-USDT", 1.0, 1.0, 0, None, now[1])


def test_with_models_of_its_columns_the_strategy_runs_and_never_trades(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every bar of a backtest: its UP is no LONG. With that one word mapped it trades."""
    words = reader.through("Integration with Strategies")
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    registry = PredictionModelRegistry(tmp_path / "models")
    schema = FeatureSchema(("returns",), {"returns": "-"}, {"returns": "–"})
    for kind, bias in (("direction", 1.0), ("risk", -1.0)):
        tiny.bundle(registry.root, kind, bias=bias, schema=schema)
        registry.promote(Slot("majors", kind, "1m"), "v1")
    candles = open_source("simulated").fetch(
        "BTC-USDT", "1m", "2025-05-01T00:00Z", "2025-05-04T00:00Z"
    )
    engine = BacktestEngine(words["MLEnhancedStrategy"]())
    run = engine.account(candles, "BTC-USDT")
    assert (run.bars, run.unsettled) == (4320, 5 * 574 + 4)
    assert not len(run.fills)

    class Mapped(words["MLEnhancedStrategy"]):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            said = self.direction_model.predict
            up = {"direction": "LONG"}
            self.direction_model.predict = lambda row: said(row) | up

    traded = BacktestEngine(Mapped()).account(candles, "BTC-USDT")
    assert set(traded.trades["side"]) == {"LONG"}


# ---------------------------------------------------------------- the registry


@pytest.fixture(scope="module")
def hourly(reader: Reader) -> Reader:
    """A price model of five columns on hourly bars of BTC serves."""
    recipe = replace(
        next(recipe for recipe in RECIPES["price"] if recipe.type == "linear"),
        features=("returns", "rsi_14"),
    )
    history = History.open()
    end = history.now_ms("1h")
    start = end - 90 * DAY_MS
    columns = recipe.columns("1h")
    assert len(columns) == 5
    panel = history.panel("BTC-USDT", "1h", columns, start, end)
    split = turn_split(start, end, "1h", TASKS["price"].horizon_bars("1h"), 30, (15, 20, 15))
    model = fit(recipe, panel, split, seed=0)
    slot, version = Slot("BTC-USDT", "price", "1h"), HOURLY
    origin = bundling.Origin(
        slot=slot,
        symbols=("BTC-USDT",),
        source=history.source.name,
        simulated=True,
        split=split,
        created_ms=end,
        lineage=lineage(panel, split, "price", columns),
    )
    registry = PredictionModelRegistry(PredictionConfig.from_config_manager())
    about = bundling.metadata(model, origin, version)
    bundling.write(registry.folder(slot, version), model, about, panel, {})
    registry.promote(slot, version)
    return reader


@pytest.mark.parametrize(("number", "heading"), [(n, name) for (n, _), name in REGISTRY.items()])
def test_the_registrys_snippets(
    number: str, heading: str, hourly: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    words: Words = {}
    typed(number, heading, words)
    assert words["bundle"].version_id == HOURLY
    prediction = words["prediction"]
    # A price needs a last close to start from, which the snippet does not give: the return is told.
    assert prediction.price is None
    assert set(prediction.direction) <= {"UP", "DOWN"}
    assert prediction.confidence.shape == (120,)
    said = capsys.readouterr().out
    assert ("BTC-USDT/price/1h/2025-09-17_1h_v1 1h" in said) is (number == "002")


# ---------------------------------------------------------------- the prediction engine


@pytest.mark.parametrize(("number", "heading"), [(n, name) for (n, _), name in ENGINE.items()])
def test_the_engines_snippets(
    number: str, heading: str, hourly: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    candles = hourly_candles()
    candles.attrs = {}  # a frame that says nothing of itself: the only model of the kind answers
    words: Words = {"candles_dataframe": candles}
    typed(number, heading, words)
    said = words["result"] if number == "000" else words["prediction"]
    told = [str(said.price), str(said.confidence)]
    assert capsys.readouterr().out.split()[:2] == told
    assert (said.model_name, said.version) == ("BTC-USDT/price/1h", HOURLY)
    assert said.symbol == ("BTC-USDT" if number == "000" else None)
    assert said.interval[0] < said.price < said.interval[1]
    assert words["engine"].predict(words.get("df", candles)).cached
    words["engine"].close()


# ---------------------------------------------------------------- features, strategies, backtests


@pytest.mark.parametrize("heading", list(ENGINEER.values()))
def test_the_engineers_snippets(heading: str, capsys: pytest.CaptureFixture[str]) -> None:
    candles = open_source("simulated").fetch(
        "BTC-USDT", "1m", "2025-05-01T00:00Z", "2025-05-01T01:30Z"
    )
    words: Words = {"ohlcv_df": candles, "data": candles, "engineer": PriceFeatureEngineer()}
    typed("004", heading, words)
    if heading == "Feature Engineering":
        assert "Total features: 142" in capsys.readouterr().out
    else:
        assert words["features"].equals(words["all_features"])


def test_the_basic_strategy_finds_its_model(hourly: Reader) -> None:
    words: Words = {}
    typed("001", "Via Strategy Components", words)
    strategy, candles = words["strategy"], hourly_candles()
    assert strategy.name == "MlBasic"
    run = BacktestEngine(strategy).account(candles, "BTC-USDT")
    assert strategy._model("BTC-USDT").model.version_id == HOURLY
    assert 0 < run.unsettled < run.bars
    # An honest model of hourly returns expects less than a round trip costs; without costs:
    assert not len(run.fills)
    strategy.least = 0.0
    assert set(BacktestEngine(strategy).account(candles, "BTC-USDT").trades["side"]) == {
        "LONG", "SHORT",
    }  # fmt: skip


def test_the_predictive_strategy_is_backtested(
    hourly: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    words: Words = {"model_info": {"name": HOURLY}, "df": hourly_candles()}
    typed("004", "Example 4: Backtesting with ML Strategy", words)
    assert words["strategy"].model.model.version_id == HOURLY
    results = words["results"]
    assert results.run.symbols == ("BTC-USDT",)
    assert np.isfinite(results["performance"]["total_return"])
    assert results["trading"]["total_trades"] == len(results.run.closed_trades)
    said = capsys.readouterr().out
    assert re.search(r"Total Return: -?\d+\.\d\d%\nSharpe Ratio: (-?\d+\.\d\d|nan)\n", said)
    assert re.search(r"Total Trades: \d+\n", said)


def hourly_candles() -> pd.DataFrame:
    """Return hourly candles of the reader's market, which the price model has not seen."""
    source = open_source("simulated:seed=5,signal=1.0")
    return source.fetch("BTC-USDT", "1h", "2024-01-01T00:00Z", "2024-06-01T00:00Z")
