"""Promotion and rollback where somebody has moved the alias in MLflow and no turn ran since."""

from __future__ import annotations

from orchestration.service.resources import store_of, tracking_of
from tests.doors.desk import LATER, SLOT, Desk, call

BASELINE, LEARNT = "2025-05-20T1200Z_1m_baseline", "2025-05-20T1200Z_1m_xgboost"
OLDER, OLD_BASELINE = "2025-05-20T0000Z_1m_xgboost", "2025-05-20T0000Z_1m_baseline"
PROMOTE = ("models", "promote", "BTCUSDT", "direction", LEARNT, "--force", "--now", LATER)
ROLLBACK = ("models", "rollback", "BTCUSDT", "direction", "--now", LATER)


def test_a_promotion_after_it_leaves_one_champion(desk: Desk) -> None:
    tracking_of(desk.settings).set_alias(SLOT, "champion", OLDER)
    assert call(*PROMOTE) == 0
    assert desk.champion() == LEARNT
    stored = store_of(desk.settings)
    assert stored.get_model(f"{SLOT.key}/{BASELINE}").status == "baseline"
    assert stored.get_model(f"{SLOT.key}/{LEARNT}").facts["previous"] == OLDER


def test_one_that_was_superseded_can_be_replaced(desk: Desk) -> None:
    store_of(desk.settings).update_model_status(f"{SLOT.key}/{OLDER}", "superseded")
    tracking_of(desk.settings).set_alias(SLOT, "champion", OLDER)
    assert call(*PROMOTE) == 0
    assert desk.champion() == LEARNT


def test_a_rollback_goes_back_to_what_served_before_it(desk: Desk) -> None:
    assert call(*PROMOTE) == 0
    tracking_of(desk.settings).set_alias(SLOT, "champion", OLDER)
    assert call(*ROLLBACK) == 0
    assert desk.champion() == LEARNT


def test_promoting_what_the_alias_says_already_lets_the_store_follow(desk: Desk) -> None:
    tracking_of(desk.settings).set_alias(SLOT, "champion", LEARNT)
    assert call(*PROMOTE) == 0
    assert desk.serving()[:3] == (LEARNT, LEARNT, [LEARNT])
