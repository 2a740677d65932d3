"""Ensembles in store and files: what is switched off, what is a person's, and what rests."""

from __future__ import annotations

import pytest

from models.common.ensemble_config import make_config, read_results, write_config
from orchestration.ensembles import ENSEMBLE, config
from orchestration.lifecycle.retiring import Memory
from orchestration.service import composing, memory
from orchestration.service.beginning import turn_at
from orchestration.service.blending import ensemble_row
from orchestration.service.refs import Composed, Decided, Judged
from orchestration.service.resources import store_of
from orchestration.service.turn import run_turn
from tests.deciding.planted import FIRST, PLANTED, SLOT, NewSettings

DECIDED = Decided("direction", "keep", "v1", "v1", None, baseline=False, statuses={}, sentence="")


def test_what_a_person_switched_on_stays_on(new_settings: NewSettings) -> None:
    settings = new_settings(**PLANTED)
    store = store_of(settings)
    store.save_ensemble("ensemble_001", {"slot": SLOT.key, "models": ["majors/direction/v1"]})
    store.set_ensemble_active("ensemble_001")
    (row,) = run_turn(settings, FIRST.isoformat())["ensembles"]
    assert row["name"] == "ensemble_002"
    assert "a person switched on" in row["sentence"]
    assert store.active_ensemble(SLOT.key).name == "ensemble_001"


def test_where_none_is_composed_the_last_one_goes_off_and_its_files_say_so(
    new_settings: NewSettings,
) -> None:
    settings = new_settings()
    store, turn = store_of(settings), turn_at(settings, FIRST.isoformat())
    made = config(SLOT, {"v1": 0.5, "v2": 0.5}, "weighted_avg", "v_ensemble")
    store.save_ensemble("ensemble_001", made, {"skill": 0.02, "status": "challenger"})
    store.set_ensemble_active("ensemble_001")
    kept = make_config(made["models"], about={"slot": SLOT.key})
    write_config("ensemble_001", kept, settings.home)
    none = Composed("direction", "only v1 has shown skill")
    row = ensemble_row(turn, none, Judged("direction", (), None, {}, ""), DECIDED, {"line": "new"})
    assert (row["name"], row["sentence"]) == (None, "only v1 has shown skill")
    assert store.active_ensemble(SLOT.key) is None
    results = read_results("ensemble_001", settings.home)
    assert results["sentence"] == "off, last made as v_ensemble: only v1 has shown skill"
    assert (results["active"], results["simulated"], results["skill"]) == (False, True, 0.02)
    assert (results["regimes"], results["status"]) == ({"line": "new"}, None)


def test_a_name_that_a_person_took_over_is_switched_off(new_settings: NewSettings) -> None:
    settings = new_settings(**PLANTED | {"gates": PLANTED["gates"] | {"z_ensemble": 99.0}})
    store = store_of(settings)
    ours = config(SLOT, {"v1": 0.5, "v2": 0.5}, "weighted_avg", "v_ensemble")
    store.save_ensemble("ensemble_001", ours)
    store.set_ensemble_active("ensemble_001")
    mine = write_config("ensemble_001", make_config(["majors/direction@champion"]), settings.home)
    before = mine.read_bytes()
    (row,) = run_turn(settings, FIRST.isoformat())["ensembles"]
    assert (row["name"], row["active"]) == ("ensemble_002", False)
    assert store.active_ensemble(SLOT.key) is None
    assert mine.read_bytes() == before


def test_a_recipe_that_rests_is_told_of(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory, composing):
        monkeypatch.setattr(module, "last_memory", lambda *_: Memory(resting={"logistic": 3}))
    (row,) = run_turn(new_settings(**PLANTED), FIRST.isoformat())["ensembles"]
    assert row["version"] is None
    assert "logistic was archived and rests" in row["sentence"]


def test_an_archived_ensemble_rests(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "last_memory", lambda *_: Memory(resting={ENSEMBLE: 3}))
    (row,) = run_turn(new_settings(**PLANTED), FIRST.isoformat())["ensembles"]
    assert row["sentence"] == (
        "direction/ensemble is left out: it was archived and rests for 3 more turns"
    )
