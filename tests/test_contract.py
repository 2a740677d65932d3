"""Every recipe of every kind keeps one contract: what it finds, what it refuses, what it answers.

A new recipe is in here by being in the table. Fits are shared by the tests and made once.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.twins import raw_names
from market.timeframes import instant_ms
from ml_pipeline import bundling
from ml_pipeline.composed import compose as compose_ensemble
from ml_pipeline.direction_predictor import DirectionPredictor
from ml_pipeline.errors import RecipeError
from ml_pipeline.export import TOLERANCE, score
from ml_pipeline.fit import Fitted, compose, fit, fit_baseline
from ml_pipeline.lineage import lineage
from ml_pipeline.momentum_classifier import MomentumClassifier
from ml_pipeline.panel import Panel
from ml_pipeline.price_predictor import PricePredictor
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.risk_scorer import RiskScorer
from ml_pipeline.rows import Rows
from ml_pipeline.scoring import metrics, row_losses
from ml_pipeline.skill import Verdict, judge
from ml_pipeline.tasks import TASKS
from ml_pipeline.volatility_regressor import VolatilityRegressor
from ml_pipeline.workplace import in_child
from models.common.errors import FeatureError, PredictionError
from models.common.heads import make_head
from models.common.model import Model
from models.common.predictor import load_model
from models.common.slot import Slot
from tests.learning.planted import PLANTED, STEP_MS, SYMBOLS, planted_panel, split_of

KINDS = tuple(TASKS)
EVERY = [recipe for recipes in RECIPES.values() for recipe in recipes]
# A month's recipes are a week's on more rows: what takes a fit of its own is asked of these.
WEEKLY = [recipe for recipe in EVERY if recipe.train_days == 7]
SEED = 3
# Strength of what is planted, and the seed.
WORLDS = {"planted": (1.0, 0), "noise": (0.0, 1), "other noise": (0.0, 2)}


def ids(recipe: Recipe) -> str:
    return f"{recipe.kind}-{recipe.name}"


EACH_RECIPE = pytest.mark.parametrize("recipe", EVERY, ids=ids)
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


@cache
def panel(world: str = "planted") -> Panel:
    if world != "shuffled":
        return planted_panel(*WORLDS[world])
    # Everything as it was, but each row has the labels of some other moment.
    rows = panel("planted")
    order = np.random.default_rng(7).permutation(len(rows))
    return replace(rows, labels={name: column[order] for name, column in rows.labels.items()})


@cache
def _fitted(kind: str, name: str, world: str) -> Fitted:
    rows = panel(world)
    recipe = next(recipe for recipe in RECIPES[kind] if recipe.name == name)
    return fit(recipe, rows, split_of(rows, kind), SEED)


def fitted(recipe: Recipe, world: str = "planted") -> Fitted:
    return _fitted(recipe.kind, recipe.name, world)


@cache
def baseline(kind: str, world: str = "planted") -> Fitted:
    rows = panel(world)
    return fit_baseline(kind, rows, split_of(rows, kind))


def holdout(kind: str, world: str = "planted") -> Panel:
    rows = panel(world)
    return rows.rows(split_of(rows, kind).mask(rows, "holdout"))


def verdict(recipe: Recipe, world: str) -> Verdict:
    """The honest bound: on rows that nothing was fitted on, against the baseline."""
    rows, task = holdout(recipe.kind, world), TASKS[recipe.kind]
    losses = [
        row_losses(task, one.head, score(one.onnx, rows), rows)
        for one in (fitted(recipe, world), baseline(recipe.kind, world))
    ]
    horizon = task.horizon_bars(rows.timeframe)
    return judge(rows.ts, rows.symbol, *losses, horizon, seed=0, draws=200)


# ---------------------------------------------------------------- what is learnt


@EACH_RECIPE
def test_a_planted_signal_is_found(recipe: Recipe) -> None:
    found, model = verdict(recipe, "planted"), fitted(recipe)
    # What is made for a month and takes every third bar of it learns less from a week.
    assert found.lower > (0.001 if recipe.train_days == 7 else 0)
    assert found.z > 3
    assert min(model.facts["weight"]) > 0.1
    assert max(model.importance, key=lambda name: model.importance[name]) == PLANTED


@EACH_RECIPE
def test_nothing_is_found_in_noise_nor_in_shuffled_labels(recipe: Recipe) -> None:
    worlds = ("noise", "other noise", "shuffled")
    found = [verdict(recipe, world) for world in worlds]
    # One draw of noise in ten earns volatility a weight above 0.35 (130 draws, mean 0.15), and
    # which draws do changes with the number of columns; three that do on average are one in 100.
    assert np.mean([max(fitted(recipe, world).facts["weight"]) for world in worlds]) < 0.35
    assert max(one.lower for one in found) <= 0
    assert min(one.skill for one in found) > -0.003
    assert np.mean([one.skill for one in found]) > -0.002


# ---------------------------------------------------------------- the same again


@pytest.mark.parametrize("workers", [2, 4])
def test_the_same_seed_gives_the_same_bytes_at_any_worker_count(workers: int) -> None:
    rows = panel()
    alone = [fitted(recipe) for recipe in WEEKLY]
    with ThreadPoolExecutor(workers) as pool:
        beside = pool.map(lambda r: fit(r, rows, split_of(rows, r.kind), SEED), WEEKLY)
        for recipe, one, again in zip(WEEKLY, alone, beside, strict=True):
            assert again.onnx == one.onnx, f"{recipe.kind} {recipe.name}"
            assert again.head == one.head, f"{recipe.kind} {recipe.name}"


def digests() -> dict[str, str]:
    """What another process prints: the graph of each recipe, as a hash."""
    rows = panel()
    models = {ids(r): fit(r, rows, split_of(rows, r.kind), SEED) for r in WEEKLY}
    return {name: hashlib.sha256(model.onnx).hexdigest() for name, model in models.items()}


def test_a_process_with_more_threads_fits_the_same_bytes() -> None:
    code = "import json; from tests.test_contract import digests; print(json.dumps(digests()))"
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "4")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **threads},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    alone = {ids(r): hashlib.sha256(fitted(r).onnx).hexdigest() for r in WEEKLY}
    assert json.loads(done.stdout) == alone


@EACH_RECIPE
def test_a_child_process_fits_the_same_bytes(recipe: Recipe, saved_panel: Path) -> None:
    split = split_of(panel(), recipe.kind)
    again = in_child(saved_panel, split, SEED, timeout_s=120)(fit, recipe)
    assert again.onnx == fitted(recipe).onnx
    assert again.head == fitted(recipe).head


@EACH_RECIPE
def test_poisoned_future_and_other_models_columns_change_nothing(recipe: Recipe) -> None:
    rows = panel()
    split = split_of(rows, recipe.kind)
    after = rows.ts >= split.holdout.start_ms
    own = fitted(recipe).columns
    others = tuple(name for name in rows.names if name not in own)
    poisoned = replace(
        rows,
        names=(*others[::-1], *own[::-1]),
        X=np.where(
            after[:, None],
            np.float32(1e6),
            np.hstack([-rows.columns(others[::-1]), rows.columns(own[::-1])]),
        ),
        close=np.full(len(rows), 7.0),
        labels={name: np.where(after, 1.0, column) for name, column in rows.labels.items()},
    )
    again = fit(recipe, poisoned, split, SEED)
    assert again.onnx == fitted(recipe).onnx
    assert again.head == fitted(recipe).head


@pytest.mark.parametrize("recipe", [r for r in EVERY if r.type != "linear"], ids=ids)
def test_another_seed_gives_another_model(recipe: Recipe) -> None:
    rows = panel()
    other = fit(recipe, rows, split_of(rows, recipe.kind), SEED + 1)
    assert other.onnx != fitted(recipe).onnx


# ---------------------------------------------------------------- the export


@EACH_RECIPE
def test_the_graph_equals_the_fitted_model_also_far_from_the_training_rows(recipe: Recipe) -> None:
    rows, kind = panel(), recipe.kind
    split = split_of(rows, kind)
    model, *_ = compose(recipe, rows, split, SEED)
    assert fitted(recipe).parity <= TOLERANCE[kind]
    assert len(fitted(recipe).onnx) < 1_000_000
    onnx = model.to_onnx()
    for stretch in (1.0, 20.0, 0.0):
        x = holdout(kind).X * np.float32(stretch)
        clock = rows.names.index("quarter_hour")
        x[:, clock] = holdout(kind).X[:, clock]
        strange = replace(holdout(kind), X=x)
        native = model.raw(Rows(strange, np.zeros((len(strange), 1)), split.horizon_bars))
        assert np.abs(score(onnx, strange) - native).max() <= TOLERANCE[kind]


@EACH_RECIPE
def test_one_row_is_answered_as_in_a_batch(recipe: Recipe) -> None:
    rows, onnx = panel(), fitted(recipe).onnx
    batch = score(onnx, rows.rows(slice(0, 32)))
    alone = np.vstack([score(onnx, rows.rows(slice(i, i + 1))) for i in range(32)])
    np.testing.assert_allclose(alone, batch, rtol=0, atol=1e-6)


# ---------------------------------------------------------------- saved, loaded, asked


@pytest.fixture(scope="module")
def saved_panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panel().save(tmp_path_factory.mktemp("panel") / "panel")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every recipe and baseline as a bundle."""
    home = tmp_path_factory.mktemp("home")
    for kind in KINDS:
        for model in (baseline(kind), *(fitted(recipe) for recipe in RECIPES[kind])):
            split = split_of(panel(), kind)
            origin = bundling.Origin(
                slot=Slot("majors", kind, "5m"),
                symbols=SYMBOLS,
                source="planted",
                simulated=True,
                split=split,
                created_ms=int(panel().ts[-1]) + STEP_MS,
                lineage=lineage(panel(), split, kind, model.columns),
            )
            about = bundling.metadata(model, origin, version(model))
            folder = home / "models" / "majors" / kind / version(model)
            bundling.write(folder, model, about, panel(), {})
    return home


def version(model: Fitted) -> str:
    return f"2025-05-26T0000Z_5m_{model.recipe}"


def loaded(model: Fitted, home: Path) -> Model:
    found = load_model(f"majors/{model.kind}/{version(model)}", home=home)
    assert isinstance(found, Model)
    return found


def frame(model: Fitted, rows: int = 3) -> pd.DataFrame:
    X = holdout(model.kind).rows(slice(0, rows)).columns(model.columns)
    return pd.DataFrame(X, columns=list(model.columns))


@EACH_RECIPE
def test_saving_and_loading_change_nothing(recipe: Recipe, home: Path) -> None:
    model = fitted(recipe)
    folder = home / "models" / "majors" / recipe.kind / version(model)
    assert (folder / "model.onnx").read_bytes() == model.onnx
    found = loaded(model, home)
    rows = holdout(recipe.kind).columns(model.columns)
    np.testing.assert_array_equal(found.raw(rows), score(model.onnx, holdout(recipe.kind)))
    assert found.features == list(model.columns)
    assert Recipe.from_spec(found.info["recipe_spec"]) == Recipe.from_spec(model.spec)


@EACH_RECIPE
def test_wrong_columns_are_refused(recipe: Recipe, home: Path) -> None:
    model = fitted(recipe)
    found, rows = loaded(model, home), frame(model)
    with pytest.raises(FeatureError, match=f"1 of the model's .* missing: {rows.columns[2]}"):
        found.predict(rows.drop(columns=rows.columns[2]))
    with pytest.raises(FeatureError, match="another order"):
        found.predict(rows[rows.columns[::-1]])
    with pytest.raises(FeatureError, match=f"{len(model.columns)}"):
        found.predict(rows.to_numpy()[:, 1:])
    for odd in (np.nan, np.inf):
        holed = rows.copy()
        holed.iloc[0, 1] = odd
        with pytest.raises((FeatureError, PredictionError), match=str(rows.columns[1])):
            found.predict(holed, close=100.0)
    raw, twin = next((r, t) for r, t in raw_names(model.columns).items() if t in rows)
    with pytest.raises(FeatureError, match=f"{twin} for {raw}"):
        found.predict(rows.rename(columns={twin: raw}))
    with pytest.raises(RecipeError, match=raw):
        replace(recipe, features=(*recipe.features, raw))


PROBABILITY = {"confidence", "probability"}
ANSWERS: dict[str, set[str]] = {
    "direction": {"direction", *PROBABILITY},
    "risk": {"risk"},
    "price": {"predicted_price", "expected_return", "confidence", "interval", "return_interval"},
    "momentum": {"state", *PROBABILITY},
    "volatility": {
        "predicted_volatility", "predicted_volatility_1h", "predicted_volatility_4h", "confidence",
    },
}  # fmt: skip


@pytest.mark.parametrize("naive", [False, True])
@EACH_RECIPE
def test_answers_have_their_documented_keys(recipe: Recipe, naive: bool, home: Path) -> None:
    kind = recipe.kind
    model = baseline(kind) if naive else fitted(recipe)
    found = loaded(model, home)
    answer: Any = found.predict(frame(model, 1), close=100.0)
    many: Any = found.predict(frame(model, 5), close=np.full(5, 100.0))
    assert ANSWERS[kind] | {"novelty", "out_of_distribution"} <= set(many)
    assert all(len(np.asarray(many[name])) == 5 for name in ANSWERS[kind] - {"interval"})
    if kind == "risk":
        assert 0 <= answer <= 100
        assert 0 < answer.event_probability < 1
        return
    assert set(answer) >= ANSWERS[kind]
    assert 0.5 <= answer["confidence"] <= 1 or kind in ("volatility", "price")
    assert 0 <= answer["confidence"] <= 1
    if kind in ("direction", "momentum"):
        words = {"direction": {"UP", "DOWN"}, "momentum": {"accelerating", "decelerating"}}
        assert answer["direction" if kind == "direction" else "state"] in words[kind]


# ---------------------------------------------------------------- the seeds' classes

END = "2025-05-28T00:00:00Z"
CLASSES: dict[Any, tuple[set[str], set[str]]] = {
    DirectionPredictor: ({"direction", "confidence"}, {"accuracy", "precision", "recall", "f1"}),
    RiskScorer: (set(), {"accuracy", "precision", "recall", "f1"}),
    PricePredictor: ({"predicted_price", "confidence"}, {"rmse", "mae", "r2"}),
    MomentumClassifier: ({"state", "confidence"}, {"accuracy", "precision", "recall", "f1"}),
    VolatilityRegressor: ({"predicted_volatility", "confidence"}, {"rmse", "mae", "r2"}),
}


@pytest.mark.parametrize("predictor_class", CLASSES)
def test_a_score_is_never_one_of_the_rows_it_was_fitted_on(
    predictor_class: Any, tmp_path: Path
) -> None:
    answered, figures = CLASSES[predictor_class]
    predictor = predictor_class("simulated:seed=5", home=tmp_path, end=END)
    model = predictor.train(symbols=["BTC-USDT"], timeframe="1m", lookback_bars=1000)
    answer = predictor.predict(symbol="BTC-USDT")
    assert 0 <= answer <= 100 if predictor.kind == "risk" else answered <= set(answer)
    results = predictor.backtest(symbols=["BTC-USDT"], days_back=7)
    assert figures | {"n", "skill", "lower", "upper", "base_loss"} <= set(results)
    through = instant_ms(model.info["trained_through"])
    assert instant_ms(results["since"]) >= through
    asked, unseen = 7 * 1440, (instant_ms(END) - through) // 60_000
    assert results["n"] <= unseen < asked


# ---------------------------------------------------------------- together


@EACH_KIND
def test_all_recipes_of_a_kind_compose_into_one_graph(kind: str) -> None:
    """Every library's operators beside each other; and a blend is no worse than its members are.

    The losses are convex in what is averaged (Brier's nearly), so it loses at most what they lose
    on average.
    """
    members = {r.name: fitted(r) for r in WEEKLY if r.kind == kind} | {"baseline": baseline(kind)}
    whole = compose_ensemble(members, np.ones(len(members)), "weighted_avg", panel())
    assert whole.parity <= 1e-6
    rows, task = holdout(kind), TASKS[kind]
    losses = [
        np.nanmean(row_losses(task, whole.head, score(one.onnx, rows), rows))
        for one in (whole, *members.values())
    ]
    assert losses[0] <= np.mean(losses[1:]) + 1e-9
    # The mean of the members' heads fits the mean of their outputs.
    if kind == "price":
        assert metrics(task, whole.head, score(whole.onnx, rows), rows)["coverage"] == (
            pytest.approx(0.9, abs=0.03)
        )
    if kind == "risk":
        train = panel().rows(split_of(panel(), kind).mask(panel(), "train"))
        told = make_head(kind, whole.head).decode(score(whole.onnx, train), None)
        assert np.mean(told["risk"] < 60) == pytest.approx(0.6, abs=0.02)


# ---------------------------------------------------------------- baselines and heads


@EACH_KIND
def test_the_baseline_is_a_model_like_any_other(kind: str) -> None:
    naive = baseline(kind)
    assert naive.baseline
    assert naive.recipe == "baseline"
    assert not naive.importance
    assert not naive.spec
    assert naive.columns == TASKS[kind].columns("5m")
    assert len(naive.onnx) < 20_000


@pytest.mark.parametrize("recipe", RECIPES["price"], ids=lambda r: r.name)
def test_a_price_interval_covers_what_it_says(recipe: Recipe) -> None:
    rows, model = holdout("price", "noise"), fitted(recipe, "noise")
    raw = score(model.onnx, rows)
    half = model.head["interval_q"] * raw[:, 1]
    covered = np.mean(np.abs(rows.labels["price"] - raw[:, 0]) <= half)
    assert covered == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("recipe", RECIPES["risk"], ids=lambda r: r.name)
def test_risk_ranks_are_percentiles_of_the_training_rows(recipe: Recipe) -> None:
    rows, model = panel(), fitted(recipe)
    train = rows.rows(split_of(rows, "risk").mask(rows, "train"))
    scores = make_head("risk", model.head).decode(score(model.onnx, train), None)["risk"]
    assert np.mean(scores < 60) == pytest.approx(0.6, abs=0.02)
    event = train.labels["risk_excursion"] >= model.head["event_threshold"]
    assert event.mean() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("recipe", RECIPES["volatility"], ids=lambda r: r.name)
def test_forecast_variance_is_unbiased(recipe: Recipe) -> None:
    rows = holdout("volatility")
    for model in (fitted(recipe), baseline("volatility")):
        forecast = np.exp(score(model.onnx, rows))
        for k, name in enumerate(("rv_1h", "rv_4h")):
            assert np.mean(rows.labels[name] / forecast[:, k]) == pytest.approx(1.0, abs=0.15)
