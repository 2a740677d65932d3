"""A search finds what is there, keeps the recipe's own in noise, and goes on after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from ml_pipeline.fit import fit
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.space import propose
from ml_pipeline.splits import TurnSplit
from ml_pipeline.trials import Journal, Trial, search_key
from ml_pipeline.tuning import Losses, Search, attempt, fit_tuned, noise_of, tune
from ml_pipeline.workplace import here, in_child
from tests.learning.planted import PLANTED, planted_panel, split_of
from tests.learning.toy import WRONG, toy

ROOT = Path(__file__).parents[2]


@cache
def panel(signal: float) -> Panel:
    return planted_panel(signal)


def split() -> TurnSplit:
    return split_of(panel(1.0), "direction")


def search(trials: int, **more: object) -> Search:
    return replace(Search(seconds=1e9, trials=trials, seed=4), **more)


def test_a_better_hyperparameter_is_found_and_the_fit_says_so() -> None:
    fitted = fit_tuned(toy(), here(panel(1.0), split(), 0), search(8))
    facts = fitted.facts["tuning"]
    assert facts["taken"]
    assert facts["trials"] == 8
    assert facts["best"]["place"] > 0.5
    assert facts["best_skill"] > facts["default_skill"] + 0.02
    assert facts["best_z"] > facts["z_asked"] > 1
    assert fitted.spec["tuned"]
    assert fitted.spec["hyperparams"]["place"] == facts["best"]["place"]
    assert max(fitted.importance, key=lambda name: fitted.importance[name]) == PLANTED
    json.dumps(fitted.facts)
    again = fit(Recipe.from_spec(fitted.spec), panel(1.0), split(), 0)
    assert again.onnx == fitted.onnx


@pytest.mark.parametrize("kind", ["direction", "volatility"])
def test_in_noise_the_recipes_own_are_kept(kind: str) -> None:
    recipe, where = RECIPES[kind][0], split_of(panel(0.0), kind)
    fitted = fit_tuned(recipe, here(panel(0.0), where, 0), search(6))
    facts = fitted.facts.pop("tuning")
    assert facts["trials"] == 6
    assert not facts["taken"]
    plain = fit(recipe, panel(0.0), where, 0)
    assert (fitted.onnx, fitted.head, fitted.spec, fitted.facts) == (
        plain.onnx, plain.head, plain.spec, plain.facts,
    )  # fmt: skip


@pytest.mark.parametrize("kind", RECIPES)
def test_every_kind_can_be_searched(kind: str) -> None:
    recipe, where = RECIPES[kind][0], split_of(panel(1.0), kind)
    assert recipe.space
    fewer = {"momentum": {"n_components": 50}, "risk": {"n_estimators": 20}}
    recipe = recipe.with_hyperparams(fewer.get(kind, {}))
    _, facts = tune(recipe, here(panel(1.0), where, 0), search(3))
    assert facts["tuning"]["failed"] == 0
    assert facts["tuning"]["default_skill"] > 0


def test_the_best_of_many_must_be_better_than_the_best_of_many_without_merit() -> None:
    rng = np.random.default_rng(0)
    for candidates in (5, 20, 80):
        best = rng.standard_normal((2000, candidates)).max(axis=1)
        assert (best > noise_of(candidates)).mean() < 0.25
    assert noise_of(0) == noise_of(1) == 1.0


def test_a_poisoned_holdout_changes_nothing() -> None:
    whole = panel(1.0)
    late = whole.ts >= split().holdout.start_ms
    x = whole.X.copy()
    x[late] = 1e6
    labels = {name: np.where(late, 1e6, y) for name, y in whole.labels.items()}
    poisoned = replace(whole, X=x, labels=labels)
    told = [
        tune(toy(), here(rows, split(), 0), search(5, clock=ticks())) for rows in (whole, poisoned)
    ]
    assert told[0] == told[1]
    keys = [search_key(toy(), rows, split(), 0) for rows in (whole, poisoned)]
    assert keys[0] == keys[1]
    changed = replace(whole, close=whole.close * np.where(late, 1.0, 1.01))
    assert search_key(toy(), changed, split(), 0) != keys[0]


def test_selection_is_judged_on_and_not_learnt_from() -> None:
    """Labels of the selection slice turned round: the same model, of which all is now wrong."""
    whole = panel(1.0)
    inside = split().mask(whole, "selection")
    y = whole.labels["direction"]
    turned = replace(whole, labels={**whole.labels, "direction": np.where(inside, 1 - y, y)})
    seeing = toy().with_hyperparams({"place": 1.0})
    right, wrong = (attempt(seeing, rows, split(), 0) for rows in (whole, turned))
    assert right.skill > 0.02
    assert wrong.skill < -right.skill


def test_a_tuned_recipe_is_weighed_on_the_calibration_slice_only() -> None:
    whole = panel(1.0)
    inside = split().mask(whole, "selection")
    rng = np.random.default_rng(0)
    y = np.where(inside, rng.integers(0, 2, len(whole)), whole.labels["direction"])
    other = replace(whole, labels={**whole.labels, "direction": y.astype(np.float64)})
    for tuned in (True, False):
        recipe = replace(toy().with_hyperparams({"place": 1.0}), tuned=tuned)
        weights = [fit(recipe, rows, split(), 0).facts["weight"] for rows in (whole, other)]
        assert (weights[0] == weights[1]) is tuned


def ticks(step: float = 5.0) -> Callable[[], float]:
    ticking: Iterator[float] = (step * i for i in count())
    return lambda: next(ticking)


@pytest.mark.parametrize(("seconds", "trials"), [(1.0, 1), (15.0, 3), (22.0, 4)])
def test_the_budget_is_kept(seconds: float, trials: int) -> None:
    within = Search(seconds=seconds, clock=ticks())
    _, facts = tune(toy(), here(panel(1.0), split(), 0), within)
    assert facts["tuning"]["trials"] == trials
    assert facts["tuning"]["seconds"] == 5.0 * trials


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_without_a_budget_or_a_space_nothing_is_searched(seconds: float) -> None:
    recipe = replace(toy(), space={} if seconds else {"place": (0.0, 1.0, "float")})
    found = tune(recipe, here(panel(1.0), split(), 0), Search(seconds=seconds))
    assert found == (recipe, {})


def test_a_trial_that_fails_is_counted_and_the_search_goes_on() -> None:
    moods = ("good", "bad")
    found, facts = tune(toy(moods=moods), here(panel(1.0), split(), 0), search(10))
    assert 0 < facts["tuning"]["failed"] < 9
    assert found.hyperparams["mood"] == "good"
    assert facts["tuning"]["taken"]


@pytest.mark.parametrize(
    ("name", "label", "known"),
    [("calibration", 1.0, 0), ("calibration", np.nan, 25), ("selection", np.nan, 0)],
)
def test_where_one_slice_alone_says_too_little_the_recipe_is_fitted_as_it_is(
    name: str, label: float, known: int
) -> None:
    """Calibration and selection together do for a fit; a search needs each of them."""
    whole = panel(1.0)
    inside = np.flatnonzero(split().mask(whole, name))[3 * known :]
    y = whole.labels["direction"].copy()
    y[inside] = label
    poor = replace(whole, labels={**whole.labels, "direction": y})
    fitted = fit_tuned(toy(), here(poor, split(), 0), search(3))
    assert "label" in fitted.facts["not_tuned"] or "outcomes" in fitted.facts["not_tuned"]
    assert "tuning" not in fitted.facts
    assert fitted.onnx == fit(toy(), poor, split(), 0).onnx


def test_a_trial_in_a_child_is_killed_at_its_limit(tmp_path: Path) -> None:
    folder = panel(1.0).save(tmp_path / "panel")
    began = time.monotonic()
    work = in_child(folder, split(), 0, timeout_s=20.0)
    sleepy = toy(moods=("good", "asleep"))  # with this seed the second trial falls asleep
    fitted = fit_tuned(sleepy, work, search(2, seed=0))
    assert 20 < time.monotonic() - began < 58
    assert (fitted.facts["tuning"]["trials"], fitted.facts["tuning"]["failed"]) == (2, 1)
    assert fitted.onnx == fit(sleepy, panel(1.0), split(), 0).onnx


KILLED = """
import sys
from pathlib import Path
from ml_pipeline.tuning import Search, tune
from ml_pipeline.workplace import here
from tests.learning.planted import planted_panel, split_of
from tests.learning.toy import toy
panel = planted_panel(1.0)
search = Search(seconds=1e9, trials=30, seed=4, path=Path(sys.argv[1]), key="one")
print("begun", flush=True)
tune(toy(nap=0.2), here(panel, split_of(panel, "direction"), 0), search)
"""


def test_a_killed_search_goes_on_with_the_trials_it_had(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "trials.json"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], cwd=ROOT)
    while len(Journal(path, "one").trials) < 4:
        assert child.poll() is None
        time.sleep(0.02)
    child.kill()
    child.wait()
    had = Journal(path, "one").trials
    assert 4 <= len(had) < 30
    recipe, work = toy(nap=0.2), here(panel(1.0), split(), 0)
    tune(recipe, work, search(len(had) + 2, path=path, key="one"))
    went_on = Journal(path, "one").trials
    assert went_on[: len(had)] == had
    assert len(went_on) == len(had) + 2
    undisturbed = tmp_path / "other.json"
    tune(toy(nap=0.0), work, search(len(had) + 2, path=undisturbed, key="one"))
    for one, other in zip(went_on, Journal(undisturbed, "one").trials, strict=True):
        assert (one.point, one.skill, one.z) == (other.point, other.skill, other.z)


def test_a_journal_of_another_search_or_a_damaged_one_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "trials.json"
    Journal(path, "one").append(Trial({}, 0.1, 0.0, 1.0))
    assert len(Journal(path, "one").trials) == 1
    assert not Journal(path, "two").trials
    path.write_bytes(path.read_bytes()[:-20])
    assert not Journal(path, "one").trials


@pytest.mark.parametrize(
    "trials",
    [
        None,
        [1],
        [{"point": {}, "skill": 0.1}],
        [{"point": {}, "skill": "good", "z": 0.0, "seconds": 1.0}],
        [{"point": {}, "skill": 0.1, "z": 0.0, "seconds": None}],
        [{"point": 3, "skill": 0.1, "z": 0.0, "seconds": 1.0}],
    ],
)
def test_a_journal_of_another_shape_is_begun_anew(tmp_path: Path, trials: object) -> None:
    path = tmp_path / "trials.json"
    for content in ([], {"key": "one"}, {"key": "one", "trials": trials}):
        path.write_text(json.dumps(content))
        assert not Journal(path, "one").trials
    Journal(path, "one").append(Trial({}, 0.1, 0.0, 1.0))
    assert Journal(path, "one").trials == [Trial({}, 0.1, 0.0, 1.0)]


def test_a_recipe_of_its_own_outside_the_space_is_no_example_but_stays_the_default() -> None:
    recipe = replace(toy(), space={"place": (0.6, 1.0, "float")})
    point = propose(recipe, [Trial({}, 0.0, 0.0, 1.0)], seed=0)
    assert 0.6 <= point["place"] <= 1.0
    assert propose(recipe, [Trial({}, 0.0, 0.0, 1.0)], seed=0) == point
    assert propose(recipe, [Trial({}, 0.0, 0.0, 1.0)], seed=1) != point
    assert recipe.hyperparams["place"] == 0.0
    assert WRONG in recipe.features


def test_equal_losses_are_no_difference() -> None:
    loss = np.full(500, 0.7)
    assert Losses(loss, loss, 5).z_over(Losses(loss, loss, 5)) == 0.0
