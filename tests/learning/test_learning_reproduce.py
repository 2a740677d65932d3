"""A saved model can be made again: the same bytes from the same data, and words where they part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features import own
from features.feature_manager import FeatureManager
from market.source import open_source
from market.symbols import parse_symbol
from market.timeframes import DAY_MS, instant_ms
from ml_pipeline import bundling
from ml_pipeline.composed import compose
from ml_pipeline.errors import NotReproducible, RecipeError
from ml_pipeline.fit import fit
from ml_pipeline.history import History
from ml_pipeline.lineage import lineage
from ml_pipeline.recipes import RECIPES
from ml_pipeline.reproduce import (
    DIFFERENT,
    IDENTICAL,
    OTHER_DATA,
    WITHIN,
    Reproduction,
    distance,
    reproduce,
)
from ml_pipeline.splits import turn_split
from ml_pipeline.tasks import TASKS
from ml_pipeline.train import TrainingPipeline
from ml_pipeline.trained import TrainedModel
from models.common.bundle import Bundle, read_bundle
from models.common.slot import Slot

END = "2025-05-28T00:00:00Z"
SOURCE = "simulated:seed=5"
SYMBOLS = ("BTC-USDT", "ETH-USDT")
COLUMNS = ["rsi_14", "atr_14", "vwap", "btc_beta_60"]
TYPES = ("xgboost", "random_forest", "neural_net", "svm", "gradient_boosting")
# Their columns were chosen, their hyper-parameters searched: what was found is fitted again.
FOUND = {"kept": {"keep": 2}, "tuned": {"keep": 2, "tune_seconds": 1.0}}
Saved = tuple[Path, dict[str, TrainedModel]]


class Altered:
    """The same market, of the same name, but for one candle of ETH."""

    simulated = True

    def __init__(self) -> None:
        self.whole = open_source(SOURCE)
        self.name = self.whole.name

    def fetch(self, symbol: str, timeframe: str, start: Any, end: Any) -> pd.DataFrame:
        candles = self.whole.fetch(symbol, timeframe, start, end)
        where = candles.index == pd.Timestamp("2025-05-22T10:00:00Z")
        if parse_symbol(symbol) == "ETH-USDT":
            candles.loc[where, ["open", "high", "low", "close"]] *= 1.01
        return candles


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    home = tmp_path_factory.mktemp("home")
    fm = FeatureManager(SOURCE, home=home, end=END)
    data = {symbol: fm.get_features(symbol, "1m", COLUMNS, 1500) for symbol in SYMBOLS}
    pipeline = TrainingPipeline(home, source=SOURCE, end=END, seed=11)
    models = {}
    for word in TYPES:
        models[word] = pipeline.train_model({"type": word, "name": f"{word}_001"}, data)
    for word, how in FOUND.items():
        definition = {"type": "xgboost", "name": f"{word}_001"}
        models[word] = pipeline.train_model(definition, data, **how)
    for word, model in models.items():
        pipeline.save_model(f"{word}_001", model)
    return home, models


def bundle_of(saved: Saved, word: str) -> Bundle:
    home, models = saved
    scope = "+".join(SYMBOLS)
    return read_bundle(home / "models" / scope / models[word].kind / f"{word}_001")


def again(saved: Saved, word: str, tmp_path: Path, source: Any = SOURCE) -> Reproduction:
    """Reproduce with no candle left of the first time."""
    return reproduce(bundle_of(saved, word), History.open(source, home=tmp_path))


@pytest.mark.parametrize("word", [*TYPES, *FOUND])
def test_the_same_data_and_recipe_give_the_same_bytes(
    word: str, saved: Saved, tmp_path: Path
) -> None:
    found = again(saved, word, tmp_path)
    assert found.verdict == IDENTICAL, found.sentence()
    assert found.byte_equal
    assert found.head_equal
    assert found.data_hash == found.data_hash_now
    assert set(found.max_difference.values()) == {0.0}
    assert not found.libraries
    assert "byte-equal" in found.sentence()
    assert "simulated" in found.sentence()


def test_the_columns_that_were_kept_are_in_the_lineage(saved: Saved) -> None:
    plain, kept = (bundle_of(saved, word).metadata for word in ("xgboost", "kept"))
    assert len(kept["recipe_spec"]["features"]) == 2 < len(plain["recipe_spec"]["features"])
    assert kept["recipe_hash"] != plain["recipe_hash"]


def test_a_changed_candle_is_other_data_and_its_day_is_told(saved: Saved, tmp_path: Path) -> None:
    found = again(saved, "gradient_boosting", tmp_path, Altered())
    assert found.verdict == OTHER_DATA
    assert found.data_hash != found.data_hash_now
    told = found.sentence()
    assert "not those it was trained on" in told
    assert "ETH-USDT: the first day that differs is 2025-05-22" in told
    assert found.data_hash[:12] in told
    assert found.data_hash_now[:12] in told


def rewritten(
    saved: Saved, word: str, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> Bundle:
    """The same model with other words in its metadata."""
    old, model = bundle_of(saved, word), saved[1][word]
    about = {k: v for k, v in old.metadata.items() if k not in ("features", "feature_count")}
    change(about)
    folder = tmp_path / "models" / old.slot.scope / old.kind / old.version_id
    return read_bundle(bundling.write(folder, model.fitted, about, model.panel, old.metrics))


def test_another_seed_gives_another_model_and_says_how_far_it_is(
    saved: Saved, tmp_path: Path
) -> None:
    bundle = rewritten(saved, "random_forest", tmp_path, lambda about: about.update(seed=12))
    found = reproduce(bundle, History.open(SOURCE, home=tmp_path))
    assert found.verdict == DIFFERENT
    assert found.max_difference["probability of an event"] > found.tolerance
    assert "not byte-equal" in found.sentence()


def test_a_head_that_differs_by_rounding_is_within_tolerance(saved: Saved, tmp_path: Path) -> None:
    def nudge(about: dict[str, Any]) -> None:
        about["head"] = about["head"] | {"interval_q": about["head"]["interval_q"] * (1 + 1e-7)}
        about["library_versions"] = about["library_versions"] | {"torch": "1.0"}

    bundle = rewritten(saved, "neural_net", tmp_path, nudge)
    found = reproduce(bundle, History.open(SOURCE, home=tmp_path))
    assert found.verdict == WITHIN
    assert set(found.libraries) == {"torch"}
    assert "torch 1.0 →" in found.sentence()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another source": ({"source": "binance"}, "trained on binance.*--source"),
    "no lineage": ({"days": None}, "lack days.*train it again"),
    "a learner from elsewhere": ({"estimator": "os:system"}, "made by 'os:system'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_reproduced_is_refused_with_the_reason(
    what: str, saved: Saved, tmp_path: Path
) -> None:
    words, message = REFUSED[what]

    def change(about: dict[str, Any]) -> None:
        if "estimator" in words:
            about["recipe_spec"] = about["recipe_spec"] | words
        elif None in words.values():
            del about[next(iter(words))]
        else:
            about.update(words)

    bundle = rewritten(saved, "xgboost", tmp_path, change)
    with pytest.raises(NotReproducible, match=message):
        reproduce(bundle, History.open(SOURCE, home=tmp_path))


def test_a_recipe_of_another_version_is_refused(saved: Saved, tmp_path: Path) -> None:
    bundle = rewritten(
        saved, "xgboost", tmp_path, lambda about: about["recipe_spec"].update(moon="full")
    )
    with pytest.raises(RecipeError, match="moon"):
        reproduce(bundle, History.open(SOURCE, home=tmp_path))


MADE = {
    "mean": ("weighted_avg", (0.1, 0.2, 0.4), {}),
    "stack": ("stacking", (0.3, 0.3, 0.9), {"intercept": 0.01, "logistic": True}),
}


def ensemble(saved: Saved, tmp_path: Path, how: str, *, windows: bool = True) -> Bundle:
    """An ensemble of two direction models and their baseline, written as a turn writes it."""
    models = {word: saved[1][word] for word in ("xgboost", "kept")}
    first, version = models["xgboost"], "2025-05-28T0000Z_1m_ensemble"
    members = {word: model.fitted for word, model in models.items()} | {"base": first.baseline}
    (method, weights, further), origin = MADE[how], first.origin
    slices = dict.fromkeys(members, origin.split) if windows else None
    whole = compose(members, weights, method, first.panel, windows=slices, **further)
    read = lineage(first.panel, origin.split, "direction", whole.columns)
    about = bundling.metadata(whole, replace(origin, lineage=read), version)
    folder = tmp_path / "models" / origin.slot.scope / "direction" / version
    return read_bundle(bundling.write(folder, whole, about, first.panel, {}))


@pytest.mark.parametrize("how", MADE)
def test_an_ensemble_is_made_again_of_its_members_fitted_again(
    how: str, saved: Saved, tmp_path: Path
) -> None:
    found = reproduce(ensemble(saved, tmp_path, how), History.open(SOURCE, home=tmp_path))
    assert found.verdict == IDENTICAL, found.sentence()
    assert found.byte_equal


def test_an_ensemble_that_does_not_say_when_its_members_were_fitted_is_refused(
    saved: Saved, tmp_path: Path
) -> None:
    bundle = ensemble(saved, tmp_path, "mean", windows=False)
    with pytest.raises(NotReproducible, match="on which slices its member xgboost was fitted"):
        reproduce(bundle, History.open(SOURCE, home=tmp_path))


def test_a_distance_is_in_the_unit_of_the_answer(saved: Saved) -> None:
    model = saved[1]["gradient_boosting"]
    rows = model.panel.rows(slice(0, 500))
    apart = distance("volatility", model.fitted.onnx, model.baseline.onnx, rows)
    answers = [np.exp(raw / 2) for raw in map(np.asarray, (
        model.raw(rows.columns(model.features)),
        replace(model, fitted=model.baseline).raw(rows.columns(model.baseline.columns)),
    ))]  # fmt: skip
    assert apart["volatility of the next hour"] == pytest.approx(
        np.abs(answers[0] - answers[1])[:, 0].max(), rel=1e-4
    )


@pytest.mark.parametrize("word", TYPES)
def test_the_metadata_name_all_that_made_the_model(word: str, saved: Saved) -> None:
    bundle = bundle_of(saved, word)
    about = bundle.metadata
    assert about["seed"] == 11
    assert about["recipe_spec"]["hyperparams"].keys() == about["hyperparams"].keys()
    assert about["recipe_hash"] == saved[1][word].recipe.hash()
    assert {"python", "numpy", "pandas", "numba", "onnxruntime"} <= set(about["library_versions"])
    assert about["benchmark"] == "BTC-USDT"
    assert set(about["rows"]) == set(SYMBOLS)
    assert about["data_hash"] != about["turn_data_hash"]
    assert about["live_performance"].keys() == {"accuracy", "last_updated", "trades_evaluated"}
    assert about["purge_bars"] == about["horizon_bars"] > 0
    files = {path.name: path.stat().st_size for path in bundle.folder.iterdir()}
    assert 5_000 < files["validation.png"] < 60_000
    assert 3_000 < files["importance.png"] < 60_000
    assert sum(files.values()) < 1_000_000
    card = (bundle.folder / "README.md").read_text()
    assert "(validation.png)" in card
    assert "(importance.png)" in card
    assert f"tidewheel models reproduce {'+'.join(SYMBOLS)}/" in card


def holed(candles: pd.DataFrame) -> pd.Series:
    return candles["close"].pct_change(9).where(candles.index.minute != 15)


@pytest.fixture
def my_holes() -> Iterator[None]:
    own.add("my_holes", holed, "None on one bar of an hour", window=20)
    yield
    if "my_holes" in own.names():
        own.remove("my_holes")


@pytest.mark.usefixtures("my_holes")
def test_bars_that_another_models_column_had_no_value_on_are_left_out_again(
    tmp_path: Path,
) -> None:
    """A turn has one panel: what one of its models lacks, none of them was fitted on."""
    recipe = replace(RECIPES["volatility"][0], features=("rsi_14", "natr_14"))
    history, end = History.open(SOURCE, home=tmp_path, end=END), instant_ms(END)
    start, columns = end - 10 * DAY_MS, recipe.columns("5m")
    panel = history.panel("BTC-USDT", "5m", (*columns, "my_holes", "close_to_ema_200"), start, end)
    split = turn_split(start, end, "5m", TASKS["volatility"].horizon_bars("5m"), 2)
    model = fit(recipe, panel, split, 0)
    origin = bundling.Origin(
        slot=Slot("BTC-USDT", "volatility", "5m"),
        symbols=("BTC-USDT",),
        source=history.source.name,
        simulated=True,
        split=split,
        created_ms=end,
        lineage=lineage(panel, split, "volatility", columns),
    )
    about = bundling.metadata(model, origin, "holed_001")
    folder = tmp_path / "models" / "BTC-USDT" / "volatility" / "holed_001"
    bundle = read_bundle(bundling.write(folder, model, about, panel, {}))
    assert bundle.metadata["holed"] == ["my_holes"]
    assert reproduce(bundle, history).verdict == IDENTICAL
    own.remove("my_holes")
    without = reproduce(bundle, history)
    assert without.verdict == OTHER_DATA
    assert "rows then" in without.sentence()
