"""Flags: what is flagged is retrained in the next turn; only what passes the gates ends them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from models.common.bundle import read_documents
from models.common.slot import Slot
from orchestration.lifecycle.gates import Contender
from orchestration.service import retraining
from orchestration.service.beginning import turn_at
from orchestration.service.refs import Decided, Fits, Judged
from orchestration.service.reproducing import reproduce_version
from orchestration.service.resources import registry_of, store_of
from orchestration.service.retraining import meaning, settle, wishes
from orchestration.service.turn import run_turn
from orchestration.settings import Settings

TURNS = [f"2025-05-{20 + i // 2}T{12 * (i % 2):02d}:00:00Z" for i in range(6)]
SLOT = Slot("BTC-USDT", "direction", "1m")
NewSettings = Callable[..., Settings]


def only(report: dict) -> dict:
    (slot,) = report["slots"]
    return slot


@pytest.fixture
def settings(new_settings: NewSettings) -> Settings:
    return new_settings(symbols="BTC-USDT", recipes="logistic", source="simulated:seed=7,signal=1")


def test_a_flagged_recipe_is_retrained_in_variants_and_kept_only_by_the_gates(
    settings: Settings,
) -> None:
    first = only(run_turn(settings, TURNS[0]))
    assert first["retrained"] == []
    old = next(v for v in first["versions_trained"] if v.endswith("_logistic"))
    store, key = store_of(settings), f"{SLOT.key}/{old}"
    store.flag_for_retraining(key, "a person has doubts")
    second = only(run_turn(settings, TURNS[1]))
    (done,) = second["retrained"]
    assert (done["recipe"], done["flags"]) == ("logistic", [key])
    names = [one["variant"] for one in done["tried"]]
    assert names[:2] == ["plain refit", "shorter window"]
    assert "columns chosen again" in names
    json.dumps(done, allow_nan=False)
    status = store.get_model(f"{SLOT.key}/{done['version']}").status
    proven = status in ("champion", "challenger") or "its holdout proves it" in done["sentence"]
    assert done["kept"] is proven
    (flag,) = store.list_flags()
    if done["kept"]:
        assert flag.cleared_at is not None
        assert store.get_model(key).status == "superseded"
    else:
        assert flag.reason == f"2025-05-20T1200Z_BTC-USDT_1m: {done['sentence']}"
    about = read_documents(registry_of(settings).folder(SLOT, done["version"])).metadata
    assert about["fit"]["retrained"]["variant"] == done["variant"]
    assert about["recipe"] == "logistic"


def test_the_winner_is_the_lines_candidate_and_can_be_made_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = next(v for v in only(run_turn(settings, TURNS[0]))["versions_trained"] if "logis" in v)
    store_of(settings).flag_for_retraining(f"{SLOT.key}/{old}")
    # Any variant that loses less is believed: what matters here is what becomes of it.
    from ml_pipeline import variants

    monkeypatch.setattr(variants, "noise_of", lambda candidates: -99.0)
    sound = variants.attempt

    def worse_as_it_is(recipe, panel, split, seed):
        found = sound(recipe, panel, split, seed)
        handicap = 1.0 if len(recipe.features) > 30 and recipe.train_days == 7 else 0.0
        return type(found)(found.model + handicap, found.baseline, found.horizon_bars)

    monkeypatch.setattr(variants, "attempt", worse_as_it_is)
    (done,) = only(run_turn(settings, TURNS[1]))["retrained"]
    assert done["variant"] != "plain refit"
    about = read_documents(registry_of(settings).folder(SLOT, done["version"])).metadata
    spec = about["recipe_spec"]
    assert spec["tuned"] is True
    assert spec["train_days"] < 7 or len(spec["features"]) < 40
    assert reproduce_version(settings, f"{SLOT.key}/{done['version']}")["verdict"] == "identical"


@pytest.mark.parametrize("lower", [0.01, -0.01])
def test_a_retraining_whose_holdout_proves_it_ends_the_flag(
    settings: Settings, lower: float
) -> None:
    """The ledger of its line still holds the days that it was flagged for."""
    (turn, store) = (turn_at(settings, TURNS[0]), store_of(settings))
    store.register_model(SLOT.key, "v2_logistic", recipe="logistic")
    store.flag_for_retraining(SLOT.key, "DRIFT")
    row = asdict(Contender("v2_logistic", "logistic", False, "candidate", 0.02, lower, 0.03, 3.0))
    done = {"recipe": "logistic", "version": "v2_logistic", "variant": "x", "flags": [SLOT.key]}
    fits = Fits("direction", (), (), (done,))
    statuses = {"v2_logistic": "unproven"}
    decided = Decided("direction", "keep", "v1", "v1", None, False, statuses, "")
    judged = Judged("direction", (row,), None, {}, "")
    (told,) = settle(turn, fits, decided, judged)
    assert told["kept"] is (lower > 0)
    assert (store.get_flagged_for_retraining() == []) is (lower > 0)


def test_what_failed_rests_and_is_tried_again_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "KEPT", ())
    first = only(run_turn(settings, TURNS[0]))
    name = f"{SLOT.key}/{first['versions_trained'][-1]}"
    store_of(settings).flag_for_retraining(name, "doubts")
    tried = [len(only(run_turn(settings, moment))["retrained"]) for moment in TURNS[1:5]]
    assert tried == [1, 0, 0, 1]
    (flag,) = store_of(settings).list_flags()
    assert flag.cleared_at is None
    assert "the flag stays, and it rests" in flag.reason


def test_a_flag_raised_during_a_turn_waits_for_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.service import drift_rows

    run_turn(settings, TURNS[0])
    sound = drift_rows.watch
    store = store_of(settings)

    def watch(turn, kind, data):
        store.flag_for_retraining(SLOT.key, "raised on the way")
        return sound(turn, kind, data)

    from orchestration.service import steps

    monkeypatch.setattr(steps, "watch", watch)
    assert only(run_turn(settings, TURNS[1]))["retrained"] == []
    assert [done["flags"] for done in only(run_turn(settings, TURNS[2]))["retrained"]] == [
        [SLOT.key]
    ]


def test_a_name_means_a_recipe_or_a_whole_slot(settings: Settings) -> None:
    store = store_of(settings)
    store.register_model(SLOT.key, "v1_logistic", status="champion", recipe="logistic")
    store.register_model(SLOT.key, "v1_baseline", status="baseline", baseline=True)
    assert meaning(store, f"{SLOT.key}/v1_logistic") == (SLOT.key, "logistic")
    assert meaning(store, "v1_logistic") == (SLOT.key, "logistic")
    assert meaning(store, SLOT.key) == (SLOT.key, None)
    assert meaning(store, "direction_predictor_001") == (SLOT.key, None)
    assert meaning(store, "v1_baseline") == (SLOT.key, None)
    assert meaning(store, "nobody") == (None, None)
    store.flag_for_retraining("nobody", "who?")
    assert [(w.name, w.slot_key) for w in wishes(store)] == [("nobody", None)]
