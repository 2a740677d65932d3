"""Drift lines, flags and ensembles."""

from __future__ import annotations

import pytest

from orchestration.store import Store
from orchestration.store.errors import UnknownModel

SLOT = "majors/direction/1m"


def test_a_drift_line_is_replaced_not_added(store: Store) -> None:
    store.begin_turn("t1", {})
    store.add_drift("t1", SLOT, {"state": "WARN", "z": float("nan")})
    store.add_drift("t1", SLOT, {"state": "OK", "z": 1.5})
    store.add_drift("t1", "pooled", {"state": "LEARNING"})
    assert store.list_drift(slot_key=SLOT) == [
        {"turn_id": "t1", "slot_key": SLOT, "state": "OK", "z": 1.5}
    ]
    assert len(store.list_drift("t1")) == 2
    assert store.list_drift("t2") == []


def test_a_flag_is_raised_once_cleared_and_remembered(store: Store) -> None:
    store.flag_for_retraining("a", "drift")
    store.flag_for_retraining("b")
    store.flag_for_retraining("a", "drift again")
    assert store.get_flagged_for_retraining() == ["a", "b"]
    assert store.clear_flag("a")
    assert not store.clear_flag("a")
    assert store.get_flagged_for_retraining() == ["b"]
    store.flag_for_retraining("a", "once more")
    assert store.get_flagged_for_retraining() == ["b", "a"]
    history = [(flag.name, flag.reason, flag.cleared_at is None) for flag in store.list_flags()]
    assert history == [("a", "drift", False), ("b", "", True), ("a", "once more", True)]


def test_an_ensemble_keeps_its_place_when_it_is_saved_again(store: Store) -> None:
    store.save_ensemble("e1", {"slot": SLOT, "models": ["a"]}, {"f1": 0.5})
    assert store.active_ensemble(SLOT) is None
    store.set_ensemble_active("e1")
    saved = store.save_ensemble("e1", {"slot": SLOT, "models": ["a", "b"]})
    assert (saved.active, saved.config["models"], saved.results) == (True, ["a", "b"], {"f1": 0.5})


def test_a_slot_has_one_active_ensemble(store: Store) -> None:
    store.save_ensemble("e1", {"slot": SLOT})
    store.save_ensemble("e2", {"slot": SLOT})
    store.save_ensemble("other", {"slot": "majors/risk/1m"})
    for name in ("other", "e1", "e2", "e2"):
        store.set_ensemble_active(name)
    active = [ensemble.name for ensemble in store.list_ensembles() if ensemble.active]
    assert active == ["e2", "other"]
    store.set_ensemble_active("e2", active=False)
    assert store.active_ensemble(SLOT) is None
    with pytest.raises(UnknownModel, match="e9"):
        store.set_ensemble_active("e9")


def test_records_become_plain_dicts(store: Store) -> None:
    saved = store.save_ensemble("e1", {"slot": SLOT}).as_dict()
    assert (saved["name"], saved["config"]) == ("e1", {"slot": SLOT})
