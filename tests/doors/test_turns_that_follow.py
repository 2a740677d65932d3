"""What a later turn makes of the homes that earlier ones have left."""

from __future__ import annotations

from market.timeframes import instant_ms
from orchestration.service.resources import store_of
from orchestration.service.turn import run_turn
from orchestration.settings import load_settings
from tests.doors.desk import MARKET, NOW, SLOT, Desk


def test_each_champion_knows_from_when_to_when_it_served(desk: Desk) -> None:
    models = {m.version: m.facts for m in store_of(desk.settings).list_models(slot_key=SLOT.key)}
    first, second = (
        models[f"{day}_1m_baseline"] for day in ("2025-05-20T0000Z", "2025-05-20T1200Z")
    )
    assert first["reign_ended_ms"] == second["reign_began_ms"] == instant_ms(NOW[1])
    assert first["reign_began_ms"] < first["reign_ended_ms"]
    assert "reign_ended_ms" not in second


def test_a_recipe_that_the_settings_name_no_more_leaves_the_shadow(desk: Desk) -> None:
    left = "2025-05-20T1200Z_1m_xgboost"
    store = store_of(desk.settings)
    assert store.get_model(f"{SLOT.key}/{left}").status in ("unproven", "challenger")
    settings = load_settings(home=desk.settings.home, **{**MARKET, "recipes": "direction/logistic"})
    report = run_turn(settings, "2025-05-21T00:00:00Z")
    (slot,) = report["slots"]
    assert "xgboost is archived, the setting recipes does not name it any more" in slot["sentence"]
    assert store.get_model(f"{SLOT.key}/{left}").status == "archived"
    assert slot["challenger"] == "2025-05-21T0000Z_1m_logistic"
