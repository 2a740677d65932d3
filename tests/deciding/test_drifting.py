"""The guide's two functions by the real verdict, and flags as people raise and take them back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.common.slot import Slot
from orchestration.lifecycle.promotion import By, promote
from orchestration.service.drifting import (
    check_model_drift,
    flags,
    lower_flag,
    raise_flag,
    retrain_drifting_models,
    retraining_of,
)
from orchestration.service.errors import UnknownFlag
from orchestration.service.resources import places_of, store_of
from orchestration.service.turn import run_turn
from orchestration.settings import Settings
from tests.deciding.test_watching import BEGUN, NOW, SLOT, at, lived

NewSettings = Callable[..., Settings]


def test_who_drifts_is_flagged_and_who_does_not_is_not(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT")
    assert check_model_drift(settings, NOW) == []
    harmful = lived(settings, right=0.4)
    (early,) = check_model_drift(settings, at(5))
    assert (early["flagged"], early["status"]) == (False, "LEARNING")
    (row,) = check_model_drift(settings, at(30))
    assert (row["slot"], row["champion"], row["status"]) == (SLOT.key, harmful, "HARM")
    assert row["flagged"] is True
    assert store_of(settings).get_flagged_for_retraining() == [f"{SLOT.key}/{harmful}"]
    store = store_of(settings)
    assert store.get_model(f"{SLOT.key}/{harmful}").status == "champion", "nothing is moved here"

    found = retrain_drifting_models(settings, at(30))
    (done,) = found["retrained"]
    assert (done["recipe"], done["flags"]) == ("logistic", [f"{SLOT.key}/{harmful}"])
    assert found["changed"] is True
    assert done["sentence"] in found["sentence"]
    assert bool(flags(settings)) is not done["kept"]


def test_a_verdict_sees_as_far_back_as_its_rules_do(new_settings: NewSettings) -> None:
    """With more than thirty days of reference it would else be learning for ever."""
    settings = new_settings(
        symbols="BTC-USDT", drift={"reference_days": 29, "fade_days": 3, "fade_long_days": 4}
    )
    lived(settings, right=0.55, hours=34 * 24)
    (row,) = check_model_drift(settings, at(34 * 24))
    assert row["status"] == "OK"
    assert row["days"] > 33
    assert row["fade_z_skill"] is not None


def test_nothing_flagged_is_nothing_to_do(new_settings: NewSettings) -> None:
    found = retrain_drifting_models(new_settings(), NOW)
    assert (found["changed"], found["sentence"]) == (False, "nothing is flagged for retraining")
    assert store_of(new_settings()).list_turns() == []


def test_a_retraining_is_of_the_kinds_and_recipes_that_are_flagged(
    new_settings: NewSettings,
) -> None:
    settings = new_settings(kinds="direction,risk,momentum", recipes="default")
    store, scope = store_of(settings), "BTC-USDT+ETH-USDT"
    version = "2025-05-20T0000Z_1m_lightgbm"
    store.register_model(f"{scope}/risk/1m", version, recipe="lightgbm")
    raise_flag(settings, f"{scope}/risk/1m/{version}", "doubts")
    raise_flag(settings, f"{scope}/momentum/1m")
    store.register_model("majors/direction/5m", "v1", status="champion", recipe="logistic")
    raise_flag(settings, "majors/direction/5m/v1")
    found = retraining_of(settings)
    assert found.settings is not None
    assert found.settings.kinds == ("risk", "momentum")
    assert found.settings.recipes == ("default", "risk/lightgbm")
    assert found.settings.retrain_rest_turns == 0
    assert "majors/direction/5m/v1 waits for a turn of majors on 5m" in found.sentence
    assert [(one["recipe"], one["reason"]) for one in flags(settings)] == [
        ("lightgbm", "doubts"),
        ("all", "a person asks for it"),
        ("logistic", "a person asks for it"),
    ]


def test_a_flag_names_something_and_is_taken_back_by_its_name(new_settings: NewSettings) -> None:
    settings = new_settings()
    with pytest.raises(UnknownFlag, match="'nobody' is no version, slot or kind"):
        raise_flag(settings, "nobody")
    raise_flag(settings, "majors/risk/1m")
    with pytest.raises(UnknownFlag, match="no flag 'risk' is open; open are: majors/risk/1m"):
        lower_flag(settings, "risk")
    lower_flag(settings, "majors/risk/1m")
    assert flags(settings) == []


def test_the_newest_row_of_each_slot_is_told(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT", kinds="direction,risk", recipes="logistic")
    first = run_turn(settings, NOW)["slots"][0]
    learner = next(v for v in first["versions_trained"] if v.endswith("_logistic"))
    promote(SLOT, learner, places_of(settings), By("a test", BEGUN, force=True))
    later = run_turn(settings, at(12))
    rows = store_of(settings).latest_drift()
    assert [row["slot_key"] for row in rows] == [
        "BTC-USDT/all-pooled/1m", "BTC-USDT/direction/1m", "BTC-USDT/hits-pooled/1m",
        "BTC-USDT/risk/1m",
    ]  # fmt: skip
    assert {row["turn_id"] for row in rows} == {later["turn_id"]}
    assert len(later["drift_pooled"]) == 2
    (moved,) = (row["shifted"] for row in rows if row["slot_key"] == SLOT.key)
    assert len(moved) == 5
    assert moved[0]["psi"] >= moved[-1]["psi"] > 0
    assert Slot.parse(rows[1]["slot_key"]) == SLOT
