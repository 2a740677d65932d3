"""A turn that was told to search does so for recipes in this process and in the child."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ml_pipeline.errors import RecipeError
from ml_pipeline.recipes import RECIPES
from orchestration.service.refs import Dataset, TurnRef
from orchestration.service.staging import fit_version, load_fitted, recipe_of
from orchestration.settings import Settings, SettingsError
from tests.learning.planted import START_MS, STEP_MS, planted_panel

DAYS = 14


@pytest.mark.parametrize("kind", ["volatility", "price"])
def test_a_turn_searches_and_goes_on_from_its_folder(
    new_settings: Callable[..., Settings], kind: str
) -> None:
    settings = new_settings(timeframe="5m", days=DAYS, kinds=kind, tune_seconds=3)
    at = datetime.fromtimestamp((START_MS + DAYS * 288 * STEP_MS) / 1000, UTC)
    turn = TurnRef("turn", at, "majors", settings)
    panel = planted_panel(1.0, days=DAYS)
    folder = panel.save(turn.folder / "panel")
    data = Dataset(str(folder), panel.symbols, len(panel), 0, panel.data_hash(), "", "", "")
    name = RECIPES[kind][0].name
    first = load_fitted(fit_version(turn, kind, name, data).folder)
    told = first.facts["tuning"]
    assert told["trials"] >= 1
    journal = turn.folder / "tuning" / f"{kind}-{name}.json"
    trials = json.loads(journal.read_bytes())["trials"]
    assert len(trials) == told["trials"]
    journal.write_text(journal.read_text().replace(f"{trials[0]['skill']}", "0.123", 1))
    again = load_fitted(fit_version(turn, kind, name, data).folder)
    assert again.facts["tuning"]["default_skill"] == 0.123


def test_no_turn_searches_unless_it_is_told(new_settings: Callable[..., Settings]) -> None:
    assert new_settings().tune_seconds == 0
    with pytest.raises(SettingsError, match="tune_seconds"):
        new_settings(tune_seconds=-1)


def test_a_recipe_that_is_not_there_is_no_baseline() -> None:
    assert recipe_of("price", "baseline") is None
    assert recipe_of("volatility", "xgboost") in RECIPES["volatility"]
    with pytest.raises(RecipeError, match="price has no recipe 'oracle'"):
        recipe_of("price", "oracle")
